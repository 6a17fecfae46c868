// SPDX-License-Identifier: Apache-2.0
//
// What the commands that read rows share: the layout that the options ask for, the tally that decides the exit code,
// and how failures are told.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "client/context.h"
#include "client/coverage.h"
#include "client/fields.h"
#include "client/options.h"
#include "client/output/task_printer.h"
#include "client/task_row.h"

namespace taskmon::client {

// What came of an answer.
struct Tally {
  uint64_t rows = 0;
  bool redacted = false;
  uint64_t missed = 0;  // ticks or events that got lost on the way
  bool gap = false;
  bool begins_late = false;  // something was stored only from a later time on than was asked for
  uint64_t processes = 0;    // rows that stand for threads that are not stored

  bool partial() const { return redacted || missed > 0 || gap || begins_late || processes > 0; }
  // Counts the row, and looks for redacted fields among those shown.
  void Count(const TaskRow& row, const TaskLayout& layout);
};

// Prints the error, unless it is an interruption, and returns its exit code.
int Fail(const absl::Status& status, Context* context);

// The exit code of an answer: that of the failure; kPartial with --strict; kMatched; kNothingMatched. Says what of it
// could be taken for something else.
int Conclude(const absl::Status& status, const Tally& tally, const Options& options, Context* context);

// Says which fields of the expression are hidden from this user in tasks of others: these are left out then. Whether
// there are any.
bool NoteHiddenFields(const std::string& expression, Backend* backend, Context* context);

// What of the range between two wire times is recorded; counts what is missing, and says so where the record begins
// later than the begin that was named. An empty one of no range: there is no need to look.
Coverage LookForGaps(const std::string& begin, const std::string& end, const Options& options, Backend* backend,
                     Context* context, Tally* tally);

// The clock; with a file its newest stored time. Errors as ListTasks.
absl::StatusOr<int64_t> NowOf(const Options& options, Backend* backend, const Context& context);

// One line on standard error that is no failure.
void Note(const std::string& text, Context* context);

// Explains "-", "*" and "~" beneath a table that a person looks at.
void ExplainMarks(const TaskPrinter& printer, Context* context);

// Fields, format and headers from the options. InvalidArgument: an unknown field.
absl::StatusOr<TaskLayout> LayoutFor(const Options& options, RowKind kind);

// A TIME as the daemon should read it. Times that depend on the caller's clock and zone ("14:30") are resolved here;
// those relative to now, and everything with --file, where the newest stored time stands for now, are left as they are.
// InvalidArgument: no TIME.
absl::StatusOr<std::string> WireTime(const std::string& text, const Options& options, Context* context);

// The options' range, put into a request that has `begin` and `end`. Errors as WireTime.
template <typename Request>
absl::Status SetRange(const Options& options, Context* context, Request* request) {
  absl::StatusOr<std::string> begin = WireTime(options.begin, options, context);
  if (!begin.ok()) return begin.status();
  absl::StatusOr<std::string> end = WireTime(options.end, options, context);
  if (!end.ok()) return end.status();
  request->set_begin(*std::move(begin));
  request->set_end(*std::move(end));
  return absl::OkStatus();
}

// What -o json prints: a single object, or an array of as many as there are.
enum class JsonShape { kObject, kArray };

// Prints the schema of the answer, each object of which fits one of `schemas`; with -o jsonl that of a line.
int PrintSchema(JsonShape shape, const std::vector<std::string>& schemas, const Options& options, Context* context);

// The selection of the options, asking for the metrics that the layout shows.
v1::Selection SelectionFor(const Options& options, const TaskLayout& layout);

}  // namespace taskmon::client

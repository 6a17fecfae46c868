// SPDX-License-Identifier: Apache-2.0
//
// The columns that a person can name with -f and --sort: attributes of the task, and metrics by full or short name.
// A field knows its JSON/CSV key and its table header; what it holds in a row is output/cell.h's business.
//   -f tid,comm,cpu,task_pm_size    -f default,@io    -f all
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "proto/catalogue.h"

namespace taskmon::client {

enum class Attribute {
  kNone,  // the field is a metric
  kTime,
  kTimeNs,
  kTid,
  kTgid,
  kPpid,
  kComm,
  kCmdline,
  kCommand,  // for people: the command line without the program's folder, or [comm] where there is none
  kExe,
  kStartTime,
  kStartNs,
  kUid,
  kGid,
  kUser,
  kState,
  kApp,
  kCgroup,
  kUnit,
  kContainer,
  kTracked,
  kRules,
  kKthread,
  kTasks,  // of a group: how many it has
};

struct Field {
  Attribute attribute = Attribute::kNone;
  const MetricDesc* metric = nullptr;  // set when attribute is kNone

  bool operator==(const Field&) const = default;
};

// "tid", "task_utime_jiffies": the key in JSON and CSV.
std::string_view FieldKey(const Field& field);
// "TID", "CPU%": the header of a table column.
std::string FieldHeader(const Field& field);
bool IsNumeric(const Field& field);

// Which default applies and which fields a record has by itself.
enum class RowKind { kProcesses, kThreads, kHistory, kTaskHistory, kGroups };

// What a table shows when nobody named fields: made for 80 columns; `wide` for those who want more.
std::vector<Field> DefaultFields(RowKind kind, bool wide);

// Every attribute and every metric: what JSON and CSV hold when nobody named fields. `time` for rows that carry one.
std::vector<Field> AllFields(bool time);

// A list of names separated by commas or blanks; repeated fields are taken once. Expands all, default and @group.
// InvalidArgument names the unknown field or group and the nearest known one.
absl::StatusOr<std::vector<Field>> ParseFields(std::string_view text, RowKind kind);

// The attribute that rows of groups are told apart by. InvalidArgument: no such grouping; nullopt: rows of tasks.
absl::StatusOr<std::optional<Attribute>> ParseBy(std::string_view by);

// One field by its name; no groups.
absl::StatusOr<Field> ParseField(std::string_view name);

// The metric numbers to ask for so that the fields can be shown. Empty means "all" on the wire, so at least one is
// returned unless every metric is wanted.
std::vector<uint32_t> MetricsFor(const std::vector<Field>& fields);

}  // namespace taskmon::client

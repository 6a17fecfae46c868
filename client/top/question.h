// SPDX-License-Identifier: Apache-2.0
//
// What the model wants to know, and what comes back. Questions are asked and answered in other threads (source.h), so
// each answer carries the number of its question: the model forgets answers to questions that it asks no more. Values.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <absl/status/status.h>

#include "client/top/frame.h"
#include "client/top/totals.h"
#include "taskmon/v1/rules.pb.h"
#include "taskmon/v1/taskmon.pb.h"

namespace taskmon::client::top {

// Which tasks, and what of them.
struct Scope {
  std::string expression;
  bool threads = false;
  std::vector<v1::Metric> metrics;

  bool operator==(const Scope&) const = default;
};

// Every tick as it is taken, until the next such question.
struct LiveQuestion {
  Scope scope;
};

struct StopQuestion {};  // no more live ticks

// One stored tick, with the tasks that ended in it.
struct MomentQuestion {
  enum class Seek { kAt, kNext, kPrevious, kFirst, kLast };
  Seek seek = Seek::kAt;
  int64_t time_ns = 0;  // kNext, kPrevious: of the tick shown
  Scope scope;
};

// What all tasks did together, for the graphs at the top (kGraphs) or the time bar (kBar, with its marks).
struct StretchQuestion {
  enum class Purpose { kGraphs, kBar };
  Purpose purpose = Purpose::kGraphs;
  int64_t begin_ns = 0;
  int64_t end_ns = 0;
  uint64_t step_ns = 0;
};

// Everything about one task around a time.
struct TaskQuestion {
  TaskId id;
  int32_t tgid = 0;
  int64_t at_ns = 0;  // 0: now
  int64_t begin_ns = 0;
  int64_t end_ns = 0;
  uint64_t step_ns = 0;
  std::vector<v1::Metric> metrics;  // to be drawn
};

using Question = std::variant<LiveQuestion, StopQuestion, MomentQuestion, StretchQuestion, TaskQuestion>;

struct FrameAnswer {
  std::shared_ptr<const Frame> frame;
  std::optional<TotalsPoint> totals;  // of all tasks; live ticks only
};

struct LiveTotals {
  TotalsPoint point;
};

// What happened, as it happens.
struct LiveEvents {
  std::vector<v1::Event> events;
};

struct StretchAnswer {
  StretchQuestion question;
  std::vector<TotalsPoint> points;
  std::vector<Mark> marks;
  bool marks_complete = true;
  int64_t stored_begin_ns = 0;
  int64_t stored_end_ns = 0;
};

struct Reading {
  int64_t time_ns = 0;
  std::vector<Value> values;  // parallel to TaskQuestion::metrics
};

struct TaskAnswer {
  TaskQuestion question;
  std::vector<Reading> readings;
  std::shared_ptr<const Frame> threads;
  std::vector<v1::Event> events;  // newest last
  std::optional<v1::TaskExplanation> explanation;
  std::string trouble;  // why a part is missing
};

struct Failure {
  absl::Status status;
};

using AnswerBody = std::variant<FrameAnswer, LiveTotals, LiveEvents, StretchAnswer, TaskAnswer, Failure>;

// Questions of one kind replace each other.
enum class Kind { kLive, kMoment, kGraphs, kBar, kTask };

struct Asked {
  Kind kind = Kind::kLive;
  uint64_t number = 0;
  Question question;
};

struct Answer {
  Kind kind = Kind::kLive;
  uint64_t number = 0;
  AnswerBody body;
};

}  // namespace taskmon::client::top

// SPDX-License-Identifier: Apache-2.0
//
// The world at one tick, as `top` shows it: every task with its values, counters as rates. A Frame is immutable once
// made. FrameMaker puts frames together from the batches of an answer and remembers the counters of the frame before,
// from which the rates come; it belongs to one thread.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>

#include "client/task_row.h"
#include "proto/catalogue.h"

namespace taskmon::client::top {

// A task, told from others that had its number.
struct TaskId {
  int32_t tid = 0;
  uint64_t start_ns = 0;
  bool thread = false;

  auto operator<=>(const TaskId&) const = default;
};

TaskId IdOf(const v1::TaskInfo& info);

struct Value {
  Presence presence = Presence::kNotAsked;
  double number = 0;  // in catalogue units; of a counter, per second
  bool stale = false;

  bool known() const { return presence == Presence::kPresent; }
};

struct Item {
  TaskId id;
  std::shared_ptr<const v1::TaskInfo> info;
  std::vector<Value> values;  // parallel to Frame::metrics
  // Of a task that ended within the tick; 0: alive.
  int64_t ended_time_ns = 0;
  int exit_code = 0;
  int exit_signal = 0;
};

struct Frame {
  v1::Tick tick;
  std::vector<v1::Metric> metrics;
  std::vector<Item> items;  // the living first, in the order of the answer
  size_t ended = 0;         // how many, at the end, are not alive
  uint64_t missed_ticks = 0;

  // -1: the frame does not hold it.
  int MetricIndex(v1::Metric metric) const;
  Value Get(const std::vector<Value>& values, v1::Metric metric) const;
  // Whether the item, among threads, is a whole process whose threads are not stored.
  bool StandsForThreads(const Item& item) const;
  int64_t begin_ns() const { return tick.time_ns() - static_cast<int64_t>(tick.elapsed_ns()); }
};

class FrameMaker {
 public:
  explicit FrameMaker(std::vector<v1::Metric> metrics) : metrics_(std::move(metrics)) {}

  // Internal: the batch does not fit together.
  absl::Status Add(const v1::TaskBatch& batch);
  // What was added since the frame before. Precondition: at least one batch.
  std::shared_ptr<Frame> Finish();

  // Whether an end is that of a row as frames have them. Among threads a process stands for its threads while these
  // have no rows; where nobody saw it, it stands for its only one, or each thread ends by itself.
  bool HasRowOfItsOwn(const v1::Event& exit, bool threads) const;

  // A task that ended after the frame before and by the time of `frame`, added to it.
  void AddEnded(const v1::Event& exit, Frame* frame) const;

 private:
  using Counters = std::vector<int64_t>;  // parallel to metrics_; 0 where not known

  Value RateOf(size_t metric, int64_t total, const Counters* before, const v1::TaskInfo& info,
               const v1::Tick& tick) const;
  uint64_t Elapsed(const v1::Tick& tick) const;

  std::vector<v1::Metric> metrics_;
  std::vector<v1::TaskBatch> batches_;
  std::map<TaskId, Counters> before_;
  std::map<TaskId, Counters> before_that_;
  v1::Tick tick_before_;
  v1::Tick tick_before_that_;
};

// Sums, and of maxima the largest; what nobody in the group has stays unavailable or redacted.
class GroupSum {
 public:
  explicit GroupSum(const Frame& frame) : frame_(frame), values_(frame.metrics.size()) {}
  void Add(const std::vector<Value>& values);
  const std::vector<Value>& values() const { return values_; }

 private:
  const Frame& frame_;
  std::vector<Value> values_;
};

}  // namespace taskmon::client::top

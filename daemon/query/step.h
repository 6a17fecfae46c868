// SPDX-License-Identifier: Apache-2.0
//
// Folds the ticks of each step of a history into one. Steps are aligned to the epoch, so that they are the same ones
// for every question and every machine. Owned by one scan.
//
// What a folded tick says of each task that lived in the step:
//   counters     the last total; increases are summed, and so is the elapsed time, so rates are means over the step
//   gauges       the last value seen
//   maxima       the largest of the step, waits that were still open at a tick included
//   cache hits   the mean, weighted by the lookups of each tick
// A task that ended before the step's last tick is there too, with the time at which it was first missed. A reboot ends
// a step early, since start times of two boots cannot be told apart. All tasks of a step are in memory until it ends,
// so that a budget limits them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include <absl/status/status.h>

#include "daemon/query/memory_budget.h"
#include "daemon/query/row.h"
#include "storage/ring_reader.h"
#include "storage/sample.h"

namespace taskmon::query {

class StepFolder {
 public:
  // `ended_wall_ns` runs parallel to the snapshot's tasks; 0: alive. Returning false means that nobody listens any
  // more.
  using Sink = std::function<bool(const Snapshot& folded, const std::vector<int64_t>& ended_wall_ns)>;

  // Precondition: step_ns > 0. Folds the given metrics only.
  StepFolder(int64_t step_ns, const MetricSet& metrics, std::shared_ptr<MemoryBudget> bytes, Sink sink);

  // The next tick, oldest first. False when the sink said so, or when there is no room.
  bool Add(const Snapshot& snapshot);
  // The last step, which no later tick closes.
  bool Finish();
  // ResourceExhausted: there was no room.
  const absl::Status& status() const { return status_; }

 private:
  struct Folded {
    TaskSample sample;
    double hit_weight = 0;  // lookups
    double hit_sum = 0;     // percent × lookups
    uint64_t seen = 0;      // number of the tick within the step
    int64_t ended_wall_ns = 0;
  };

  bool FoldTask(const Snapshot& snapshot, const std::shared_ptr<const TaskSample>& sample);
  void FoldValue(const Row& row, v1::Metric metric, Folded* folded) const;
  void TakeWitnesses(const Row& row, v1::Metric maximum, TaskSample* sum) const;
  void FoldCacheHits(const Row& row, Folded* folded) const;
  int64_t BytesOfTask() const;
  void MarkEnded(const std::vector<Folded*>& alive_before, const Snapshot& snapshot);

  const int64_t step_ns_;
  std::vector<v1::Metric> metrics_;
  const Sink sink_;
  BudgetShare room_;
  absl::Status status_;
  std::unordered_map<TaskKey, Folded, TaskKeyHash> tasks_;
  std::vector<Folded*> alive_;  // in the newest tick
  Snapshot last_;               // the step's last tick so far, without tasks; its elapsed time is the step's
  uint64_t ticks_ = 0;          // in this step
};

struct StepLimits {
  std::shared_ptr<MemoryBudget> bytes;  // null: none
  std::function<bool()> go_on;          // asked at each tick; false ends the scan. Unset: always
};

// Shows the sink the ticks of the range: as they are when step_ns is 0 (`ended_wall_ns` is then empty: all live), else
// folded with the filter's metrics. ResourceExhausted: no room for a step.
absl::Status ScanSteps(storage::RingReader* reader, const storage::TimeRange& range, const storage::ScanFilter& filter,
                       int64_t step_ns, const StepLimits& limits, const StepFolder::Sink& sink);

}  // namespace taskmon::query

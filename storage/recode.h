// SPDX-License-Identifier: Apache-2.0
//
// Makes one chunk of others, open or closed: joins them, and folds their ticks into ticks of a coarser resolution.
// Pure.
//
// What a folded tick says of each task that was there at any of its ticks:
//   counters     the last total that is known; increases are summed, and so is the elapsed time
//   gauges       the last value, with the least and the largest that it had (TaskSample::range)
//   maxima       the largest, with its circumstances
//   ratios       the mean, weighted by the counter that the column names
// A task without an update in all of the ticks stays idle. Rows of one task that follow each other become one.
#pragma once

#include <cstdint>
#include <vector>

#include <absl/status/statusor.h>

#include "storage/chunk.h"

namespace taskmon::storage {

// How the metrics of a file are folded. Immutable.
class FoldRules {
 public:
  explicit FoldRules(const std::vector<ColumnSpec>& columns);

  // One tick of the coarser resolution in the making.
  struct Sum {
    RowState state;
    bool any = false;                                   // holds an update
    bool active = false;                                // … of a tick at which the task did something
    MetricSet ranged;                                   // gauges of which least and largest are known
    MetricNumbers least, largest;                       // of those
    std::array<double, kMetricSlots> weight, weighted;  // of ratios
    RowState before;                                    // room for what `state` was, kept between updates
  };
  // Adds an update of the finer resolution.
  void Add(const RowState& update, Sum* sum) const;
  // Begins a tick. `before`: the values that the row had in its first part; null: it has an update there.
  void Begin(const RowState* before, Sum* sum) const;
  // The range is attached where it says something.
  void Finish(Sum* sum) const;

 private:
  void AddRange(const TaskSample& sample, const GaugeRange* range, Sum* sum) const;
  void AddRatios(const TaskSample& sample, Sum* sum) const;
  // What an earlier active update of the same tick adds to a later one.
  void AddEarlier(const TaskSample& before, TaskSample* now) const;

  struct Maximum {
    MetricId metric;
    std::vector<MetricId> witnesses;
  };
  struct Ratio {
    MetricId metric;
    MetricId weight;
  };
  std::vector<MetricId> counters_;
  std::vector<Maximum> maxima_;
  std::vector<Ratio> ratios_;
  std::vector<MetricId> gauges_;
};

// `chunks`: oldest first, of one boot; closed ones with the metrics of interest added, and not walked yet.
// resolution_ns 0: their ticks stay what they are.
absl::StatusOr<EncodedChunk> Recode(const std::vector<RowSource*>& chunks, int64_t resolution_ns,
                                    const FoldRules& rules, const CounterSet& counters, const Precision& precision,
                                    int level);

}  // namespace taskmon::storage

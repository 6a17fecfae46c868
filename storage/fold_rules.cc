// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "storage/recode.h"

namespace taskmon::storage {

FoldRules::FoldRules(const std::vector<ColumnSpec>& columns) {
  for (const ColumnSpec& column : columns) {
    if (!column.stored || column.id >= kMetricSlots) continue;
    if (column.kind == ColumnKind::kCounter) counters_.push_back(column.id);
    if (column.kind == ColumnKind::kWindowMax) maxima_.push_back({column.id, {}});
    if (column.weight != 0) ratios_.push_back({column.id, column.weight});
    if (column.ranged) gauges_.push_back(column.id);
  }
  for (const ColumnSpec& column : columns) {
    for (Maximum& maximum : maxima_) {
      if (column.witness_of == maximum.metric) maximum.witnesses.push_back(column.id);
    }
  }
}

void FoldRules::Begin(const RowState* before, Sum* sum) const {
  sum->any = sum->active = false;
  sum->weight.fill(0);
  sum->weighted.fill(0);
  sum->ranged.reset();
  if (before != nullptr) AddRange(before->sample, nullptr, sum);
}

void FoldRules::AddRange(const TaskSample& sample, const GaugeRange* range, Sum* sum) const {
  for (MetricId m : gauges_) {
    if (!sample.valid[m]) continue;
    const int64_t least = range != nullptr ? range->least[m] : sample.values[m];
    const int64_t largest = range != nullptr ? range->largest[m] : sample.values[m];
    sum->least[m] = sum->ranged[m] ? std::min(sum->least[m], least) : least;
    sum->largest[m] = sum->ranged[m] ? std::max(sum->largest[m], largest) : largest;
    sum->ranged.set(m);
  }
}

void FoldRules::AddRatios(const TaskSample& sample, Sum* sum) const {
  for (const Ratio& ratio : ratios_) {
    if (!sample.valid[ratio.metric]) continue;
    // A tick that has a ratio had something to divide by.
    const double weight = static_cast<double>(std::max<int64_t>(1, sample.deltas[ratio.weight]));
    sum->weight[ratio.metric] += weight;
    sum->weighted[ratio.metric] += weight * static_cast<double>(sample.values[ratio.metric]);
  }
}

void FoldRules::Add(const RowState& update, Sum* sum) const {
  const bool active = update.age_ticks == 0;
  AddRange(update.sample, update.sample.range.get(), sum);
  sum->any = true;
  if (active) AddRatios(update.sample, sum);
  if (sum->active && !active) {  // the sample stays the one of the activity
    sum->state.info_id = update.info_id;
    return;
  }
  std::swap(sum->state, sum->before);
  sum->state = update;
  sum->state.sample.range.reset();
  if (sum->active) AddEarlier(sum->before.sample, &sum->state.sample);
  sum->active = active;
}

void FoldRules::AddEarlier(const TaskSample& before, TaskSample* now) const {
  for (MetricId m : counters_) {
    if (!before.valid[m] || now->valid[m]) continue;
    now->valid.set(m);
    now->values.Set(m, before.values[m]);
  }
  before.deltas.ForEach([now](size_t m, int64_t delta) { now->deltas.Add(m, delta); });
  for (const Maximum& maximum : maxima_) {
    const MetricId m = maximum.metric;
    if (!before.valid[m] || (now->valid[m] && now->values[m] >= before.values[m])) continue;
    now->valid.set(m);
    now->values.Set(m, before.values[m]);
    for (MetricId witness : maximum.witnesses) {
      now->valid[witness] = before.valid[witness];
      now->values.Set(witness, before.values[witness]);
    }
  }
}

void FoldRules::Finish(Sum* sum) const {
  TaskSample& sample = sum->state.sample;
  for (const Ratio& ratio : ratios_) {
    const double weight = sum->weight[ratio.metric];
    if (weight == 0) continue;
    sample.valid.set(ratio.metric);
    sample.values.Set(ratio.metric, std::llround(sum->weighted[ratio.metric] / weight));
  }
  const bool moved = std::any_of(gauges_.begin(), gauges_.end(), [&](MetricId m) {
    return sample.valid[m] && (sum->least[m] != sample.values[m] || sum->largest[m] != sample.values[m]);
  });
  if (!moved) return;
  auto range = std::make_shared<GaugeRange>();
  range->least = range->largest = sample.values;
  for (MetricId m : gauges_) {
    if (!sample.valid[m]) continue;
    range->least.Set(m, sum->least[m]);
    range->largest.Set(m, sum->largest[m]);
  }
  sample.range = std::move(range);
}

}  // namespace taskmon::storage

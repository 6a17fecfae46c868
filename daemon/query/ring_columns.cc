// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/ring_columns.h"

#include "daemon/query/row.h"
#include "proto/catalogue.h"

namespace taskmon::query {
namespace {

storage::ColumnKind KindOfColumn(v1::Kind kind) {
  switch (kind) {
    case v1::COUNTER: return storage::ColumnKind::kCounter;
    case v1::WINDOW_MAX: return storage::ColumnKind::kWindowMax;
    default: return storage::ColumnKind::kGauge;
  }
}

// Gauges that measure something, as against letters, instants and circumstances.
bool HasRange(const MetricDesc& metric) {
  return metric.kind == v1::GAUGE && metric.witness_of == v1::METRIC_UNSPECIFIED &&
         metric.id != v1::TASK_PAGE_CACHE_HIT_PERCENT &&
         (metric.unit == v1::BYTES || metric.unit == v1::COUNT || metric.unit == v1::PERCENT);
}

}  // namespace

std::vector<storage::ColumnSpec> RingColumns() {
  std::vector<storage::ColumnSpec> columns;
  for (const MetricDesc& metric : AllMetrics()) {
    columns.push_back({.id = static_cast<MetricId>(metric.id),
                       .kind = KindOfColumn(metric.kind),
                       .stored = !IsDerived(metric.id),
                       .quantum = metric.quantum,
                       .digits = static_cast<uint8_t>(metric.digits),
                       .rounds_up = metric.aggregation == v1::OLDEST,
                       .witness_of = static_cast<MetricId>(metric.witness_of),
                       .witness_from = metric.kept_from,
                       .ranged = HasRange(metric)});
    storage::ColumnSpec& column = columns.back();
    if (metric.id == v1::TASK_OFFCPU_TIME) column.instant = v1::TASK_OFFCPU_SINCE, column.spent = v1::TASK_RUNTIME_NS;
    // A sleep is told by its length; who preempted a task is worth knowing however short it was.
    if (metric.witness_of == v1::TASK_SWITCH_OFFCPU_TIME_MAX) column.witness_with = v1::TASK_SWITCH_OFFCPU_TIME_MAX_BY;
    if (metric.id == v1::TASK_PAGE_CACHE_HIT_PERCENT) column.weight = v1::TASK_PAGE_CACHE_LOOKUP_COUNT;
  }
  return columns;
}

}  // namespace taskmon::query

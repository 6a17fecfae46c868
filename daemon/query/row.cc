// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/row.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace taskmon::query {
namespace {

constexpr double kNsPerSecond = 1e9;
constexpr int64_t kPercentScale = 1000;  // cpu and mem are held in thousandths of a percent

std::optional<int64_t> Stored(const Row& row, v1::Metric metric) {
  if (!row.sample->valid[metric]) return std::nullopt;
  return row.sample->values[metric];
}

// An idle task's deltas belong to the tick of its last sample.
int64_t Delta(const Row& row, v1::Metric metric) { return row.idle() ? 0 : row.sample->deltas[metric]; }

// What tells since when a wait is open that the metric counts.
v1::Metric OpenWaitOf(v1::Metric metric) {
  switch (metric) {
    case v1::TASK_SWITCH_OFFCPU_TIME_MAX:
    case v1::TASK_OFFCPU_TIME: return v1::TASK_OFFCPU_SINCE;
    case v1::TASK_IO_WAIT_TIME_MAX:
    case v1::TASK_IO_WAIT_TIME: return v1::TASK_IOWAIT_SINCE;
    default: return v1::METRIC_UNSPECIFIED;
  }
}

// How long the wait still open has lasted at the tick; 0: none, or not known.
int64_t OpenWait(const Row& row, v1::Metric since_metric) {
  const int64_t since = Stored(row, since_metric).value_or(0);
  if (since <= 0) return 0;
  return std::max<int64_t>(0, static_cast<int64_t>(row.snapshot->tick.boot_ns) - since);
}

std::optional<int64_t> Share(int64_t part, int64_t whole) {
  if (whole <= 0) return std::nullopt;
  const double share = static_cast<double>(part) / static_cast<double>(whole);
  return std::llround(share * 100 * kPercentScale);
}

std::optional<int64_t> CpuPercent(const Row& row) {
  if (!row.sample->valid[v1::TASK_RUNTIME_NS]) return std::nullopt;
  return Share(Delta(row, v1::TASK_RUNTIME_NS), static_cast<int64_t>(row.snapshot->tick.elapsed_ns));
}

std::optional<int64_t> MemPercent(const Row& row) {
  const std::optional<int64_t> resident = Stored(row, v1::TASK_PM_SIZE);
  return resident ? Share(*resident, row.snapshot->memory_total_bytes) : std::nullopt;
}

std::optional<int64_t> ClosedMax(const Row& row, v1::Metric metric) {
  const std::optional<int64_t> closed = Stored(row, metric);
  return closed && row.idle() ? 0 : closed;
}

std::optional<int64_t> LongestWait(const Row& row, v1::Metric metric) {
  const std::optional<int64_t> closed = ClosedMax(row, metric);
  return closed ? std::optional<int64_t>(std::max(*closed, OpenWait(row, OpenWaitOf(metric)))) : std::nullopt;
}

// The open wait counts in whole quanta, as totals are stored, so that what is shown never falls when it is closed.
std::optional<int64_t> WaitSum(const Row& row, v1::Metric metric) {
  const std::optional<int64_t> closed = Stored(row, metric);
  const int64_t open = OpenWait(row, OpenWaitOf(metric));
  return closed ? std::optional<int64_t>(*closed + open - open % std::max<int64_t>(1, Describe(metric).quantum))
                : std::nullopt;
}

// Nobody can wait longer than the tick in the tick: what exceeds that was waited before it.
int64_t WaitedInTick(const Row& row, v1::Metric metric) {
  const auto elapsed = static_cast<int64_t>(row.snapshot->tick.elapsed_ns);
  int64_t threads = 1;
  if (!row.info().key.thread) threads = std::max<int64_t>(1, Stored(row, v1::TASK_THREAD_COUNT).value_or(1));
  return std::min(Delta(row, metric) + std::min(OpenWait(row, OpenWaitOf(metric)), elapsed), elapsed * threads);
}

bool LongEnough(const Row& row) {
  const Tick& tick = row.snapshot->tick;
  const bool whole_life = row.info().key.start_ns + tick.elapsed_ns >= tick.boot_ns;
  return tick.elapsed_ns > 0 && (tick.elapsed_ns >= kShortestForRateNs || whole_life);
}

int64_t Increase(const Row& row, v1::Metric metric) {
  switch (metric) {
    case v1::TASK_OFFCPU_TIME:
    case v1::TASK_IO_WAIT_TIME: return WaitedInTick(row, metric);
    default: return Delta(row, metric);
  }
}

// Circumstances of a maximum that is over; a wait still open that is longer has none yet.
std::optional<int64_t> Witness(const Row& row, v1::Metric metric, v1::Metric maximum) {
  if (row.idle() || ResolveValue(row, maximum) != Stored(row, maximum)) return std::nullopt;
  return Stored(row, metric);
}

}  // namespace

std::optional<int64_t> ResolveValue(const Row& row, v1::Metric metric) {
  switch (metric) {
    case v1::TASK_CPU_PERCENT: return CpuPercent(row);
    case v1::TASK_MEM_PERCENT: return MemPercent(row);
    case v1::TASK_SWITCH_OFFCPU_TIME_MAX:
    case v1::TASK_IO_WAIT_TIME_MAX: return LongestWait(row, metric);
    case v1::TASK_OFFCPU_TIME:
    case v1::TASK_IO_WAIT_TIME: return WaitSum(row, metric);
    case v1::TASK_PAGE_CACHE_HIT_PERCENT:
      // Holds for the tick of its lookups only; an idle task looked nothing up.
      return row.idle() ? std::nullopt : Stored(row, metric);
    default: break;
  }
  const MetricDesc& desc = Describe(metric);
  if (desc.witness_of != v1::METRIC_UNSPECIFIED) return Witness(row, metric, desc.witness_of);
  return desc.kind == v1::WINDOW_MAX ? ClosedMax(row, metric) : Stored(row, metric);
}

std::optional<double> ResolveRate(const Row& row, v1::Metric metric) {
  const MetricDesc& desc = Describe(metric);
  const uint64_t elapsed_ns = row.snapshot->tick.elapsed_ns;
  if (desc.kind != v1::COUNTER || !row.sample->valid[metric] || !LongEnough(row)) return std::nullopt;
  const double increase = static_cast<double>(Increase(row, metric)) / static_cast<double>(desc.scale);
  return increase / (static_cast<double>(elapsed_ns) / kNsPerSecond);
}

std::optional<int64_t> ResolveIncrease(const Row& row, v1::Metric metric) {
  if (Describe(metric).kind != v1::COUNTER || !row.sample->valid[metric]) return std::nullopt;
  return row.snapshot->tick.elapsed_ns == 0 ? 0 : Increase(row, metric);
}

bool IsRedacted(const Row& row, v1::Metric metric) {
  return !row.guarded_visible && Describe(metric).visibility == v1::GUARDED;
}

MetricSet WithSources(MetricSet metrics) {
  static constexpr std::pair<v1::Metric, v1::Metric> kSources[] = {
      {v1::TASK_CPU_PERCENT, v1::TASK_RUNTIME_NS},
      {v1::TASK_MEM_PERCENT, v1::TASK_PM_SIZE},
      {v1::TASK_SWITCH_OFFCPU_TIME_MAX, v1::TASK_OFFCPU_SINCE},
      {v1::TASK_IO_WAIT_TIME_MAX, v1::TASK_IOWAIT_SINCE},
      {v1::TASK_OFFCPU_TIME, v1::TASK_OFFCPU_SINCE},
      {v1::TASK_OFFCPU_TIME, v1::TASK_THREAD_COUNT},
      {v1::TASK_IO_WAIT_TIME, v1::TASK_IOWAIT_SINCE},
      {v1::TASK_IO_WAIT_TIME, v1::TASK_THREAD_COUNT},
      // The mean over several ticks is weighted by lookups.
      {v1::TASK_PAGE_CACHE_HIT_PERCENT, v1::TASK_PAGE_CACHE_LOOKUP_COUNT},
  };
  for (const MetricDesc& metric : AllMetrics()) {
    if (metrics[metric.id] && metric.witness_of != v1::METRIC_UNSPECIFIED) metrics.set(metric.witness_of);
  }
  for (const auto& [metric, source] : kSources) {
    if (metrics[metric]) metrics.set(source);
  }
  return metrics;
}

bool ChangesWhileIdle(v1::Metric metric) { return OpenWaitOf(metric) != v1::METRIC_UNSPECIFIED; }

bool MovesOn(const Row& row, v1::Metric metric) {
  const v1::Metric since = OpenWaitOf(metric);
  return since != v1::METRIC_UNSPECIFIED && OpenWait(row, since) != 0;
}

bool IsDerived(v1::Metric metric) { return metric == v1::TASK_CPU_PERCENT || metric == v1::TASK_MEM_PERCENT; }

}  // namespace taskmon::query

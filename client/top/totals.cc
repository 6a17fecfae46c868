// SPDX-License-Identifier: Apache-2.0
#include "client/top/totals.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "client/output/event_text.h"
#include "client/output/units.h"

namespace taskmon::client::top {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

// Which metrics each total adds up. Anonymous memory: what is resident twice is counted once, but for what forks share.
const std::vector<v1::Metric>& Parts(size_t total) {
  static const std::vector<v1::Metric> kParts[kTotals] = {{v1::TASK_CPU_PERCENT},
                                                          {v1::TASK_RSS_ANON_SIZE},
                                                          {v1::TASK_READ_BYTES, v1::TASK_WRITE_BYTES},
                                                          {v1::TASK_NET_TX_BYTES, v1::TASK_NET_RX_BYTES},
                                                          {v1::TASK_RUNQ_WAIT_TIME},
                                                          {v1::TASK_FORK_COUNT}};
  return kParts[total];
}

}  // namespace

const std::vector<v1::Metric>& TotalsMetrics() {
  static const std::vector<v1::Metric> kMetrics = [] {
    std::vector<v1::Metric> metrics;
    for (size_t total = 0; total < kTotals; ++total) {
      metrics.insert(metrics.end(), Parts(total).begin(), Parts(total).end());
    }
    return metrics;
  }();
  return kMetrics;
}

TotalsPoint TotalsOf(const Frame& frame) {
  TotalsPoint point{.time_ns = frame.tick.time_ns(), .elapsed_ns = static_cast<int64_t>(frame.tick.elapsed_ns())};
  point.values.fill(kUnknown);
  for (size_t total = 0; total < kTotals; ++total) {
    for (const v1::Metric metric : Parts(total)) {
      const int index = frame.MetricIndex(metric);
      if (index < 0) continue;
      for (const Item& item : frame.items) {
        const Value& value = item.values[static_cast<size_t>(index)];
        point.partial[total] |= value.presence == Presence::kRedacted;
        if (!value.known()) continue;
        double& sum = point.values[total];
        sum = std::isnan(sum) ? value.number : sum + value.number;
      }
    }
  }
  return point;
}

TotalsPoint TotalsOf(const v1::Totals& totals, const v1::TotalsPoint& from) {
  TotalsPoint point{.time_ns = from.tick().time_ns(), .elapsed_ns = static_cast<int64_t>(from.tick().elapsed_ns())};
  point.values.fill(kUnknown);
  const auto listed = [](const auto& list, uint32_t metric) {
    return std::find(list.begin(), list.end(), metric) != list.end();
  };
  for (size_t total = 0; total < kTotals; ++total) {
    for (const v1::Metric metric : Parts(total)) {
      const auto at = std::find(totals.metrics().begin(), totals.metrics().end(), static_cast<uint32_t>(metric));
      const auto index = static_cast<int>(at - totals.metrics().begin());
      if (index >= from.values_size()) continue;
      point.partial[total] |= listed(from.redacted(), metric);
      if (listed(from.unavailable(), metric)) continue;
      double& sum = point.values[total];
      sum = std::isnan(sum) ? from.values(index) : sum + from.values(index);
    }
  }
  return point;
}

std::string_view TotalName(Total total) {
  constexpr std::string_view kNames[kTotals] = {"CPU", "MEM", "DISK", "NET", "RUNQ", "FORK"};
  return kNames[static_cast<size_t>(total)];
}

std::string TotalText(Total total, double value) {
  if (std::isnan(value)) return "-";
  switch (total) {
    case Total::kCpu: return fmt::format("{:.0f}%", value);
    case Total::kMemory: return HumanBytes(value);
    case Total::kDisk:
    case Total::kNet: return HumanBytes(value) + "/s";
    case Total::kRunq: return HumanDuration(value) + "/s";
    case Total::kForks: return value > 0 && value < 9.95 ? fmt::format("{:.1f}/s", value) : HumanCount(value) + "/s";
  }
  return "";
}

const std::vector<v1::EventType>& MarkTypes() {
  static const std::vector<v1::EventType> kTypes = {v1::OOM_KILL, v1::THRESHOLD, v1::GAP, v1::DEGRADATION};
  return kTypes;
}

std::optional<Mark> MarkOf(const v1::Event& event) {
  Mark mark{.begin_ns = event.time_ns(), .end_ns = event.time_ns()};
  switch (event.type()) {
    case v1::OOM_KILL: mark.kind = Mark::Kind::kOom; break;
    case v1::THRESHOLD:
      if (event.ends()) return std::nullopt;
      mark.kind = Mark::Kind::kAnomaly;
      break;
    case v1::DEGRADATION:
      if (event.ends()) return std::nullopt;
      mark.kind = Mark::Kind::kDegraded;
      break;
    case v1::GAP:
      mark.kind = Mark::Kind::kGap;
      mark.begin_ns -= static_cast<int64_t>(event.duration_ns());
      break;
    default: return std::nullopt;
  }
  mark.text = EventDetail(event, false);
  if (event.has_task()) mark.text = fmt::format("{} ({}) {}", event.task().comm(), event.task().tid(), mark.text);
  return mark;
}

}  // namespace taskmon::client::top

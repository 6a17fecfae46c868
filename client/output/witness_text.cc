// SPDX-License-Identifier: Apache-2.0
#include "client/output/witness_text.h"

#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "client/output/cell.h"
#include "client/output/units.h"
#include "proto/catalogue.h"

namespace taskmon::client {
namespace {

std::optional<int64_t> Value(const TaskRow& row, v1::Metric metric) {
  const MetricCell cell = row.Get(metric);
  return cell.presence == Presence::kPresent ? std::optional<int64_t>(cell.value) : std::nullopt;
}

// The witness metric of a maximum with that ending: "_at", "_cpu", "_by", "_device".
std::optional<int64_t> Witness(const TaskRow& row, v1::Metric maximum, std::string_view ending) {
  for (const MetricDesc& metric : AllMetrics()) {
    if (metric.witness_of == maximum && std::string_view(metric.name).ends_with(ending)) return Value(row, metric.id);
  }
  return std::nullopt;
}

std::string ClockTime(const TaskRow& row, int64_t boot_ns) {
  const std::string text = LocalTime(row.tick->time_ns() + boot_ns - static_cast<int64_t>(row.tick->boot_ns()), true);
  return text.substr(text.find(' ') + 1);
}

std::string Because(const TaskRow& row, v1::Metric maximum) {
  if (const auto device = Witness(row, maximum, "_device")) {
    return fmt::format(", device {}:{}", *device >> 20, *device & 0xfffff);
  }
  const auto tid = Witness(row, maximum, "_by");
  if (!tid) return "";
  if (maximum == v1::TASK_RUNQ_WAIT_TIME_MAX) return *tid == 0 ? "" : fmt::format(", behind {}", *tid);
  return *tid == 0 ? ", asleep" : fmt::format(", preempted by {}", *tid);
}

}  // namespace

std::vector<std::string> WitnessLines(const TaskRow& row) {
  std::vector<std::string> lines;
  for (const MetricDesc& maximum : AllMetrics()) {
    if (maximum.kind != v1::WINDOW_MAX) continue;
    const auto length = Value(row, maximum.id);
    const auto at = Witness(row, maximum.id, "_at");
    const auto cpu = Witness(row, maximum.id, "_cpu");
    if (!length || !at || !cpu) continue;
    lines.push_back(fmt::format("{:<12} {:>10}  until {} on CPU {}{}", maximum.short_name,
                                HumanDuration(static_cast<double>(*length)), ClockTime(row, *at), *cpu,
                                Because(row, maximum.id)));
  }
  return lines;
}

}  // namespace taskmon::client

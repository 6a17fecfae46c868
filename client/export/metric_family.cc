// SPDX-License-Identifier: Apache-2.0
#include "client/export/metric_family.h"

namespace taskmon::client {
namespace {

constexpr double kJiffiesPerSecond = 100;
constexpr double kNsPerSecond = 1e9;

// The unit, or the word for a number, comes at the end and in another form.
std::string Stem(const MetricDesc& metric) {
  for (const std::string_view end : {"_jiffies", "_ns", "_bytes", "_count"}) {
    if (metric.name.size() > end.size() && metric.name.ends_with(end)) {
      return metric.name.substr(0, metric.name.size() - end.size());
    }
  }
  return metric.name;
}

std::string BaseUnit(v1::Unit unit) {
  switch (unit) {
    case v1::NANOSECONDS:
    case v1::JIFFIES: return "seconds";
    case v1::BYTES: return "bytes";
    default: return "";
  }
}

}  // namespace

bool IsExported(const MetricDesc& metric) {
  if (metric.witness_of != v1::METRIC_UNSPECIFIED) return false;
  if (metric.kind == v1::COUNTER || metric.kind == v1::WINDOW_MAX) return true;
  const bool adds_up = metric.unit == v1::BYTES || metric.unit == v1::COUNT;
  return adds_up && metric.id != v1::TASK_FD_LIMIT && metric.id != v1::TASK_PEAK_PM_SIZE;
}

MetricFamily FamilyOf(const MetricDesc& metric) {
  MetricFamily family{.name = "taskmon_" + Stem(metric),
                      .type = metric.kind == v1::COUNTER ? MetricFamily::Type::kCounter : MetricFamily::Type::kGauge,
                      .unit = BaseUnit(metric.unit),
                      .help = metric.help};
  // A number of things is named by the things: task_fd_count is taskmon_task_fds.
  if (metric.kind == v1::GAUGE && metric.unit == v1::COUNT) family.name += 's';
  if (!family.unit.empty()) family.name += "_" + family.unit;
  if (metric.kind == v1::WINDOW_MAX) family.help += " The largest of the last minute or two.";
  return family;
}

double ExportedValue(const MetricDesc& metric, int64_t value) {
  const double in_unit = static_cast<double>(value) / static_cast<double>(metric.scale);
  switch (metric.unit) {
    case v1::NANOSECONDS: return in_unit / kNsPerSecond;
    case v1::JIFFIES: return in_unit / kJiffiesPerSecond;
    default: return in_unit;
  }
}

}  // namespace taskmon::client

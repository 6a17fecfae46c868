// SPDX-License-Identifier: Apache-2.0
#include "client/top/column.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "client/output/cell.h"
#include "client/output/units.h"
#include "client/suggest.h"

namespace taskmon::client::top {
namespace {

constexpr double kGiB = 1024.0 * 1024 * 1024;
constexpr double kDecades = 4;  // of a logarithmic meter

// What the header graphs and the rows of ended tasks are made from.
constexpr v1::Metric kAlways[] = {
    v1::TASK_STATE,      v1::TASK_CPU_PERCENT, v1::TASK_MEM_PERCENT,  v1::TASK_PM_SIZE,      v1::TASK_RSS_ANON_SIZE,
    v1::TASK_READ_BYTES, v1::TASK_WRITE_BYTES, v1::TASK_NET_TX_BYTES, v1::TASK_NET_RX_BYTES, v1::TASK_RUNQ_WAIT_TIME,
    v1::TASK_FORK_COUNT, v1::TASK_RUNTIME_NS,  v1::TASK_THREAD_COUNT};

Column AttributeColumn(const char* name, Attribute attribute, int width, int narrowest = 0) {
  return {.name = name,
          .header = FieldHeader({.attribute = attribute}),
          .attribute = attribute,
          .metrics = {},
          .width = width,
          .narrowest = narrowest};
}

Column MetricColumn(const char* name, const char* header, std::vector<v1::Metric> metrics, int width, double meter_top,
                    int narrowest = 0) {
  return {.name = name,
          .header = header,
          .metrics = std::move(metrics),
          .width = width,
          .meter = meter_top > 0,
          .meter_top = meter_top,
          .narrowest = narrowest};
}

double MeterTop(const MetricDesc& metric) {
  switch (metric.unit) {
    case v1::PERCENT: return 100;
    case v1::BYTES: return metric.kind == v1::COUNTER ? kGiB / 8 : 4 * kGiB;
    case v1::NANOSECONDS: return 1e9;
    case v1::JIFFIES: return 100;
    default: return metric.kind == v1::COUNTER ? 1e4 : 0;
  }
}

std::string Upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

// As the printers of tables take it. Attributes are of the task alone.
TaskRow RowOf(const Item& item) {
  static const v1::Tick kTick;
  static const v1::Sample kSample;
  return {.info = item.info.get(), .tick = &kTick, .sample = &kSample, .cells = {}};
}

}  // namespace

std::vector<Column> DefaultColumns() {
  return {AttributeColumn("tid", Attribute::kTid, 7),
          AttributeColumn("user", Attribute::kUser, 8),
          AttributeColumn("state", Attribute::kState, 1),
          MetricColumn("cpu", "CPU%", {v1::TASK_CPU_PERCENT}, 5, 100),
          MetricColumn("mem", "MEM%", {v1::TASK_MEM_PERCENT}, 5, 100, 110),
          MetricColumn("rss", "RSS", {v1::TASK_PM_SIZE}, 5, 4 * kGiB),
          MetricColumn("threads", "THR", {v1::TASK_THREAD_COUNT}, 4, 0, 100),
          MetricColumn("disk", "DISK/s", {v1::TASK_READ_BYTES, v1::TASK_WRITE_BYTES}, 6, kGiB / 8),
          MetricColumn("net", "NET/s", {v1::TASK_NET_TX_BYTES, v1::TASK_NET_RX_BYTES}, 6, kGiB / 8),
          MetricColumn("runq", "RUNQ/s", {v1::TASK_RUNQ_WAIT_TIME}, 6, 1e9, 120),
          MetricColumn("runq_max", "RUNQ^", {v1::TASK_RUNQ_WAIT_TIME_MAX}, 6, 1e8, 90),
          MetricColumn("offcpu_max", "OFFCPU^", {v1::TASK_SWITCH_OFFCPU_TIME_MAX}, 7, 0, 100),
          AttributeColumn("unit", Attribute::kUnit, 20, 150),
          AttributeColumn("command", Attribute::kCommand, 0)};
}

absl::StatusOr<Column> ColumnFor(const std::string& name) {
  for (const Column& column : DefaultColumns()) {
    if (column.name == name) return column;
  }
  const absl::StatusOr<Field> field = ParseField(name);
  if (!field.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("no field '{}'{}", name, SuggestOr(name, ColumnNames(), "Tab lists them")));
  }
  if (field->attribute != Attribute::kNone) return AttributeColumn(name.c_str(), field->attribute, 12);
  const MetricDesc& metric = *field->metric;
  const std::string header = Upper(metric.short_name) + (metric.kind == v1::COUNTER ? "/s" : "");
  Column column = MetricColumn(metric.short_name.c_str(), header.c_str(), {metric.id}, 6, MeterTop(metric));
  column.width = std::max(column.width, static_cast<int>(header.size()));
  return column;
}

std::vector<std::string> ColumnNames() {
  std::vector<std::string> names;
  for (const Column& column : DefaultColumns()) names.push_back(column.name);
  for (const Field& field : AllFields(false)) {
    names.emplace_back(field.metric != nullptr ? std::string_view(field.metric->short_name) : FieldKey(field));
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::vector<v1::Metric> MetricsFor(const std::vector<Column>& columns) {
  std::set<v1::Metric> metrics(std::begin(kAlways), std::end(kAlways));
  for (const Column& column : columns) metrics.insert(column.metrics.begin(), column.metrics.end());
  return {metrics.begin(), metrics.end()};
}

// Of a sum whose parts are not all known, what is known; nothing known is as unknown as its first part.
Value ValueOf(const Column& column, const Frame& frame, const std::vector<Value>& values) {
  Value sum;
  for (const v1::Metric metric : column.metrics) {
    const Value part = frame.Get(values, metric);
    if (!part.known()) {
      if (!sum.known()) sum.presence = part.presence;
      continue;
    }
    sum = {.presence = Presence::kPresent,
           .number = (sum.known() ? sum.number : 0) + part.number,
           .stale = sum.stale || part.stale};
  }
  return sum;
}

std::string ValueText(const MetricDesc& metric, const Value& value) {
  if (value.presence == Presence::kRedacted) return "*";
  if (!value.known()) return "-";
  const std::string mark = value.stale ? "~" : "";
  if (metric.unit == v1::LETTER) return std::string(1, static_cast<char>(value.number));
  if (metric.unit == v1::COUNT && metric.kind == v1::COUNTER && value.number > 0 && value.number < 9.95) {
    return mark + fmt::format("{:.1f}", value.number);
  }
  return mark + HumanValue(metric, std::llround(value.number * static_cast<double>(metric.scale)));
}

std::string TextOf(const Column& column, const Value& value) {
  if (!column.is_metric()) return "";
  return ValueText(Describe(column.metrics.front()), value);
}

std::string TextOf(const Column& column, const Item& item) {
  if (column.attribute == Attribute::kCommand) return CommandText(*item.info);
  Marks marks;
  return CellText({.attribute = column.attribute}, RowOf(item), false, &marks);
}

double ShareOf(const Column& column, const Value& value) {
  if (!value.known() || value.number <= 0 || column.meter_top <= 0) return 0;
  const double share = value.number / column.meter_top;
  if (Describe(column.metrics.front()).unit == v1::PERCENT) return share < 0.02 ? 0 : std::min(1.0, share);
  return std::clamp(1 + std::log10(share) / kDecades, 0.0, 1.0);
}

}  // namespace taskmon::client::top

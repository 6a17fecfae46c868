// SPDX-License-Identifier: Apache-2.0
#include "client/output/metrics_text.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "client/output/doctor_text.h"
#include "client/output/escape.h"
#include "client/output/json_object.h"
#include "client/output/records.h"
#include "client/output/table.h"
#include "client/output/units.h"
#include "client/output/wrap.h"
#include "daemon/query/row.h"

namespace taskmon::client {
namespace {

// Narrower than this, a table with cut help texts helps nobody; `metrics NAME` explains.
constexpr size_t kRoomForHelp = 120;

std::string HealthOf(const MetricDesc& metric, const MetricHealthMap& health) {
  const auto found = health.find(metric.id);
  return found == health.end() ? "" : std::string(HealthName(found->second.health()));
}

std::string ReasonOf(const MetricDesc& metric, const MetricHealthMap& health) {
  const auto found = health.find(metric.id);
  return found == health.end() ? "" : found->second.reason();
}

// What of the metric is in the history.
std::string Kept(const MetricDesc& metric) {
  const std::string step = metric.quantum > 1 ? "to " + HumanDuration(static_cast<double>(metric.quantum)) : "";
  if (metric.kept_from > 0) {
    const bool all_that_name = metric.witness_of == v1::TASK_SWITCH_OFFCPU_TIME_MAX;
    return fmt::format("of maxima from {}{}{}", HumanDuration(static_cast<double>(metric.kept_from)),
                       all_that_name ? ", and of all that name who took the CPU" : "", step.empty() ? "" : "; " + step);
  }
  if (step.empty()) return "exactly";
  return step + (metric.kind == v1::COUNTER ? ", whatever the time between; exactly when the task ends" : "");
}

void MetricKeys(const MetricDesc& metric, const MetricHealthMap& health, JsonObject* object) {
  object->String("name", metric.name);
  object->String("short", metric.short_name);
  object->String("unit", UnitName(metric.unit));
  object->String("kind", KindName(metric.kind));
  object->String("group", GroupName(metric.group));
  object->String("visibility", VisibilityName(metric.visibility));
  object->String("source", metric.source);
  object->String("hook", metric.hook);
  object->String("stored", query::IsDerived(metric.id) ? "no" : Kept(metric));
  object->String("help", metric.help);
  object->When(!health.empty(), [&] {
    object->String("availability", HealthOf(metric, health));
    object->String("reason", ReasonOf(metric, health));
  });
}

std::string MetricCsv(const MetricDesc& metric) {
  return fmt::format("{},{},{},{},{},{},{},{},{}\n", metric.name, metric.short_name, UnitName(metric.unit),
                     KindName(metric.kind), GroupName(metric.group), VisibilityName(metric.visibility),
                     CsvField(metric.source), CsvField(metric.hook), CsvField(metric.help));
}

std::string KindText(v1::Kind kind) {
  switch (kind) {
    case v1::COUNTER: return "counter: grows over the life of a task; in expressions its rate per second";
    case v1::WINDOW_MAX: return "window maximum: the largest value inside one tick";
    default: return "gauge: the value at the tick";
  }
}

}  // namespace

void PrintMetricsTable(const MetricList& metrics, const MetricHealthMap& health, const Options& options,
                       const Terminal& terminal, Output* out) {
  const size_t width = options.format == Format::kWide ? 0 : terminal.width;
  const bool roomy = width == 0 || width >= kRoomForHelp;
  const bool with_health = roomy && !health.empty();
  std::vector<Column> columns = {{.header = "NAME"}, {.header = "SHORT"}, {.header = "UNIT"},
                                 {.header = "KIND"}, {.header = "GROUP"}, {.header = "SEEN BY"}};
  if (with_health) columns.push_back({.header = "HERE"});
  if (roomy) columns.push_back({.header = "HELP"});
  Table table(columns, {.width = width, .header = options.header, .bold_header = terminal.color}, out);
  for (const MetricDesc* metric : metrics) {
    std::vector<std::string> cells = {metric->name,
                                      metric->short_name,
                                      std::string(UnitName(metric->unit)),
                                      std::string(KindName(metric->kind)),
                                      std::string(GroupName(metric->group)),
                                      std::string(VisibilityName(metric->visibility))};
    if (with_health) cells.push_back(HealthOf(*metric, health));
    if (roomy) cells.push_back(metric->help);
    table.Add(std::move(cells));
  }
  table.Flush();
}

void PrintMetricsRecords(const MetricList& metrics, const MetricHealthMap& health, const Options& options,
                         Output* out) {
  if (options.format == Format::kCsv) {
    if (options.header) out->Write("name,short,unit,kind,group,visibility,source,hook,help\n");
    for (const MetricDesc* metric : metrics) out->Write(MetricCsv(*metric));
    return;
  }
  JsonRecords records(options.format == Format::kJsonl, out);
  const auto keys = [&](const MetricDesc& metric, JsonObject* object) { MetricKeys(metric, health, object); };
  for (const MetricDesc* metric : metrics) records.Add(JsonObject::Text(*metric, keys));
  records.Finish(true);
}

std::string MetricSchema() {
  const auto keys = [](const MetricDesc& metric, JsonObject* object) { MetricKeys(metric, {}, object); };
  return JsonObject::Described(keys, AllMetrics().front());
}

std::string ExplainMetric(const MetricDesc& metric, const MetricHealthMap& health, size_t width) {
  std::string text =
      fmt::format("{}  (short: {})\n  {}\n", metric.name, metric.short_name, Wrapped(metric.help, 2, width));
  const auto line = [&](const char* label, std::string_view value) {
    if (!value.empty()) text += fmt::format("  {:<11}{}\n", label, Wrapped(value, 13, width));
  };
  line("unit", UnitName(metric.unit));
  line("kind", KindText(metric.kind));
  line("group", fmt::format("@{}", GroupName(metric.group)));
  line("seen by", metric.visibility == v1::GUARDED ? "the owner of the task, group taskmon and root" : "everyone");
  line("source", metric.source);
  line("stored", query::IsDerived(metric.id) ? "no: computed when read" : Kept(metric));
  line("hook", metric.hook.empty() ? "none needed" : metric.hook);
  line("here", HealthOf(metric, health));
  line("", TerminalSafe(ReasonOf(metric, health)));
  return text;
}

std::string MetricsMarkdown(const MetricList& metrics) {
  std::string text =
      "# Metrics\n\nMade by `taskmonctl metrics -o markdown` from the catalogue, proto/taskmon/v1/metric.proto.\n"
      "Counters grow over the life of a task, window maxima are the largest value inside one tick, and a\n"
      "metric that is not available is never shown as 0. Guarded metrics are seen by the owner of the task,\n"
      "group taskmon and root.\n";
  for (int i = 1; i <= v1::Group_MAX; ++i) {
    const auto group = static_cast<v1::Group>(i);
    const auto in_group = [&](const MetricDesc* metric) { return metric->group == group; };
    if (std::none_of(metrics.begin(), metrics.end(), in_group)) continue;
    text += fmt::format(
        "\n## {}\n\n| name | short | unit | kind | visibility | source | stored | meaning "
        "|\n|---|---|---|---|---|---|---|---|\n",
        GroupName(group));
    for (const MetricDesc* metric : metrics) {
      if (!in_group(metric)) continue;
      text += fmt::format("| `{}` | `{}` | {} | {} | {} | {} | {} | {} |\n", metric->name, metric->short_name,
                          UnitName(metric->unit), KindName(metric->kind), VisibilityName(metric->visibility),
                          metric->source, query::IsDerived(metric->id) ? "no" : Kept(*metric), metric->help);
    }
  }
  return text;
}

}  // namespace taskmon::client

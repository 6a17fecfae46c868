// SPDX-License-Identifier: Apache-2.0
#include "client/output/event_text.h"

#include <csignal>
#include <cstring>

#include <fmt/format.h>

#include "client/output/cell.h"
#include "client/output/escape.h"
#include "client/output/number.h"
#include "client/output/units.h"

namespace taskmon::client {
namespace {

struct TypeName {
  v1::EventType type;
  std::string_view name;
};

constexpr TypeName kTypes[] = {{v1::FORK, "fork"},    {v1::EXEC, "exec"},           {v1::EXIT, "exit"},
                               {v1::OOM_KILL, "oom"}, {v1::THRESHOLD, "threshold"}, {v1::RULE, "rule"},
                               {v1::GAP, "gap"},      {v1::RENAME, "rename"},       {v1::DEGRADATION, "degraded"}};

std::string Duration(uint64_t ns, bool raw) {
  return raw ? std::to_string(ns) : HumanDuration(static_cast<double>(ns));
}

void AppendMetric(const char* label, v1::Metric metric, const MetricCells& cells, bool raw, std::string* text) {
  const MetricCell cell = cells.Get(metric);
  if (cell.presence != Presence::kPresent) return;
  const MetricDesc& desc = Describe(metric);
  *text += fmt::format(", {} {}", label, raw ? PlainNumber(desc, cell.value) : HumanValue(desc, cell.value));
}

std::string ExitDetail(const v1::Event& event, bool raw) {
  std::string text = !event.detail().empty()    ? event.detail()
                     : event.exit_signal() != 0 ? "killed by " + SignalName(event.exit_signal())
                                                : fmt::format("exit {}", event.exit_code());
  if (event.core_dumped()) text += " (core dumped)";
  text += ", lived " + Duration(event.duration_ns(), raw);
  const MetricIndex index(event.metrics());
  const MetricCells cells(&index, &event.values(), event.unavailable(), event.redacted());
  AppendMetric("cpu", v1::TASK_RUNTIME_NS, cells, raw, &text);
  AppendMetric("rss peak", v1::TASK_PEAK_PM_SIZE, cells, raw, &text);
  return text;
}

std::string GapDetail(const v1::Event& event, bool raw) {
  std::string text = event.detail().empty() ? "no record" : event.detail();
  if (event.duration_ns() != 0) text += " for " + Duration(event.duration_ns(), raw);
  if (event.lost() != 0) text += fmt::format(", {} records lost", event.lost());
  return text;
}

std::string ThresholdDetail(const v1::Event& event, bool raw) {
  const char* const crossed = event.ends() ? "back within" : "beyond";
  if (!IsMetric(event.metric())) return fmt::format("{}: {}", event.rule(), event.ends() ? "ends" : "begins");
  const MetricDesc& metric = Describe(static_cast<v1::Metric>(event.metric()));
  if (event.value_redacted()) return fmt::format("{}: {} {}", event.rule(), metric.short_name, crossed);
  const auto text = [&](double value) {
    return raw ? fmt::format("{:.10g}", value) : HumanReading(metric, value, metric.kind == v1::COUNTER);
  };
  return fmt::format("{}: {} {} {} {}", event.rule(), metric.short_name, text(event.value()), crossed,
                     text(event.baseline()));
}

// An edit has no task: its detail tells it all.
std::string RuleDetail(const v1::Event& event, bool raw) {
  if (!event.has_task()) return event.detail();
  const std::string text = fmt::format("{} {}", event.ends() ? "left" : "came under", event.rule());
  if (event.detail().empty()) return text;
  return text + ": " + (raw ? event.detail() : HumanDetail(event.detail()));
}

std::string ForkDetail(const v1::Event& event) {
  return fmt::format("{} of {}", event.task().thread() ? "thread" : "child",
                     event.task().thread() ? event.task().tgid() : event.task().ppid());
}

}  // namespace

std::string_view EventTypeName(v1::EventType type) {
  for (const TypeName& known : kTypes) {
    if (known.type == type) return known.name;
  }
  return "unknown";
}

std::optional<v1::EventType> FindEventType(std::string_view name) {
  for (const TypeName& known : kTypes) {
    if (known.name == name) return known.type;
  }
  return std::nullopt;
}

const std::vector<std::string>& EventTypeNames() {
  static const auto* const names = [] {
    auto* list = new std::vector<std::string>;
    for (const TypeName& known : kTypes) list->emplace_back(known.name);
    return list;
  }();
  return *names;
}

std::string SignalName(int signal) {
  const char* name = sigabbrev_np(signal);
  if (name != nullptr) return std::string("SIG") + name;
  return fmt::format("signal {}", signal);
}

std::string HumanDetail(const std::string& detail) {
  for (const std::string_view crossed : {"beyond", "back within"}) {
    const size_t name_end = detail.find(' ');
    const size_t comma = detail.find(fmt::format(", {} ", crossed));
    if (name_end == std::string::npos || comma == std::string::npos || comma < name_end) continue;
    const MetricDesc* metric = FindMetric(detail.substr(0, name_end));
    const std::optional<double> value = ParseReading(detail.substr(name_end + 1, comma - name_end - 1));
    const std::optional<double> limit = ParseReading(detail.substr(comma + crossed.size() + 3));
    if (metric == nullptr || !value || !limit) continue;
    const bool rate = metric->kind == v1::COUNTER;
    return fmt::format("{} {} {} {}", metric->short_name, HumanReading(*metric, *value, rate), crossed,
                       HumanReading(*metric, *limit, rate));
  }
  return detail;
}

std::string EventDetail(const v1::Event& event, bool raw) {
  switch (event.type()) {
    case v1::FORK: return ForkDetail(event);
    case v1::EXEC: return TerminalSafe(CommandText(event.task()));
    case v1::EXIT: return TerminalSafe(ExitDetail(event, raw));
    case v1::OOM_KILL: return TerminalSafe(event.detail().empty() ? "chosen by the OOM killer" : event.detail());
    case v1::GAP: return TerminalSafe(GapDetail(event, raw));
    case v1::THRESHOLD: return TerminalSafe(ThresholdDetail(event, raw));
    case v1::RULE: return TerminalSafe(RuleDetail(event, raw));
    case v1::RENAME: return event.detail().empty() ? "renamed" : "was " + TerminalSafe(event.detail());
    default: return TerminalSafe(event.detail());
  }
}

}  // namespace taskmon::client

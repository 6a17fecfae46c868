// SPDX-License-Identifier: Apache-2.0
#include "client/output/rule_answer_text.h"

#include <optional>
#include <vector>

#include <fmt/format.h>

#include "client/output/cell.h"
#include "client/output/escape.h"
#include "client/output/event_text.h"
#include "client/output/json_object.h"
#include "client/output/number.h"
#include "client/output/rule_text.h"
#include "client/output/table.h"
#include "client/output/units.h"
#include "client/output/wrap.h"
#include "daemon/query/time_spec.h"
#include "proto/catalogue.h"

namespace taskmon::client {
namespace {

TableStyle StyleOf(const Terminal& terminal) { return {.width = terminal.width, .bold_header = terminal.color}; }

std::string Time(int64_t time_ns) { return LocalTime(time_ns, /*fraction=*/true); }

// "tracked by rule web", "baseline: no rule matches"
std::string OutcomeText(const v1::Decision& decision) {
  const std::string name(OutcomeName(decision.outcome()));
  if (!decision.rule().empty()) return fmt::format("{} by rule {}", name, TerminalSafe(decision.rule()));
  return decision.outcome() == v1::BASELINE ? name + ": no rule matches" : name;
}

std::string OccasionText(const v1::Decision& decision) {
  std::string text = TerminalSafe(decision.occasion());
  if (!decision.detail().empty()) text += ": " + TerminalSafe(HumanDetail(decision.detail()));
  return text;
}

std::string ValueText(const v1::PartVerdict& part) {
  const std::optional<double> number = ParseReading(part.value());
  if (!IsMetric(part.metric()) || !number) return part.value();
  const MetricDesc& metric = Describe(static_cast<v1::Metric>(part.metric()));
  const bool plain = metric.unit == v1::BOOLEAN || metric.unit == v1::LETTER;
  return plain ? part.value() : HumanReading(metric, *number, part.rate());
}

std::string PartText(const v1::PartVerdict& part) {
  const std::string value = part.value().empty() ? "" : fmt::format(" (is {})", TerminalSafe(ValueText(part)));
  return TerminalSafe(part.text()) + value;
}

void PrintVerdicts(const v1::TaskExplanation& explanation, const Terminal& terminal, Output* out) {
  Table table({{.header = "ORDER", .align = Align::kRight},
               {.header = "RULE", .max_width = 24},
               {.header = "MATCHES"},
               {.header = "STAGE"},
               {.header = "BECAUSE"}},
              StyleOf(terminal), out);
  for (const v1::RuleVerdict& rule : explanation.rules()) {
    const std::string matches = std::string(VerdictName(rule.verdict())) + (rule.decides() ? " <-" : "");
    std::vector<std::string> head = {std::to_string(rule.order()), TerminalSafe(rule.rule()), matches};
    if (rule.parts().empty()) table.Add({head[0], head[1], head[2], "", ""});
    for (const v1::PartVerdict& part : rule.parts()) {
      table.Add({head[0], head[1], head[2], std::string(StageName(part.stage())),
                 fmt::format("{}: {}", VerdictName(part.verdict()), PartText(part))});
      head = {"", "", ""};
    }
  }
  if (explanation.rules_size() > 0) table.Flush();
  if (explanation.rules_not_shown() > 0) {
    out->Write(fmt::format("… and {} rules that do not match\n", Thousands(explanation.rules_not_shown())));
  }
}

void PrintEarlier(const v1::TaskExplanation& explanation, const Terminal& terminal, Output* out) {
  if (explanation.before().empty()) return;
  out->Write("\nBefore:\n");
  Table table({{.header = TimeHeader("TIME")}, {.header = "OUTCOME"}, {.header = "AT"}}, StyleOf(terminal), out);
  for (const v1::Decision& decision : explanation.before()) {
    table.Add({ColumnTime(decision.time_ns(), /*fraction=*/true), OutcomeText(decision), OccasionText(decision)});
  }
  table.Flush();
  if (explanation.forgotten() > 0) {
    out->Write(fmt::format("… and {} earlier ones that are not kept\n", Thousands(explanation.forgotten())));
  }
}

void DecisionKeys(const v1::Decision& decision, JsonObject* object) {
  object->Times("time", decision.time_ns());
  object->String("occasion", decision.occasion());
  object->String("outcome", OutcomeName(decision.outcome()));
  object->StringOrNull("rule", decision.rule());
  object->String("detail", decision.detail());
}

void StageKey(v1::Stage stage, JsonObject* object) {
  object->StringOrNull("stage", stage == v1::STAGE_UNSPECIFIED ? "" : StageName(stage));
}

void PartKeys(const v1::PartVerdict& part, JsonObject* object) {
  object->String("text", part.text());
  object->String("matches", VerdictName(part.verdict()));
  object->StringOrNull("value", part.value());
  StageKey(part.stage(), object);
}

void VerdictKeys(const v1::RuleVerdict& rule, JsonObject* object) {
  object->String("rule", rule.rule());
  object->Number("order", rule.order());
  object->String("matches", VerdictName(rule.verdict()));
  object->Bool("decides", rule.decides());
  object->Array("parts", rule.parts(), PartKeys);
}

void TaskKeys(const v1::TaskInfo& task, JsonObject* object) {
  object->Number("tid", task.tid());
  object->Number("tgid", task.tgid());
  object->String("comm", task.comm());
  object->When(!task.cmdline_redacted(), [&] { object->String("cmdline", task.cmdline()); });
  object->String("user", task.user());
}

void ExpressionPartKeys(const v1::ExpressionPart& part, JsonObject* object) {
  object->String("text", part.text());
  StageKey(part.stage(), object);
  object->String("how", part.how());
}

void TriedTaskKeys(const v1::TriedTask& tried, JsonObject* object) {
  TaskKeys(tried.task(), object);
  object->Number("ticks", tried.ticks());
  object->Times("first", tried.first_time_ns());
  object->Times("last", tried.last_time_ns());
}

std::vector<std::string> MetricNames(const v1::RuleTrial& trial, bool short_names) {
  std::vector<std::string> names;
  for (const uint32_t metric : trial.metrics()) {
    if (!IsMetric(metric)) continue;
    const MetricDesc& desc = Describe(static_cast<v1::Metric>(metric));
    names.push_back(short_names ? desc.short_name : desc.name);
  }
  return names;
}

void PrintExamples(const v1::RuleTrial& trial, const Terminal& terminal, Output* out) {
  if (trial.examples().empty()) return;
  out->Write("\nMatched longest:\n");
  Table table({{.header = "TID", .align = Align::kRight},
               {.header = "TICKS", .align = Align::kRight},
               {.header = "FIRST"},
               {.header = "LAST"},
               {.header = "COMMAND"}},
              StyleOf(terminal), out);
  for (const v1::TriedTask& tried : trial.examples()) {
    table.Add({std::to_string(tried.task().tid()), std::to_string(tried.ticks()),
               LocalTime(tried.first_time_ns(), false), LocalTime(tried.last_time_ns(), false),
               TerminalSafe(CommandText(tried.task()))});
  }
  table.Flush();
}

void TaskExplanationKeys(const v1::TaskExplanation& explanation, JsonObject* object) {
  TaskKeys(explanation.task(), object);
  object->Number("version", explanation.version());
  DecisionKeys(explanation.now(), object);
  object->When(explanation.hold_until_ns() != 0, [&] { object->Times("hold_until", explanation.hold_until_ns()); });
  object->Array("rules", explanation.rules(), VerdictKeys);
  object->Number("rules_not_shown", explanation.rules_not_shown());
  object->Array("before", explanation.before(), DecisionKeys);
  object->Number("forgotten", explanation.forgotten());
}

void ExpressionExplanationKeys(const v1::ExpressionExplanation& explanation, JsonObject* object) {
  object->StringOrNull("rule", explanation.rule());
  object->String("expr", explanation.expression());
  object->Array("parts", explanation.parts(), ExpressionPartKeys);
  object->StringOrNull("stage", explanation.stages().empty() ? "" : StagesText(explanation.stages()));
  object->Strings("hook_groups", explanation.hook_groups());
  object->Strings("warnings", explanation.warnings());
  object->NumberOrNull("matching_now", explanation.has_matching_now(), explanation.matching_now());
}

void TrialKeys(const v1::RuleTrial& trial, JsonObject* object) {
  object->String("expr", trial.expression());
  object->Times("begin", trial.begin_ns());
  object->Times("end", trial.end_ns());
  object->Number("ticks", trial.ticks());
  object->Number("tasks", trial.tasks());
  object->Number("tasks_seen", trial.tasks_seen());
  object->Number("rows", trial.rows());
  object->NumberOrNull("bytes_per_day", trial.has_bytes_per_day(), trial.bytes_per_day());
  object->Strings("metrics", MetricNames(trial, /*short_names=*/false));
  object->Array("examples", trial.examples(), TriedTaskKeys);
  object->Strings("remarks", trial.remarks());
}

}  // namespace

std::string_view OutcomeName(v1::Outcome outcome) {
  switch (outcome) {
    case v1::PENDING: return "pending";
    case v1::TRACKED: return "tracked";
    case v1::BASELINE: return "baseline";
    case v1::DROPPED: return "dropped";
    default: return "unknown";
  }
}

std::string_view VerdictName(v1::Verdict verdict) {
  switch (verdict) {
    case v1::YES: return "yes";
    case v1::NO: return "no";
    default: return "unknown";
  }
}

void PrintTaskExplanation(const v1::TaskExplanation& explanation, const Terminal& terminal, Output* out) {
  const v1::Decision& now = explanation.now();
  out->Write(fmt::format("Process {}  {}\n{} since {} {}\n  decided at: {}\n", explanation.task().tid(),
                         TerminalSafe(explanation.task().comm()), OutcomeText(now), Time(now.time_ns()),
                         LocalZone(now.time_ns()), OccasionText(now)));
  if (explanation.hold_until_ns() != 0) {
    out->Write(fmt::format("  matches no more; held until {}\n", Time(explanation.hold_until_ns())));
  }
  out->Write(fmt::format("\nRules of version {}, the first that matches wins:\n", explanation.version()));
  PrintVerdicts(explanation, terminal, out);
  PrintEarlier(explanation, terminal, out);
}

std::string TaskExplanationJson(const v1::TaskExplanation& explanation) {
  return JsonObject::Text(explanation, TaskExplanationKeys);
}

void PrintExpressionExplanation(const v1::ExpressionExplanation& explanation, const Terminal& terminal, Output* out) {
  if (!explanation.rule().empty()) out->Write(fmt::format("Rule {}\n", TerminalSafe(explanation.rule())));
  out->Write(TerminalSafe(explanation.expression()) + "\n\n");
  Table table({{.header = "STAGE"}, {.header = "PART"}, {.header = "HOW"}}, StyleOf(terminal), out);
  for (const v1::ExpressionPart& part : explanation.parts()) {
    table.Add({std::string(StageName(part.stage())), TerminalSafe(part.text()), TerminalSafe(part.how())});
  }
  if (explanation.parts_size() > 0) table.Flush();
  out->Write(fmt::format("\nAs a whole: {}\n", StagesText(explanation.stages())));
  if (explanation.hook_groups_size() > 0) {
    out->Write(fmt::format("Hooks:      {}\n", fmt::join(explanation.hook_groups(), ", ")));
  }
  if (explanation.has_matching_now()) {
    out->Write(fmt::format("True now:   for {} processes\n", Thousands(explanation.matching_now())));
  }
  for (const std::string& warning : explanation.warnings()) {
    out->Write(fmt::format("Warning:    {}\n", Wrapped(TerminalSafe(warning), 12, terminal.width)));
  }
}

std::string ExpressionExplanationJson(const v1::ExpressionExplanation& explanation) {
  return JsonObject::Text(explanation, ExpressionExplanationKeys);
}

void PrintRuleTrial(const v1::RuleTrial& trial, const Terminal& terminal, Output* out) {
  out->Write(fmt::format("{}\n  from {} to {} {}, {} ticks\n", TerminalSafe(trial.expression()),
                         LocalTime(trial.begin_ns(), false), LocalTime(trial.end_ns(), false),
                         LocalZone(trial.end_ns()), Thousands(trial.ticks())));
  out->Write(fmt::format("  processes  {} of {} matched\n  rows       {}\n", Thousands(trial.tasks()),
                         Thousands(trial.tasks_seen()), Thousands(trial.rows())));
  out->Write(fmt::format("  a day      {}\n",
                         trial.has_bytes_per_day() ? "about " + HumanBytes(trial.bytes_per_day()) : "- (unavailable)"));
  if (trial.metrics_size() > 0) {
    const std::vector<std::string> names = MetricNames(trial, /*short_names=*/true);
    out->Write(fmt::format("  metrics    {}\n", Wrapped(fmt::format("{}", fmt::join(names, " ")), 13, terminal.width)));
  }
  for (const std::string& remark : trial.remarks()) {
    out->Write(fmt::format("  note       {}\n", Wrapped(TerminalSafe(remark), 13, terminal.width)));
  }
  PrintExamples(trial, terminal, out);
}

std::string RuleTrialJson(const v1::RuleTrial& trial) { return JsonObject::Text(trial, TrialKeys); }

std::string TaskExplanationSchema() { return JsonObject::Described<v1::TaskExplanation>(TaskExplanationKeys); }

std::string ExpressionExplanationSchema() {
  return JsonObject::Described<v1::ExpressionExplanation>(ExpressionExplanationKeys);
}

std::string RuleTrialSchema() { return JsonObject::Described<v1::RuleTrial>(TrialKeys); }

}  // namespace taskmon::client

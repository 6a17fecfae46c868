// SPDX-License-Identifier: Apache-2.0
#include "daemon/task_explanation.h"

#include <string>

#include <fmt/format.h>

#include "daemon/metric_sources.h"
#include "daemon/query/encode.h"
#include "daemon/query/expression_node.h"
#include "daemon/rules/conjunctions.h"
#include "daemon/rules/push_down.h"

namespace taskmon::daemon {
namespace {

using Node = query::Expression::Node;

v1::Verdict EncodeTruth(query::Truth truth) {
  switch (truth) {
    case query::Truth::kTrue: return v1::YES;
    case query::Truth::kFalse: return v1::NO;
    default: return v1::UNKNOWN;
  }
}

v1::Outcome EncodeOutcome(rules::Outcome outcome) {
  switch (outcome) {
    case rules::Outcome::kPending: return v1::PENDING;
    case rules::Outcome::kTracked: return v1::TRACKED;
    case rules::Outcome::kBaseline: return v1::BASELINE;
    case rules::Outcome::kDropped: return v1::DROPPED;
  }
  return v1::OUTCOME_UNSPECIFIED;
}

// `detail`: whether the caller may know what the decision read of the task.
void EncodeDecision(const rules::Decision& decision, const Tick& tick, bool detail, v1::Decision* out) {
  out->set_time_ns(tick.wall_ns - static_cast<int64_t>(tick.boot_ns) + static_cast<int64_t>(decision.boot_ns));
  out->set_occasion(std::string(rules::OccasionText(decision.occasion)));
  out->set_outcome(EncodeOutcome(decision.outcome));
  if (decision.rule != nullptr) out->set_rule(decision.rule->rule.name);
  if (detail) out->set_detail(decision.detail.str());
}

// The first test in the node that names a field.
const query::Test* TestIn(const Node& node) {
  if (node.kind == Node::Kind::kTest || node.kind == Node::Kind::kAnomaly) return &node.test;
  return node.children.empty() ? nullptr : TestIn(*node.children.front());
}

// Empty: unknown, or not for the caller.
std::string ValueOf(const query::Row& row, const Node& node) {
  const query::Test* test = TestIn(node);
  if (test == nullptr || test->field->type == query::FieldType::kTextList) return "";
  if (test->field->is_text()) return query::MendUtf8(query::ReadText(row, *test->field).value_or(""));
  const auto number = query::ReadNumber(row, *test->field, test->counter);
  if (!number) return "";
  if (test->field->type == query::FieldType::kLetter) return std::string(1, static_cast<char>(*number));
  if (test->field->type == query::FieldType::kBoolean) return *number != 0 ? "true" : "false";
  return fmt::format("{:.10g}", *number);
}

// A condition that does not hold now has not held for any time, whether or not the rule was asked: what decides earlier
// keeps it from being asked.
void SettleHeld(const Node& node, const query::Row& row, query::Verdicts* verdicts) {
  for (const auto& child : node.children) SettleHeld(*child, row, verdicts);
  if (node.kind != Node::Kind::kHeld || verdicts->at(node.memory) != query::Truth::kUnknown) return;
  if (query::EvaluateNode(*node.children.front(), row, *verdicts) != query::Truth::kFalse) return;
  verdicts->Set(node.memory, query::Truth::kFalse);
}

void EncodeMetric(const Node& node, v1::PartVerdict* part) {
  const query::Test* test = TestIn(node);
  if (part->value().empty() || test->field->metric == nullptr) return;
  part->set_metric(test->field->metric->id);
  part->set_rate(test->field->is_counter() && test->counter == query::CounterAs::kRate);
}

// The admission remembers what the caller may not see: its answers about that are unknown to him.
void Hide(const Node& node, const query::Row& row, query::Verdicts* verdicts) {
  const bool hidden = query::AnyField(node, [&row](const query::Field& field) { return query::IsHidden(row, field); });
  if (node.memory >= 0 && hidden) verdicts->Set(node.memory, query::Truth::kUnknown);
  for (const auto& child : node.children) Hide(*child, row, verdicts);
}

void EncodeRule(const KnownOfTask::AskedRule& asked, const query::Row& row, v1::RuleVerdict* out) {
  const query::Expression& expression = asked.rule->expression;
  out->set_rule(asked.rule->rule.name);
  out->set_order(asked.rule->rule.order);
  query::Verdicts verdicts = asked.verdicts;
  if (expression.root() != nullptr) {
    Hide(*expression.root(), row, &verdicts);
    SettleHeld(*expression.root(), row, &verdicts);
  }
  out->set_verdict(EncodeTruth(expression.Evaluate(row, verdicts)));
  const auto tests = rules::ReadTests(expression);
  const auto planned = rules::PlanParts(expression, MakeHookedMetrics(), {});
  for (size_t i = 0; i < tests.size(); ++i) {
    v1::PartVerdict* part = out->add_parts();
    part->set_text(planned[i].text);
    part->set_stage(planned[i].stage);
    part->set_verdict(EncodeTruth(query::EvaluateNode(*tests[i], row, verdicts)));
    part->set_value(ValueOf(row, *tests[i]));
    EncodeMetric(*tests[i], part);
  }
}

}  // namespace

v1::TaskExplanation MakeTaskExplanation(const KnownOfTask& known, const Snapshot& newest, const query::Caller& caller) {
  v1::TaskExplanation out;
  const query::Row row = query::MakeRow(newest, *known.sample, caller);
  const rules::Standing& standing = known.standing;
  query::EncodeTaskInfo(row.info(), newest.boot_id, row.names_visible(), out.mutable_task());
  out.set_version(known.version);
  const bool detail = row.guarded_visible && row.cmdline_visible;
  EncodeDecision(standing.now, newest.tick, detail, out.mutable_now());
  for (const rules::Decision& decision : standing.before) {
    EncodeDecision(decision, newest.tick, detail, out.add_before());
  }
  out.set_forgotten(standing.forgotten);
  for (const KnownOfTask::AskedRule& asked : known.rules) {
    v1::RuleVerdict* verdict = out.add_rules();
    EncodeRule(asked, row, verdict);
    verdict->set_decides(asked.rule == standing.now.rule);
  }
  out.set_rules_not_shown(known.rules_not_asked);
  if (standing.hold_until_boot_ns != 0) {
    out.set_hold_until_ns(newest.tick.wall_ns - static_cast<int64_t>(newest.tick.boot_ns) +
                          static_cast<int64_t>(standing.hold_until_boot_ns));
  }
  return out;
}

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/rule_diff.h"

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "daemon/query/expression_node.h"
#include "daemon/rules/rule_fields.h"

namespace taskmon::rules {
namespace {

constexpr size_t kMostNamesSummed = 3;
constexpr size_t kMostWarnings = 100;

std::vector<FieldChange> FieldsOf(const Rule& rule) {
  return {{"order", "", std::to_string(rule.order)},
          {"expr", "", rule.expression},
          {"action", "", std::string(ActionText(rule.action))},
          {"groups", "", GroupsText(rule.groups)},
          {"threads", "", ThreadsText(rule.threads)},
          {"hold", "", HoldText(rule.hold_ns)},
          {"enabled", "", rule.enabled ? "true" : "false"},
          {"note", "", rule.note}};
}

std::vector<FieldChange> Differences(const Rule& before, const Rule& after) {
  std::vector<FieldChange> changes = FieldsOf(after);
  const std::vector<FieldChange> old = FieldsOf(before);
  for (size_t i = 0; i < changes.size(); ++i) changes[i].before = old[i].after;
  std::erase_if(changes, [](const FieldChange& change) { return change.before == change.after; });
  return changes;
}

std::string NamesOf(const std::vector<RuleChange>& changes, RuleChange::Kind kind) {
  std::vector<std::string_view> names;
  for (const RuleChange& change : changes) {
    if (change.kind == kind) names.push_back(change.rule->rule.name);
  }
  if (names.size() <= kMostNamesSummed) return fmt::format("{}", fmt::join(names, ", "));
  return fmt::format("{} rules", names.size());
}

// "web: expr, hold" for a single one.
std::string ChangedText(const std::vector<RuleChange>& changes) {
  const RuleChange* only = nullptr;
  for (const RuleChange& change : changes) {
    if (change.kind != RuleChange::Kind::kChanged) continue;
    if (only != nullptr) return NamesOf(changes, RuleChange::Kind::kChanged);
    only = &change;
  }
  std::vector<std::string_view> fields;
  for (const FieldChange& field : only->fields) fields.push_back(field.field);
  return fmt::format("{}: {}", only->rule->rule.name, fmt::join(fields, ", "));
}

// The fields that only a task's owner may see, as the expression names them.
std::vector<std::string> GuardedFields(const query::Expression& expression) {
  std::vector<std::string> guarded;
  if (expression.root() == nullptr) return guarded;
  query::AnyField(*expression.root(), [&guarded](const query::Field& field) {
    const bool metric = field.metric != nullptr && field.metric->visibility == v1::GUARDED;
    const bool named = std::find(guarded.begin(), guarded.end(), field.name) != guarded.end();
    if ((metric || field.attribute == query::Attribute::kExe) && !named) guarded.push_back(field.name);
    return false;
  });
  return guarded;
}

}  // namespace

bool RuleChange::Touches(std::string_view field) const {
  return std::any_of(fields.begin(), fields.end(), [&](const FieldChange& change) { return change.field == field; });
}

std::vector<RuleChange> Diff(const RuleSet& before, const RuleSet& after) {
  std::vector<RuleChange> changes;
  for (const RulePtr& rule : after.rules()) {
    const CheckedRule* old = before.Find(rule->rule.name);
    if (old == rule.get()) continue;
    if (old == nullptr) {
      changes.push_back({RuleChange::Kind::kAdded, rule, FieldsOf(rule->rule)});
    } else if (std::vector<FieldChange> fields = Differences(old->rule, rule->rule); !fields.empty()) {
      changes.push_back({RuleChange::Kind::kChanged, rule, std::move(fields)});
    }
  }
  for (const RulePtr& rule : before.rules()) {
    if (after.Find(rule->rule.name) == nullptr) changes.push_back({RuleChange::Kind::kRemoved, rule, {}});
  }
  return changes;
}

std::string Summary(const std::vector<RuleChange>& changes) {
  using Kind = RuleChange::Kind;
  const auto any = [&](Kind kind) {
    return std::any_of(changes.begin(), changes.end(), [&](const RuleChange& change) { return change.kind == kind; });
  };
  std::vector<std::string> parts;
  if (any(Kind::kAdded)) parts.push_back("added " + NamesOf(changes, Kind::kAdded));
  if (any(Kind::kChanged)) parts.push_back("changed " + ChangedText(changes));
  if (any(Kind::kRemoved)) parts.push_back("removed " + NamesOf(changes, Kind::kRemoved));
  return parts.empty() ? "no change" : fmt::format("{}", fmt::join(parts, "; "));
}

std::vector<std::string> Warnings(const RuleSet& after, const std::vector<RuleChange>& changes) {
  std::unordered_map<std::string_view, const Rule*> first_with;
  for (const RulePtr& rule : after.rules()) {
    if (rule->rule.enabled) first_with.emplace(rule->rule.expression, &rule->rule);
  }
  std::vector<std::string> warnings;
  for (const RuleChange& change : changes) {
    if (change.kind == RuleChange::Kind::kRemoved || warnings.size() >= kMostWarnings) continue;
    const Rule& rule = change.rule->rule;
    if (change.Touches("expr")) {
      for (const std::string& warning : change.rule->expression.warnings()) {
        warnings.push_back(fmt::format("rule '{}': {}", rule.name, warning));
      }
      if (const std::vector<std::string> guarded = GuardedFields(change.rule->expression); !guarded.empty()) {
        warnings.push_back(
            fmt::format("rule '{}': reads what only a task's owner may see ({}); which tasks the rule is "
                        "with is seen by everyone",
                        rule.name, fmt::join(guarded, ", ")));
      }
    }
    const auto first = first_with.find(rule.expression);
    if (!rule.enabled || first == first_with.end() || first->second->name == rule.name) continue;
    warnings.push_back(fmt::format("rule '{}': never matches: '{}' has the same expression and is asked first",
                                   rule.name, first->second->name));
  }
  return warnings;
}

}  // namespace taskmon::rules

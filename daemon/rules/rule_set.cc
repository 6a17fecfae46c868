// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/rule_set.h"

#include <algorithm>
#include <numeric>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "daemon/query/encode.h"
#include "daemon/query/nearest.h"
#include "daemon/rules/rule_fields.h"

namespace taskmon::rules {
namespace {

absl::Status InRule(std::string_view name, std::string_view field, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), fmt::format("rule '{}': {}: {}", name, field, std::string(status.message())));
}

absl::Status CheckFields(const Rule& rule) {
  if (absl::Status status = CheckName(rule.name); !status.ok()) {
    return absl::InvalidArgumentError(fmt::format("name: {}", std::string(status.message())));
  }
  if (absl::Status status = CheckOrder(rule.order); !status.ok()) return InRule(rule.name, "order", status);
  if (absl::Status status = CheckNote(rule.note); !status.ok()) return InRule(rule.name, "note", status);
  if (rule.expression.find_first_not_of(" \t\r\n") == std::string::npos) {
    return InRule(rule.name, "expr",
                  absl::InvalidArgumentError("an expression is missing; 'tid > 0' is true for every task"));
  }
  // Clients get both as protobuf strings.
  if (query::MendUtf8(rule.expression) != rule.expression || query::MendUtf8(rule.note) != rule.note) {
    return absl::InvalidArgumentError(
        fmt::format("rule '{}': not valid UTF-8; a regex can name bytes as \\xff", rule.name));
  }
  return absl::OkStatus();
}

absl::StatusOr<RulePtr> Check(Rule rule) {
  if (absl::Status status = CheckFields(rule); !status.ok()) return status;
  absl::StatusOr<query::Expression> expression = query::Expression::Parse(rule.expression, query::kRuleLimits);
  if (!expression.ok()) return InRule(rule.name, "expr", expression.status());
  return std::make_shared<const CheckedRule>(CheckedRule{std::move(rule), *std::move(expression)});
}

Rule Patched(Rule rule, const RulePatch& patch) {
  if (patch.order) rule.order = *patch.order;
  if (patch.expression) rule.expression = *patch.expression;
  if (patch.action) rule.action = *patch.action;
  if (patch.groups) rule.groups = *patch.groups;
  if (patch.threads) rule.threads = *patch.threads;
  if (patch.hold_ns) rule.hold_ns = *patch.hold_ns;
  if (patch.enabled) rule.enabled = *patch.enabled;
  if (patch.note) rule.note = *patch.note;
  return rule;
}

size_t BytesOf(const Rule& rule) { return rule.name.size() + rule.expression.size() + rule.note.size(); }

absl::Status CheckTotals(const std::vector<RulePtr>& rules, size_t* culprit) {
  if (rules.size() > RuleSet::kMaxRules) {
    *culprit = RuleSet::kMaxRules;
    return absl::InvalidArgumentError(fmt::format("rule '{}' would be rule number {}; at most {} are possible",
                                                  rules[RuleSet::kMaxRules]->rule.name, RuleSet::kMaxRules + 1,
                                                  RuleSet::kMaxRules));
  }
  size_t bytes = 0;
  for (size_t i = 0; i < rules.size(); ++i) {
    bytes += BytesOf(rules[i]->rule);
    if (bytes <= RuleSet::kMaxBytes) continue;
    *culprit = i;
    return absl::InvalidArgumentError(fmt::format("rule '{}': with it the rules take more than {} MiB together",
                                                  rules[i]->rule.name, RuleSet::kMaxBytes >> 20));
  }
  return absl::OkStatus();
}

absl::Status CheckUnique(const std::vector<RulePtr>& rules, size_t* culprit) {
  std::unordered_set<std::string_view> names;
  std::unordered_map<uint32_t, std::string_view> orders;
  for (size_t i = 0; i < rules.size(); ++i) {
    const Rule& rule = rules[i]->rule;
    *culprit = i;
    if (!names.insert(rule.name).second) {
      return absl::InvalidArgumentError(fmt::format("there is a rule '{}' already; choose another name", rule.name));
    }
    const auto [other, fresh] = orders.emplace(rule.order, rule.name);
    if (!fresh) {
      return absl::InvalidArgumentError(fmt::format("rule '{}': order {} is that of rule '{}'; choose another",
                                                    rule.name, rule.order, other->second));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RuleSet> RuleSet::Make(std::vector<Rule> rules, size_t* culprit) {
  return RuleSet().Replace(std::move(rules), culprit);
}

absl::StatusOr<RuleSet> RuleSet::Replace(std::vector<Rule> rules, size_t* culprit) const {
  size_t ignored = 0;
  if (culprit == nullptr) culprit = &ignored;
  std::vector<RulePtr> checked;
  checked.reserve(std::min(rules.size(), kMaxRules + 1));
  for (size_t i = 0; i < rules.size() && i <= kMaxRules; ++i) {
    *culprit = i;
    const auto before = by_name_.find(rules[i].name);
    if (before != by_name_.end() && rules_[before->second]->rule == rules[i]) {
      checked.push_back(rules_[before->second]);
      continue;
    }
    absl::StatusOr<RulePtr> rule = Check(std::move(rules[i]));
    if (!rule.ok()) return rule.status();
    checked.push_back(*std::move(rule));
  }
  return Assemble(std::move(checked), culprit);
}

absl::StatusOr<RuleSet> RuleSet::Assemble(std::vector<RulePtr> rules, size_t* culprit) {
  if (absl::Status status = CheckTotals(rules, culprit); !status.ok()) return status;
  if (absl::Status status = CheckUnique(rules, culprit); !status.ok()) return status;
  RuleSet set;
  set.rules_ = std::move(rules);
  std::sort(set.rules_.begin(), set.rules_.end(),
            [](const RulePtr& a, const RulePtr& b) { return a->rule.order < b->rule.order; });
  for (size_t i = 0; i < set.rules_.size(); ++i) set.by_name_.emplace(set.rules_[i]->rule.name, i);
  return set;
}

absl::StatusOr<RuleSet> RuleSet::Add(std::string_view name, const RulePatch& patch) const {
  Rule rule;
  rule.name = std::string(name);
  const uint32_t last = rules_.empty() ? 0 : rules_.back()->rule.order;
  rule.order = last + kOrderGap;
  absl::StatusOr<RulePtr> checked = Check(Patched(std::move(rule), patch));
  if (!checked.ok()) return checked.status();
  std::vector<RulePtr> rules = rules_;
  rules.push_back(*std::move(checked));
  size_t culprit = 0;
  return Assemble(std::move(rules), &culprit);
}

absl::StatusOr<size_t> RuleSet::PlaceOf(std::string_view name) const {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return NoSuchRule(name);
  return found->second;
}

absl::StatusOr<RuleSet> RuleSet::Exchange(size_t place, Rule rule) const {
  if (rules_[place]->rule == rule) return *this;
  absl::StatusOr<RulePtr> checked = Check(std::move(rule));
  if (!checked.ok()) return checked.status();
  std::vector<RulePtr> rules = rules_;
  // At the end, so that of two that clash the changed one is told to be at fault.
  rules.erase(rules.begin() + static_cast<ptrdiff_t>(place));
  rules.push_back(*std::move(checked));
  size_t culprit = 0;
  return Assemble(std::move(rules), &culprit);
}

absl::StatusOr<RuleSet> RuleSet::Set(std::string_view name, const RulePatch& patch) const {
  const absl::StatusOr<size_t> place = PlaceOf(name);
  if (!place.ok()) return place.status();
  return Exchange(*place, Patched(rules_[*place]->rule, patch));
}

absl::StatusOr<RuleSet> RuleSet::Remove(const std::vector<std::string>& names) const {
  std::vector<RulePtr> rules = rules_;
  for (const std::string& name : names) {
    const absl::StatusOr<size_t> place = PlaceOf(name);
    if (!place.ok()) return place.status();
    rules[*place] = nullptr;
  }
  std::erase(rules, nullptr);
  size_t culprit = 0;
  return Assemble(std::move(rules), &culprit);
}

absl::StatusOr<RuleSet> RuleSet::SetEnabled(const std::vector<std::string>& names, bool enabled) const {
  RuleSet set = *this;
  for (const std::string& name : names) {
    const absl::StatusOr<size_t> place = PlaceOf(name);
    if (!place.ok()) return place.status();
    const CheckedRule& before = *rules_[*place];
    if (before.rule.enabled == enabled) continue;
    CheckedRule after = before;
    after.rule.enabled = enabled;
    set.rules_[*place] = std::make_shared<const CheckedRule>(std::move(after));
  }
  set.by_name_.clear();
  for (size_t i = 0; i < set.rules_.size(); ++i) set.by_name_.emplace(set.rules_[i]->rule.name, i);
  return set;
}

const CheckedRule* RuleSet::Find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : rules_[found->second].get();
}

const CheckedRule* RuleSet::FindByOrder(uint32_t order) const {
  const auto found = std::lower_bound(rules_.begin(), rules_.end(), order,
                                      [](const RulePtr& rule, uint32_t wanted) { return rule->rule.order < wanted; });
  return found != rules_.end() && (*found)->rule.order == order ? found->get() : nullptr;
}

absl::Status RuleSet::NoSuchRule(std::string_view name) const {
  std::vector<std::string> names;
  for (const RulePtr& rule : rules_) names.push_back(rule->rule.name);
  const std::string nearest = query::DidYouMean(name, names);
  return absl::InvalidArgumentError(fmt::format("no rule '{}'{}", OneLine(name.substr(0, kMaxNameLength)),
                                                nearest.empty() ? "; `taskmonctl rule list` shows them" : nearest));
}

MetricGroups RuleSet::wanted_groups() const {
  MetricGroups groups;
  for (const RulePtr& rule : rules_) {
    if (rule->rule.enabled && rule->rule.action == Action::kTrack) groups |= rule->rule.groups;
  }
  return groups;
}

RuleSet RuleSet::WithVersion(uint64_t version) const {
  RuleSet set = *this;
  set.version_ = version;
  return set;
}

}  // namespace taskmon::rules

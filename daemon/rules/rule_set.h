// SPDX-License-Identifier: Apache-2.0
//
// All rules of one moment: checked, in order, with their expressions parsed. Immutable once made and shared by
// shared_ptr between the sampler and gRPC threads. An edit gives a new set, in which untouched rules are the same
// objects: whoever keeps something for a rule can tell by the pointer that it did not change.
//
// Invariants: at most kMaxRules rules of together at most kMaxBytes; names and orders are unique; every field is within
// its limits (rule_fields.h, query::kRuleLimits).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "daemon/query/expression.h"
#include "daemon/rules/rule.h"

namespace taskmon::rules {

struct CheckedRule {
  Rule rule;
  query::Expression expression;
};
using RulePtr = std::shared_ptr<const CheckedRule>;

class RuleSet {
 public:
  static constexpr size_t kMaxRules = 10'000;
  static constexpr size_t kMaxBytes = 4u << 20;  // of names, expressions and notes
  static constexpr uint32_t kOrderGap = 10;

  RuleSet() = default;

  // Checks and orders the rules. InvalidArgument: "rule 'web': expr: column 7: …"; `culprit`, when given, is then the
  // index of the rule at fault.
  static absl::StatusOr<RuleSet> Make(std::vector<Rule> rules_untrusted, size_t* culprit = nullptr);

  // Edits. InvalidArgument says what is wrong; for an unknown name with the nearest rule's.
  absl::StatusOr<RuleSet> Add(std::string_view name_untrusted, const RulePatch& patch_untrusted) const;
  absl::StatusOr<RuleSet> Set(std::string_view name_untrusted, const RulePatch& patch_untrusted) const;
  absl::StatusOr<RuleSet> Remove(const std::vector<std::string>& names_untrusted) const;
  absl::StatusOr<RuleSet> SetEnabled(const std::vector<std::string>& names_untrusted, bool enabled) const;
  absl::StatusOr<RuleSet> Replace(std::vector<Rule> rules_untrusted, size_t* culprit = nullptr) const;

  const std::vector<RulePtr>& rules() const { return rules_; }  // by ascending order
  size_t size() const { return rules_.size(); }
  // nullptr: there is none.
  const CheckedRule* Find(std::string_view name) const;
  const CheckedRule* FindByOrder(uint32_t order) const;
  // "no rule 'ngnix'; did you mean 'nginx'?"
  absl::Status NoSuchRule(std::string_view name_untrusted) const;
  // The metric groups of all enabled rules that track.
  MetricGroups wanted_groups() const;

  // The number under which the rule book stored this set; 0: not stored.
  uint64_t version() const { return version_; }
  RuleSet WithVersion(uint64_t version) const;

 private:
  // Orders, indexes, and checks what concerns the rules together.
  static absl::StatusOr<RuleSet> Assemble(std::vector<RulePtr> rules, size_t* culprit);
  absl::StatusOr<RuleSet> Exchange(size_t place, Rule rule) const;
  absl::StatusOr<size_t> PlaceOf(std::string_view name_untrusted) const;

  std::vector<RulePtr> rules_;
  std::unordered_map<std::string_view, size_t> by_name_;  // views into rules_, which keep them alive
  uint64_t version_ = 0;
};

}  // namespace taskmon::rules

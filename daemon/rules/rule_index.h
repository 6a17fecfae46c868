// SPDX-License-Identifier: Apache-2.0
//
// The enabled rules by what they ask of a name, so that thousands of rules about names cost what one costs: a rule that
// only processes of certain names can match is asked about those alone. Immutable once made.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/rules/rule_set.h"

namespace taskmon::rules {

// The names of which a process must have one for the expression to be true of it; nullopt: any may do.
std::optional<std::vector<std::string>> NamesNeeded(const query::Expression& expression);

class RuleIndex {
 public:
  RuleIndex() = default;
  explicit RuleIndex(const RuleSet& rules);

  const std::vector<RulePtr>& enabled() const { return enabled_; }  // in order; a rule's place is its index here

  // The places of the rules that may match a process of that name, ascending.
  std::vector<uint32_t> Candidates(std::string_view comm) const;

  // The place of the very same rule; kNoPlace: it is not among the enabled ones.
  uint32_t PlaceOf(const CheckedRule* rule) const;

  // The first rule that reads a command line, an executable or a user; kNoPlace: none does.
  uint32_t first_by_names() const { return first_by_names_; }
  // … that reads a cgroup, or what its path tells.
  uint32_t first_by_cgroup() const { return first_by_cgroup_; }
  // Whether a rule reads what changes from tick to tick.
  bool reads_metrics(uint32_t place) const { return kinds_[place].metrics; }
  // … by itself, without any news of the task: its age, and what rules say of it.
  bool reads_time(uint32_t place) const { return kinds_[place].time; }
  // Whether a rule asks who its parent is, or for numbers that fork gives.
  bool asks_kinship() const { return asks_kinship_; }

 private:
  // What the tests of a rule read.
  struct Kind {
    bool metrics = false;
    bool time = false;
    bool names = false;
    bool cgroup = false;
    bool kinship = false;
  };
  static Kind KindOf(const query::Expression& expression);

  std::vector<RulePtr> enabled_;
  std::vector<Kind> kinds_;  // by place
  std::vector<uint32_t> for_any_name_;
  std::unordered_map<std::string, std::vector<uint32_t>> by_name_;
  std::unordered_map<const CheckedRule*, uint32_t> places_;
  uint32_t first_by_names_ = UINT32_MAX;
  uint32_t first_by_cgroup_ = UINT32_MAX;
  bool asks_kinship_ = false;
};

}  // namespace taskmon::rules

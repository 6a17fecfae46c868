// SPDX-License-Identifier: Apache-2.0
//
// The push-down plan: for each part of each rule whether the kernel decides it or taskmond, and what the kernel is
// told. Pure: rules and facts in, plan out; made anew when rules change or a cgroup or user that a rule speaks of is
// met.
//
//   expression ─► disjunction of conjunctions of tests
//     one test on a key (name, owner, cgroup, flag)       ─► the key's entry names the rule
//     several tests, or "not", all for the kernel         ─► a term over numbered tests
//     with a test that only taskmond can decide           ─► the rule is taskmond's: tasks are pending until its word
//
// What the kernel's tables have no room for is left to taskmond, never dropped.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bpf/kernel_rules.h"
#include "daemon/query/expression.h"
#include "daemon/rules/kernel_test.h"
#include "daemon/rules/rule_set.h"
#include "taskmon/v1/rules.pb.h"

namespace taskmon::rules {

struct PlannedPart {
  std::string text;  // as in the expression
  v1::Stage stage = v1::STAGE_UNSPECIFIED;
  std::string how;
};

// Every test of an expression in the order of the text.
std::vector<PlannedPart> PlanParts(const query::Expression& expression, const HookedMetrics& hooked,
                                   const MachineFacts& facts);
// The stages of all parts, each once, ascending; an expression without tests is the kernel's.
std::vector<v1::Stage> StagesOf(const std::vector<PlannedPart>& parts);

struct Plan {
  bpf::KernelRules kernel;
  std::vector<bool> kernel_alone;  // by place: the kernel decides the rule without taskmond
};

// For the enabled rules; a rule's place is its index among them. `send_unwanted`: baseline "all".
Plan PushDown(const std::vector<RulePtr>& enabled, const HookedMetrics& hooked, const MachineFacts& facts,
              bool send_unwanted);

// Whether a test of an enabled rule reads cgroups, or users' names: whether learning one calls for a new plan.
struct FactsWanted {
  bool cgroups = false;
  bool users = false;
};
FactsWanted WantedFacts(const std::vector<RulePtr>& enabled);

}  // namespace taskmon::rules

// SPDX-License-Identifier: Apache-2.0
//
// Rules and rows made by hand, for tests of what decides.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "bpf/taskmon_abi.h"
#include "daemon/rules/kernel_test.h"
#include "daemon/rules/rule_set.h"

namespace taskmon::rules {

inline constexpr uint64_t kSecond = 1'000'000'000;

// "a", "comm == a"; a "-" before the name makes it a rule that drops, "!" one that is switched off.
using Named = std::pair<std::string, std::string>;

inline std::vector<Rule> Rules(const std::vector<Named>& named) {
  std::vector<Rule> rules;
  for (auto [name, expression] : named) {
    Rule rule;
    if (name.front() == '-') rule.action = Action::kDrop;
    if (name.front() == '!') rule.enabled = false;
    if (name.front() == '-' || name.front() == '!') name.erase(0, 1);
    rule.name = name;
    rule.order = static_cast<uint32_t>(10 * (rules.size() + 1));
    rule.expression = expression;
    rule.hold_ns = 10 * kSecond;
    rules.push_back(rule);
  }
  return rules;
}

inline std::shared_ptr<const RuleSet> MakeSet(const std::vector<Named>& named) {
  auto set = RuleSet::Make(Rules(named));
  EXPECT_TRUE(set.ok()) << set.status();
  return std::make_shared<const RuleSet>(set.ok() ? *std::move(set) : RuleSet());
}

inline std::vector<RulePtr> Enabled(const RuleSet& set) {
  std::vector<RulePtr> enabled;
  for (const RulePtr& rule : set.rules()) {
    if (rule->rule.enabled) enabled.push_back(rule);
  }
  return enabled;
}

inline HookedMetrics SomeHooked() {
  return {.counter = [](v1::Metric metric) -> std::optional<uint32_t> {
            if (metric == v1::TASK_FORK_COUNT) return TM_C_FORKS;
            return std::nullopt;
          },
          .maximum = [](v1::Metric metric) -> std::optional<uint32_t> {
            if (metric == v1::TASK_SWITCH_OFFCPU_TIME_MAX) return TM_M_OFFCPU_NS;
            if (metric == v1::TASK_RUNQ_WAIT_TIME_MAX) return TM_M_RUNQ_NS;
            return std::nullopt;
          },
          .grows_open = [](v1::Metric metric) { return metric == v1::TASK_SWITCH_OFFCPU_TIME_MAX; }};
}

}  // namespace taskmon::rules

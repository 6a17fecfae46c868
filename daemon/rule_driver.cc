// SPDX-License-Identifier: Apache-2.0
#include "daemon/rule_driver.h"

#include <utility>

#include <spdlog/spdlog.h>

#include "proto/catalogue.h"

namespace taskmon::daemon {

HookGroups HooksOf(const rules::CheckedRule& rule) {
  MetricSet metrics = rule.expression.metrics();
  for (const MetricDesc& metric : AllMetrics()) {
    if (rule.rule.action == rules::Action::kTrack && rule.rule.groups.test(metric.group)) metrics.set(metric.id);
  }
  return GroupsOf(metrics);
}

void RuleDriver::Update(const KnownNames& names, bpf::Probe* probe) {
  rules::RuleSetPtr set = parts_.book->Current();
  if (set != set_) TakeRules(std::move(set));
  if (probe == nullptr) return;
  if (HasNewFacts(names) || !told_) TellKernel(names, probe);
  told_ = true;
}

void RuleDriver::TakeRules(rules::RuleSetPtr set) {
  set_ = std::move(set);
  told_ = false;
  parts_.admission->SetRules(set_);
  facts_wanted_ = rules::WantedFacts(parts_.admission->enabled());
  std::vector<HookDemand::RuleWish> wishes;
  for (const rules::RulePtr& rule : parts_.admission->enabled()) {
    wishes.push_back({.rule = rule->rule.name, .groups = HooksOf(*rule)});
  }
  parts_.demand->SetRules(wishes);
}

bool RuleDriver::HasNewFacts(const KnownNames& names) {
  const bool more_cgroups = std::exchange(cgroups_version_, names.cgroups_version()) != names.cgroups_version();
  const bool more_users = std::exchange(users_version_, names.users_version()) != names.users_version();
  return (facts_wanted_.cgroups && more_cgroups) || (facts_wanted_.users && more_users);
}

void RuleDriver::TellKernel(const KnownNames& names, bpf::Probe* probe) {
  const bool needs_facts = facts_wanted_.cgroups || facts_wanted_.users;
  rules::Plan plan = rules::PushDown(parts_.admission->enabled(), MakeHookedMetrics(),
                                     needs_facts ? names.Facts() : rules::MachineFacts(), send_unwanted_);
  plan.kernel.version = ++kernel_version_;
  absl::Status status = probe->SetRules(plan.kernel);
  if (!status.ok()) {
    // Everybody is then sent up, and taskmond decides alone.
    const bpf::KernelRules nothing = {
        .version = kernel_version_, .send_unwanted = send_unwanted_, .first_user_rule = bpf::MakeRuleRef(0, false)};
    plan.kernel_alone.assign(plan.kernel_alone.size(), false);
    if (!failing_) spdlog::error("the kernel does not take the rules, taskmond decides alone: {}", status.ToString());
    status = probe->SetRules(nothing);
    failing_ = true;
  } else if (failing_) {
    spdlog::info("the kernel takes the rules again");
    failing_ = false;
  }
  if (!status.ok()) spdlog::error("old rules stay in force in the kernel: {}", status.ToString());
  parts_.admission->SetKernelAlone(std::move(plan.kernel_alone));
}

}  // namespace taskmon::daemon

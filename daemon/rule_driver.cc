// SPDX-License-Identifier: Apache-2.0
#include "daemon/rule_driver.h"

#include <utility>

#include <spdlog/spdlog.h>

#include "proto/catalogue.h"

namespace taskmon::daemon {
namespace {

constexpr uint64_t kFactsEveryNs = 10'000'000'000;

}  // namespace

HookGroups HooksOf(const rules::CheckedRule& rule) {
  MetricSet metrics = rule.expression.metrics();
  for (const MetricDesc& metric : AllMetrics()) {
    if (rule.rule.action == rules::Action::kTrack && rule.rule.groups.test(metric.group)) metrics.set(metric.id);
  }
  return GroupsOf(metrics);
}

void RuleDriver::Update(const KnownNames& names, uint64_t boot_ns, bpf::Probe* probe) {
  rules::RuleSetPtr set = parts_.book->Current();
  if (set != set_) TakeRules(std::move(set));
  if (probe == nullptr) return;
  // New facts only spare taskmond questions, so they can wait.
  const bool facts_due = HasNewFacts(names) && boot_ns - told_boot_ns_ >= kFactsEveryNs;
  if (told_ && !facts_due) return;
  TellKernel(names, probe);
  told_ = true;
  told_boot_ns_ = boot_ns;
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

bool RuleDriver::HasNewFacts(const KnownNames& names) const {
  return (facts_wanted_.cgroups && cgroups_version_ != names.cgroups_version()) ||
         (facts_wanted_.users && users_version_ != names.users_version());
}

void RuleDriver::TellKernel(const KnownNames& names, bpf::Probe* probe) {
  const bool needs_facts = facts_wanted_.cgroups || facts_wanted_.users;
  cgroups_version_ = names.cgroups_version();
  users_version_ = names.users_version();
  rules::Plan plan = rules::PushDown(parts_.admission->enabled(), MakeHookedMetrics(),
                                     needs_facts ? names.Facts() : rules::MachineFacts(), send_unwanted_);
  // To be told is to decide anew about everybody: not for a cgroup or user that no rule speaks of.
  plan.kernel.version = kernel_version_;
  if (told_ && !failing_ && plan.kernel == plan_) return;
  plan.kernel.version = ++kernel_version_;
  plan_ = std::move(plan.kernel);
  absl::Status status = probe->SetRules(plan_);
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
  parts_.admission->SetKernel(kernel_version_, std::move(plan.kernel_alone));
}

}  // namespace taskmon::daemon

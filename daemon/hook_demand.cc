// SPDX-License-Identifier: Apache-2.0
#include "daemon/hook_demand.h"

#include <fmt/format.h>

#include "bpf/abi_names.h"
#include "proto/catalogue.h"

namespace taskmon::daemon {

HookGroups GroupsOf(const MetricSet& metrics) {
  HookGroups groups;
  for (const MetricDesc& metric : AllMetrics()) {
    if (!metrics.test(metric.id) || metric.hook.empty()) continue;
    for (int group = 0; group < TM_HOOK_GROUP_MAX; ++group) {
      if (metric.hook == bpf::HookGroupName(static_cast<tm_hook_group>(group))) groups.set(group);
    }
  }
  // Hits are lookups less adds.
  if (groups.test(TM_HOOKS_PAGE_CACHE_LOOKUP)) groups.set(TM_HOOKS_PAGE_CACHE);
  return groups;
}

void HookDemand::SetRules(const std::vector<RuleWish>& wishes) {
  absl::MutexLock lock(&mutex_);
  rules_ = {};
  for (const RuleWish& wish : wishes) {
    for (int group = 0; group < TM_HOOK_GROUP_MAX; ++group) {
      if (wish.groups.test(group) && rules_[group].count++ == 0) rules_[group].first = wish.rule;
    }
  }
}

void HookDemand::SetShed(Shed shed) {
  absl::MutexLock lock(&mutex_);
  shed_ = shed;
}

bool HookDemand::IsStanding(int group) const { return configured_.test(group) || rules_[group].count > 0; }

bool HookDemand::IsShed(int group) const {
  if (group == TM_HOOKS_LIFECYCLE || shed_ == Shed::kNothing) return false;
  return shed_ == Shed::kAll || !IsStanding(group);
}

HookGroups HookDemand::Wanted(uint64_t now_ns) {
  HookGroups wanted;
  absl::MutexLock lock(&mutex_);
  for (int group = 0; group < TM_HOOK_GROUP_MAX; ++group) {
    if (watchers_[group] > 0) wanted_until_ns_[group] = now_ns + kLingerNs;
    const bool asked_for = group == TM_HOOKS_LIFECYCLE || now_ns < wanted_until_ns_[group] || IsStanding(group);
    wanted.set(group, asked_for && !IsShed(group));
  }
  return wanted;
}

std::string HookDemand::Reason(tm_hook_group group) const {
  if (group == TM_HOOKS_LIFECYCLE) return "always attached";
  absl::MutexLock lock(&mutex_);
  if (IsShed(group) && (IsStanding(group) || watchers_[group] > 0)) return "shed: taskmond is over its budget";
  if (configured_.test(group)) return "wanted by kernel.hooks";
  const RuleWishes& rules = rules_[group];
  if (rules.count == 1) return fmt::format("wanted by rule {}", rules.first);
  if (rules.count > 1) return fmt::format("wanted by rule {} and {} more", rules.first, rules.count - 1);
  if (watchers_[group] > 0)
    return fmt::format("wanted by {} watcher{}", watchers_[group], watchers_[group] == 1 ? "" : "s");
  if (wanted_until_ns_[group] != 0) return "not wanted any more";
  return "not wanted: a rule with its metric group, `taskmonctl watch -f` of its metrics, or kernel.hooks";
}

void HookDemand::Change(HookGroups groups, int by) {
  absl::MutexLock lock(&mutex_);
  for (int group = 0; group < TM_HOOK_GROUP_MAX; ++group) {
    if (groups.test(group)) watchers_[group] += by;
  }
}

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/hook_demand.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/catalogue.h"

namespace taskmon::daemon {
namespace {

using ::testing::HasSubstr;

const MetricSet kSyscallFails = MetricSet().set(v1::TASK_SYSCALL_FAILS);

TEST(HookDemand, ConfiguredGroupsAndTheLifeCycleAreAlwaysWanted) {
  HookDemand demand(HookGroups().set(TM_HOOKS_SCHED));
  EXPECT_EQ(demand.Wanted(0), HookGroups().set(TM_HOOKS_SCHED).set(TM_HOOKS_LIFECYCLE));
}

TEST(HookDemand, WatcherAttachesItsGroupWhichLingersWhenItIsGone) {
  HookDemand demand{HookGroups()};
  EXPECT_THAT(demand.Reason(TM_HOOKS_SYSCALL), HasSubstr("not wanted"));
  {
    const HookDemand::Claim claim = demand.Watch(kSyscallFails);
    EXPECT_TRUE(demand.Wanted(100).test(TM_HOOKS_SYSCALL));
    EXPECT_EQ(demand.Reason(TM_HOOKS_SYSCALL), "wanted by 1 watcher");
  }
  EXPECT_TRUE(demand.Wanted(100 + HookDemand::kLingerNs - 1).test(TM_HOOKS_SYSCALL));
  EXPECT_FALSE(demand.Wanted(100 + HookDemand::kLingerNs).test(TM_HOOKS_SYSCALL));
}

TEST(HookDemand, GroupStaysWhileOneOfTwoWatchersWatches) {
  HookDemand demand{HookGroups()};
  const HookDemand::Claim first = demand.Watch(kSyscallFails);
  { const HookDemand::Claim second = demand.Watch(kSyscallFails); }
  EXPECT_TRUE(demand.Wanted(1).test(TM_HOOKS_SYSCALL));
  EXPECT_EQ(demand.Reason(TM_HOOKS_SYSCALL), "wanted by 1 watcher");
}

TEST(HookDemand, HitPercentNeedsAddsAndLookups) {
  const HookGroups groups = GroupsOf(MetricSet().set(v1::TASK_PAGE_CACHE_HIT_PERCENT));
  EXPECT_TRUE(groups.test(TM_HOOKS_PAGE_CACHE));
  EXPECT_TRUE(groups.test(TM_HOOKS_PAGE_CACHE_LOOKUP));
}

TEST(HookDemand, EveryHookNameOfTheCatalogueIsAGroup) {
  for (const MetricDesc& metric : AllMetrics()) {
    EXPECT_EQ(GroupsOf(MetricSet().set(metric.id)).any(), !metric.hook.empty()) << metric.name;
  }
}

TEST(HookDemand, ShedsWatchersFirstThenAllButTheLifeCycle) {
  HookDemand demand(HookGroups().set(TM_HOOKS_SCHED));
  demand.SetRules({{"web", HookGroups().set(TM_HOOKS_NET)}});
  const HookDemand::Claim claim = demand.Watch(kSyscallFails);
  demand.SetShed(HookDemand::Shed::kWatched);
  EXPECT_EQ(demand.Wanted(1), HookGroups().set(TM_HOOKS_LIFECYCLE).set(TM_HOOKS_SCHED).set(TM_HOOKS_NET));
  EXPECT_EQ(demand.Reason(TM_HOOKS_SYSCALL), "shed: taskmond is over its budget");
  EXPECT_EQ(demand.Reason(TM_HOOKS_NET), "wanted by rule web");
  demand.SetShed(HookDemand::Shed::kAll);
  EXPECT_EQ(demand.Wanted(2), HookGroups().set(TM_HOOKS_LIFECYCLE));
  EXPECT_EQ(demand.Reason(TM_HOOKS_SCHED), "shed: taskmond is over its budget");
  EXPECT_EQ(demand.Reason(TM_HOOKS_LIFECYCLE), "always attached");
  EXPECT_THAT(demand.Reason(TM_HOOKS_SIGNAL), HasSubstr("not wanted")) << "nobody misses it";
  demand.SetShed(HookDemand::Shed::kNothing);
  EXPECT_TRUE(demand.Wanted(3).test(TM_HOOKS_SYSCALL));
  EXPECT_TRUE(demand.Wanted(3).test(TM_HOOKS_SCHED));
}

TEST(HookDemand, RulesAreReasonsByName) {
  HookDemand demand{HookGroups()};
  EXPECT_FALSE(demand.Wanted(0).test(TM_HOOKS_NET));
  demand.SetRules(
      {{"web", HookGroups().set(TM_HOOKS_NET)}, {"db", HookGroups().set(TM_HOOKS_NET).set(TM_HOOKS_BLOCK)}});
  EXPECT_TRUE(demand.Wanted(0).test(TM_HOOKS_NET));
  EXPECT_EQ(demand.Reason(TM_HOOKS_NET), "wanted by rule web and 1 more");
  EXPECT_EQ(demand.Reason(TM_HOOKS_BLOCK), "wanted by rule db");
  demand.SetRules({});
  EXPECT_FALSE(demand.Wanted(0).test(TM_HOOKS_BLOCK)) << "no watcher: nothing lingers";
}

}  // namespace
}  // namespace taskmon::daemon

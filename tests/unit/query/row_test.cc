// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/row.h"

#include <gtest/gtest.h>

#include "tests/unit/query/world.h"

namespace taskmon::query {
namespace {

// The only task of a world, as a row.
Row Only(const Snapshot& world) { return {.snapshot = &world, .sample = world.tasks[0].get()}; }

constexpr int64_t BootAt(uint64_t tick) { return static_cast<int64_t>(kBoot) + static_cast<int64_t>(tick) * kSecond; }

TEST(ResolveValue, UnavailableIsNotZero) {
  const Snapshot world = World(5, {TaskBuilder(1)});
  for (const MetricDesc& metric : AllMetrics())
    EXPECT_EQ(ResolveValue(Only(world), metric.id), std::nullopt) << metric.name;
}

TEST(ResolveValue, CpuPercentIsRunTimeOverElapsedTime) {
  Snapshot world = World(5, {TaskBuilder(1).Set(v1::TASK_RUNTIME_NS, 90 * kSecond, 1500 * kMs)});
  EXPECT_EQ(ResolveValue(Only(world), v1::TASK_CPU_PERCENT), 150'000);
  world.tick.elapsed_ns = 3 * kSecond;  // the tick came late: the interval does not matter
  EXPECT_EQ(ResolveValue(Only(world), v1::TASK_CPU_PERCENT), 50'000);
  world.tick.elapsed_ns = 0;  // first tick: nothing to divide by
  EXPECT_EQ(ResolveValue(Only(world), v1::TASK_CPU_PERCENT), std::nullopt);
}

TEST(ResolveValue, MemPercentNeedsTheMachinesMemory) {
  Snapshot world = World(5, {TaskBuilder(1).Set(v1::TASK_PM_SIZE, 2ll << 30)});
  EXPECT_EQ(ResolveValue(Only(world), v1::TASK_MEM_PERCENT), 25'000);
  world.memory_total_bytes = 0;
  EXPECT_EQ(ResolveValue(Only(world), v1::TASK_MEM_PERCENT), std::nullopt);
}

TEST(ResolveValue, AnIdleTaskKeepsTotalsAndGaugesButHasNoMaxima) {
  const Snapshot world = World(9, {TaskBuilder(1)
                                       .IdleSince(4)
                                       .Set(v1::TASK_RUNTIME_NS, 90 * kSecond, 700 * kMs)
                                       .Set(v1::TASK_PM_SIZE, 4096)
                                       .Set(v1::TASK_RUNQ_WAIT_TIME_MAX, 3 * kMs)
                                       .Set(v1::TASK_PAGE_CACHE_HIT_PERCENT, 50'000)});
  const Row row = Only(world);
  EXPECT_EQ(ResolveValue(row, v1::TASK_RUNTIME_NS), 90 * kSecond);
  EXPECT_EQ(ResolveValue(row, v1::TASK_PM_SIZE), 4096);
  EXPECT_EQ(ResolveValue(row, v1::TASK_CPU_PERCENT), 0);
  EXPECT_EQ(ResolveValue(row, v1::TASK_RUNQ_WAIT_TIME_MAX), 0);
  EXPECT_EQ(ResolveValue(row, v1::TASK_PAGE_CACHE_HIT_PERCENT), std::nullopt);
  EXPECT_EQ(ResolveRate(row, v1::TASK_RUNTIME_NS), 0.0);
}

TEST(ResolveValue, AWitnessIsKnownForAMaximumThatIsOver) {
  TaskBuilder task = TaskBuilder(1);
  task.Set(v1::TASK_SWITCH_OFFCPU_TIME_MAX, 30 * kMs).Set(v1::TASK_SWITCH_OFFCPU_TIME_MAX_BY, 4711);
  EXPECT_EQ(ResolveValue(Only(World(5, {task})), v1::TASK_SWITCH_OFFCPU_TIME_MAX_BY), 4711);
  task.Set(v1::TASK_OFFCPU_SINCE, BootAt(5) - 50 * kMs);  // a longer wait is open: who ends it is not known yet
  EXPECT_EQ(ResolveValue(Only(World(5, {task})), v1::TASK_SWITCH_OFFCPU_TIME_MAX_BY), std::nullopt);
  task.Set(v1::TASK_OFFCPU_SINCE, 0).IdleSince(4);
  EXPECT_EQ(ResolveValue(Only(World(5, {task})), v1::TASK_SWITCH_OFFCPU_TIME_MAX_BY), std::nullopt);
}

TEST(ResolveValue, AWaitStillOpenCountsUpToTheTick) {
  const TaskBuilder asleep = TaskBuilder(1)
                                 .IdleSince(4)
                                 .Set(v1::TASK_SWITCH_OFFCPU_TIME_MAX, 9 * kSecond)
                                 .Set(v1::TASK_OFFCPU_TIME, 20 * kSecond)
                                 .Set(v1::TASK_OFFCPU_SINCE, BootAt(4) - 500 * kMs)
                                 .Set(v1::TASK_IO_WAIT_TIME_MAX, 9 * kSecond)
                                 .Set(v1::TASK_IO_WAIT_TIME, kSecond)
                                 .Set(v1::TASK_IOWAIT_SINCE, 0);
  const Snapshot world = World(9, {asleep});
  const Row row = Only(world);
  EXPECT_EQ(ResolveValue(row, v1::TASK_SWITCH_OFFCPU_TIME_MAX), 5500 * kMs) << "the closed maximum is over";
  EXPECT_EQ(ResolveValue(row, v1::TASK_OFFCPU_TIME), 25'500 * kMs);
  EXPECT_EQ(ResolveValue(row, v1::TASK_IO_WAIT_TIME_MAX), 0);
  EXPECT_EQ(ResolveValue(row, v1::TASK_IO_WAIT_TIME), kSecond);
}

TEST(ResolveValue, TheLargerOfClosedAndOpenWaitIsTheMaximum) {
  TaskBuilder task =
      TaskBuilder(1).Set(v1::TASK_IO_WAIT_TIME_MAX, 300 * kMs).Set(v1::TASK_IOWAIT_SINCE, BootAt(5) - 100 * kMs);
  EXPECT_EQ(ResolveValue(Only(World(5, {task})), v1::TASK_IO_WAIT_TIME_MAX), 300 * kMs);
  task.Set(v1::TASK_IOWAIT_SINCE, BootAt(5) - 400 * kMs);
  EXPECT_EQ(ResolveValue(Only(World(5, {task})), v1::TASK_IO_WAIT_TIME_MAX), 400 * kMs);
}

TEST(ResolveValue, WithoutAKnownBeginningNoOpenWaitIsAdded) {
  const Snapshot world =
      World(5, {TaskBuilder(1).Set(v1::TASK_OFFCPU_TIME, kSecond).Set(v1::TASK_SWITCH_OFFCPU_TIME_MAX, kMs)});
  EXPECT_EQ(ResolveValue(Only(world), v1::TASK_OFFCPU_TIME), kSecond);
  EXPECT_EQ(ResolveValue(Only(world), v1::TASK_SWITCH_OFFCPU_TIME_MAX), kMs);
}

TEST(ResolveRate, IsPerSecondOfElapsedTimeInCatalogueUnits) {
  Snapshot world = World(5, {TaskBuilder(1)
                                 .Set(v1::TASK_READ_BYTES, 9000, 3000)
                                 .Set(v1::TASK_UTIME_JIFFIES, 80 * kSecond, 600 * kMs)
                                 .Set(v1::TASK_PM_SIZE, 1)});
  EXPECT_DOUBLE_EQ(*ResolveRate(Only(world), v1::TASK_READ_BYTES), 3000);
  EXPECT_DOUBLE_EQ(*ResolveRate(Only(world), v1::TASK_UTIME_JIFFIES), 60) << "600 ms are 60 jiffies";
  world.tick.elapsed_ns = 1500 * kMs;
  EXPECT_DOUBLE_EQ(*ResolveRate(Only(world), v1::TASK_READ_BYTES), 2000);
  EXPECT_EQ(ResolveRate(Only(world), v1::TASK_PM_SIZE), std::nullopt) << "a gauge has no rate";
  EXPECT_EQ(ResolveRate(Only(world), v1::TASK_WRITE_BYTES), std::nullopt) << "unavailable";
  world.tick.elapsed_ns = 0;
  EXPECT_EQ(ResolveRate(Only(world), v1::TASK_READ_BYTES), std::nullopt) << "first tick";
}

TEST(ResolveRate, ATickOfAFewMillisecondsTellsNone) {
  Snapshot world = World(5, {TaskBuilder(1).Set(v1::TASK_RUNQ_WAIT_TIME, 9 * kSecond, 200 * kMs)});
  world.tick.elapsed_ns = 3 * kMs;
  EXPECT_EQ(ResolveRate(Only(world), v1::TASK_RUNQ_WAIT_TIME), std::nullopt);
  EXPECT_EQ(ResolveIncrease(Only(world), v1::TASK_RUNQ_WAIT_TIME), 200 * kMs) << "what was counted still counts";
  world.tick.elapsed_ns = kShortestForRateNs;
  EXPECT_TRUE(ResolveRate(Only(world), v1::TASK_RUNQ_WAIT_TIME).has_value());
}

TEST(ResolveRate, NobodyWaitsLongerThanTheTick) {
  TaskBuilder task = TaskBuilder(1).IdleSince(2).Set(v1::TASK_OFFCPU_TIME, 0).Set(v1::TASK_OFFCPU_SINCE, BootAt(1));
  EXPECT_DOUBLE_EQ(*ResolveRate(Only(World(9, {task})), v1::TASK_OFFCPU_TIME), 1e9) << "asleep all the time";
  // It wakes: ten seconds are booked at once, of which at most this one belongs to the tick.
  task = TaskBuilder(1).Set(v1::TASK_OFFCPU_TIME, 10 * kSecond, 10 * kSecond).Set(v1::TASK_OFFCPU_SINCE, 0);
  EXPECT_DOUBLE_EQ(*ResolveRate(Only(World(9, {task})), v1::TASK_OFFCPU_TIME), 1e9);
  task.Set(v1::TASK_THREAD_COUNT, 4);
  EXPECT_DOUBLE_EQ(*ResolveRate(Only(World(9, {task})), v1::TASK_OFFCPU_TIME), 4e9) << "four threads can";
}

TEST(IsRedacted, HidesGuardedMetricsOfOthersOnly) {
  const Snapshot world = World(5, {TaskBuilder(1).Uid(1000), TaskBuilder(2).Uid(0)});
  const Row own = MakeRow(world, *world.tasks[0], kAlice);
  const Row other = MakeRow(world, *world.tasks[1], kAlice);
  EXPECT_FALSE(IsRedacted(own, v1::TASK_READ_BYTES));
  EXPECT_TRUE(IsRedacted(other, v1::TASK_READ_BYTES));
  EXPECT_FALSE(IsRedacted(other, v1::TASK_RUNTIME_NS));
  EXPECT_FALSE(IsRedacted(MakeRow(world, *world.tasks[1], kRoot), v1::TASK_READ_BYTES));
  EXPECT_TRUE(other.cmdline_visible);
  const Caller hidepid{.uid = 1000, .hide_cmdline = true};
  EXPECT_FALSE(MakeRow(world, *world.tasks[1], hidepid).cmdline_visible);
  EXPECT_TRUE(MakeRow(world, *world.tasks[0], hidepid).cmdline_visible);
}

TEST(WithSources, AddsWhatDerivedMetricsNeed) {
  MetricSet wanted;
  wanted.set(v1::TASK_CPU_PERCENT).set(v1::TASK_MEM_PERCENT).set(v1::TASK_IO_WAIT_TIME_MAX);
  const MetricSet all = WithSources(wanted);
  EXPECT_TRUE(all[v1::TASK_RUNTIME_NS] && all[v1::TASK_PM_SIZE] && all[v1::TASK_IOWAIT_SINCE]);
  EXPECT_EQ(all.count(), 6u);
  EXPECT_TRUE(WithSources(MetricSet()).none());
}

}  // namespace
}  // namespace taskmon::query

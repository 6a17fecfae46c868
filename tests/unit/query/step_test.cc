// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/step.h"

#include <gtest/gtest.h>

#include "tests/unit/query/world.h"

namespace taskmon::query {
namespace {

constexpr int64_t BootAt(uint64_t tick) { return static_cast<int64_t>(kBoot) + static_cast<int64_t>(tick) * kSecond; }

struct Step {
  Snapshot snapshot;
  std::vector<int64_t> ended;

  Row row(size_t i) const { return {.snapshot = &snapshot, .sample = snapshot.tasks.at(i).get()}; }
};

std::vector<Step> Fold(int64_t step_ns, const std::vector<Snapshot>& ticks) {
  std::vector<Step> steps;
  StepFolder folder(step_ns, MetricSet().set(), nullptr,
                    [&](const Snapshot& folded, const std::vector<int64_t>& ended) {
                      steps.push_back({folded, ended});
                      return true;
                    });
  for (const Snapshot& tick : ticks) EXPECT_TRUE(folder.Add(tick));
  EXPECT_TRUE(folder.Finish());
  return steps;
}

TEST(StepFolder, KeepsTheLastTickOfEachAlignedStep) {
  std::vector<Snapshot> ticks;
  for (uint64_t seq = 3; seq <= 24; ++seq) ticks.push_back(World(seq, {}));
  const std::vector<Step> steps = Fold(10 * kSecond, ticks);  // kStart is a multiple of ten seconds
  ASSERT_EQ(steps.size(), 3u);
  EXPECT_EQ(steps[0].snapshot.tick.seq, 9u);
  EXPECT_EQ(steps[0].snapshot.tick.elapsed_ns, 7u * kSecond);
  EXPECT_EQ(steps[1].snapshot.tick.seq, 19u);
  EXPECT_EQ(steps[1].snapshot.tick.elapsed_ns, 10u * kSecond);
  EXPECT_EQ(steps[2].snapshot.tick.seq, 24u);
}

TEST(StepFolder, CountersStayTotalsAndTheirIncreasesAreSummed) {
  const std::vector<Step> steps =
      Fold(10 * kSecond, {
                             World(1, {TaskBuilder(1).Set(v1::TASK_RUNTIME_NS, 100 * kMs, 100 * kMs)}),
                             World(2, {TaskBuilder(1).Set(v1::TASK_RUNTIME_NS, 600 * kMs, 500 * kMs)}),
                             World(3, {TaskBuilder(1).Set(v1::TASK_RUNTIME_NS, 600 * kMs, 500 * kMs).IdleSince(2)}),
                             World(4, {TaskBuilder(1).Set(v1::TASK_RUNTIME_NS, 800 * kMs, 200 * kMs)}),
                         });
  ASSERT_EQ(steps.size(), 1u);
  EXPECT_EQ(ResolveValue(steps[0].row(0), v1::TASK_RUNTIME_NS), 800 * kMs);
  EXPECT_EQ(ResolveValue(steps[0].row(0), v1::TASK_CPU_PERCENT), 20'000) << "800 ms of 4 s; the idle tick adds nothing";
  EXPECT_DOUBLE_EQ(*ResolveRate(steps[0].row(0), v1::TASK_RUNTIME_NS), 0.2e9);
}

TEST(StepFolder, TheLargestMaximumKeepsItsWitness) {
  auto tick = [](uint64_t seq, int64_t max, int64_t by) {
    return World(seq, {TaskBuilder(1).Set(v1::TASK_RUNQ_WAIT_TIME_MAX, max).Set(v1::TASK_RUNQ_WAIT_TIME_MAX_BY, by)});
  };
  const std::vector<Step> steps = Fold(10 * kSecond, {tick(1, 3 * kMs, 11), tick(2, 9 * kMs, 22), tick(3, kMs, 33)});
  ASSERT_EQ(steps.size(), 1u);
  EXPECT_EQ(ResolveValue(steps[0].row(0), v1::TASK_RUNQ_WAIT_TIME_MAX), 9 * kMs);
  EXPECT_EQ(ResolveValue(steps[0].row(0), v1::TASK_RUNQ_WAIT_TIME_MAX_BY), 22);
}

TEST(StepFolder, TheFirstTickHasNoLengthAndAddsNone) {
  Snapshot first = World(1, {TaskBuilder(1).Set(v1::TASK_RUNTIME_NS, 90 * kSecond, 0)});
  first.tick.elapsed_ns = 0;
  const std::vector<Step> alone = Fold(10 * kSecond, {first});
  EXPECT_EQ(ResolveValue(alone[0].row(0), v1::TASK_CPU_PERCENT), std::nullopt);
  const std::vector<Step> two =
      Fold(10 * kSecond, {first, World(2, {TaskBuilder(1).Set(v1::TASK_RUNTIME_NS, 91 * kSecond, kSecond)})});
  EXPECT_EQ(ResolveValue(two[0].row(0), v1::TASK_CPU_PERCENT), 100'000);
}

TEST(StepFolder, MaximaAreTheLargestAndGaugesTheLast) {
  const std::vector<Step> steps = Fold(
      10 * kSecond,
      {
          World(1, {TaskBuilder(1).Set(v1::TASK_RUNQ_WAIT_TIME_MAX, 3 * kMs).Set(v1::TASK_PM_SIZE, 10)}),
          World(2, {TaskBuilder(1).Set(v1::TASK_RUNQ_WAIT_TIME_MAX, 9 * kMs).Set(v1::TASK_PM_SIZE, 30)}),
          World(3, {TaskBuilder(1).Set(v1::TASK_RUNQ_WAIT_TIME_MAX, 1 * kMs).Set(v1::TASK_PM_SIZE, 20)}),
          World(4, {TaskBuilder(1).Set(v1::TASK_RUNQ_WAIT_TIME_MAX, 1 * kMs).Set(v1::TASK_PM_SIZE, 20).IdleSince(3)}),
      });
  EXPECT_EQ(ResolveValue(steps[0].row(0), v1::TASK_RUNQ_WAIT_TIME_MAX), 9 * kMs);
  EXPECT_EQ(ResolveValue(steps[0].row(0), v1::TASK_PM_SIZE), 20);
}

TEST(StepFolder, AWaitThatWasOpenAtATickCountsForTheMaximum) {
  const std::vector<Step> steps = Fold(
      10 * kSecond,
      {
          World(1,
                {TaskBuilder(1).Set(v1::TASK_IO_WAIT_TIME_MAX, 0).Set(v1::TASK_IOWAIT_SINCE, BootAt(1) - 700 * kMs)}),
          World(2, {TaskBuilder(1).Set(v1::TASK_IO_WAIT_TIME_MAX, 5 * kMs).Set(v1::TASK_IOWAIT_SINCE, 0)}),
      });
  EXPECT_EQ(ResolveValue(steps[0].row(0), v1::TASK_IO_WAIT_TIME_MAX), 700 * kMs);
}

TEST(StepFolder, CacheHitsAreWeightedByLookups) {
  const auto hits = [](int64_t percent, int64_t lookups) {
    return TaskBuilder(1)
        .Set(v1::TASK_PAGE_CACHE_HIT_PERCENT, percent * 1000)
        .Set(v1::TASK_PAGE_CACHE_LOOKUP_COUNT, 1000, lookups);
  };
  const std::vector<Step> steps = Fold(
      10 * kSecond, {World(1, {hits(100, 900)}), World(2, {hits(0, 100)}), World(3, {hits(50, 5000).IdleSince(1)})});
  EXPECT_EQ(ResolveValue(steps[0].row(0), v1::TASK_PAGE_CACHE_HIT_PERCENT), 90'000);
}

TEST(StepFolder, WhatIsNoLongerMeasuredIsUnavailableAtTheEnd) {
  const std::vector<Step> steps =
      Fold(10 * kSecond,
           {
               World(1, {TaskBuilder(1).Set(v1::TASK_SYSCALL_FAILS, 5, 5).Set(v1::TASK_RUNQ_WAIT_TIME_MAX, kMs)}),
               World(2, {TaskBuilder(1)}),
           });
  EXPECT_EQ(ResolveValue(steps[0].row(0), v1::TASK_SYSCALL_FAILS), std::nullopt);
  EXPECT_EQ(ResolveValue(steps[0].row(0), v1::TASK_RUNQ_WAIT_TIME_MAX), kMs);
}

TEST(StepFolder, ATaskThatEndedWithinTheStepIsThereWithItsEnd) {
  const std::vector<Step> steps =
      Fold(10 * kSecond, {
                             World(1, {TaskBuilder(1), TaskBuilder(2)
                                                           .Set(v1::TASK_RUNTIME_NS, kSecond, 500 * kMs)
                                                           .Set(v1::TASK_OFFCPU_TIME, kSecond)
                                                           .Set(v1::TASK_SWITCH_OFFCPU_TIME_MAX, 0)
                                                           .Set(v1::TASK_OFFCPU_SINCE, BootAt(1) - 300 * kMs)}),
                             World(2, {TaskBuilder(1)}),
                             World(3, {TaskBuilder(1)}),
                             World(11, {TaskBuilder(1)}),
                         });
  ASSERT_EQ(steps.size(), 2u);
  ASSERT_EQ(steps[0].snapshot.tasks.size(), 2u);
  EXPECT_EQ(steps[0].ended, (std::vector<int64_t>{0, kStart + 2 * kSecond}));
  const Row dead = steps[0].row(1);
  EXPECT_EQ(ResolveValue(dead, v1::TASK_RUNTIME_NS), kSecond);
  EXPECT_EQ(ResolveValue(dead, v1::TASK_OFFCPU_TIME), 1300 * kMs) << "it waits no longer";
  EXPECT_EQ(ResolveValue(dead, v1::TASK_SWITCH_OFFCPU_TIME_MAX), 300 * kMs);
  EXPECT_EQ(steps[1].snapshot.tasks.size(), 1u) << "only in the step in which it lived";
}

TEST(StepFolder, AReusedNumberIsAnotherTask) {
  const auto reborn =
      TaskBuilder(2).Info([](TaskInfo& info) { info.key.start_ns = info.process_start_ns = kBoot + 1; });
  const std::vector<Step> steps = Fold(10 * kSecond, {World(1, {TaskBuilder(2)}), World(2, {reborn})});
  ASSERT_EQ(steps[0].snapshot.tasks.size(), 2u);
  EXPECT_EQ(steps[0].ended, (std::vector<int64_t>{kStart + 2 * kSecond, 0}));
}

TEST(StepFolder, KeepsTheOrderOfASnapshot) {
  const std::vector<Step> steps = Fold(
      10 * kSecond, {World(1, {TaskBuilder(5), TaskBuilder(5).Thread(5), TaskBuilder(9).Thread(5), TaskBuilder(7)})});
  std::vector<std::pair<int32_t, bool>> order;
  for (const auto& task : steps[0].snapshot.tasks) order.emplace_back(task->info->key.tid, task->info->key.thread);
  EXPECT_EQ(order, (std::vector<std::pair<int32_t, bool>>{{5, false}, {5, true}, {9, true}, {7, false}}));
}

TEST(StepFolder, ARebootEndsTheStep) {
  Snapshot after = World(2, {TaskBuilder(1)});
  after.boot_id = "boot-2";
  EXPECT_EQ(Fold(10 * kSecond, {World(1, {TaskBuilder(1)}), after}).size(), 2u);
}

TEST(StepFolder, HasNoMoreTasksThanThereIsRoomForAndGivesItBack) {
  const auto budget = std::make_shared<MemoryBudget>(100'000);
  for (int step = 0; step < 3; ++step) {
    int shown = 0;
    StepFolder folder(1000 * kSecond, MetricSet().set(), budget, [&](const Snapshot&, const std::vector<int64_t>&) {
      ++shown;
      return true;
    });
    for (int32_t tid = 1; tid <= 20; ++tid) {
      ASSERT_TRUE(folder.Add(World(static_cast<uint64_t>(tid), {TaskBuilder(tid)})));
    }
    EXPECT_TRUE(folder.Finish());
    int32_t tid = 100;
    while (tid < 1000 && folder.Add(World(static_cast<uint64_t>(tid), {TaskBuilder(tid)}))) ++tid;
    EXPECT_LT(tid, 1000);
    EXPECT_TRUE(absl::IsResourceExhausted(folder.status()));
    EXPECT_EQ(shown, 1);
  }
  EXPECT_TRUE(budget->Take(100'000));
}

TEST(StepFolder, StopsWhenNobodyListens) {
  StepFolder folder(kSecond, MetricSet().set(), nullptr,
                    [](const Snapshot&, const std::vector<int64_t>&) { return false; });
  EXPECT_TRUE(folder.Add(World(1, {})));
  EXPECT_FALSE(folder.Add(World(2, {})));
}

}  // namespace
}  // namespace taskmon::query

// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/window.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/query/world.h"

namespace taskmon::query {
namespace {

Plan PlanFor(const std::string& expression = "") {
  v1::Selection selection;
  selection.set_expression(expression);
  return *Plan::Make(selection);
}

TaskBuilder Worker(int32_t tid, int64_t runtime, int64_t ran, int64_t rss) {
  return TaskBuilder(tid).Set(v1::TASK_RUNTIME_NS, runtime, ran).Set(v1::TASK_PM_SIZE, rss);
}

int64_t Value(const WindowRow& row, const WindowResult& result, v1::Metric metric) {
  return ResolveValue(RowOf(row, result.moment), metric).value_or(-1);
}

TEST(Window, CountersAreIncreasesGaugesMeansAndMaximaTheLargest) {
  const Plan plan = PlanFor();
  WindowFolder folder(plan, kRoot, GroupBy::kTask);
  for (uint64_t seq = 1; seq <= 4; ++seq) {
    const auto n = static_cast<int64_t>(seq);
    ASSERT_TRUE(folder
                    .AddTick(World(seq, {Worker(7, 1000 * kMs + n * 100 * kMs, 100 * kMs, n * 1000)
                                             .Set(v1::TASK_RUNQ_WAIT_TIME_MAX, seq == 2 ? 900 : 10)}),
                             nullptr)
                    .ok());
  }
  const WindowResult result = folder.Take();
  ASSERT_EQ(result.rows.size(), 1u);
  EXPECT_EQ(result.moment.tick.elapsed_ns, 4u * kSecond);
  EXPECT_EQ(Value(result.rows[0], result, v1::TASK_RUNTIME_NS), 400 * kMs);
  EXPECT_EQ(Value(result.rows[0], result, v1::TASK_CPU_PERCENT), 10'000);
  EXPECT_EQ(Value(result.rows[0], result, v1::TASK_PM_SIZE), 2500);
  EXPECT_EQ(Value(result.rows[0], result, v1::TASK_RUNQ_WAIT_TIME_MAX), 900);
  EXPECT_EQ(result.rows[0].tasks, 0u);
}

TEST(Window, GroupsAreSumsWithThoseThatLivedBetweenTwoTicks) {
  const Plan plan = PlanFor();
  WindowFolder folder(plan, kRoot, GroupBy::kComm);
  ASSERT_TRUE(folder.Seed(World(1, {Worker(7, 1000, 0, 4096), Worker(8, 5000, 0, 4096)})).ok());
  ASSERT_TRUE(folder.AddTick(World(2, {Worker(7, 1300, 300, 4096), Worker(8, 5000, 0, 4096)}), nullptr).ok());
  ASSERT_TRUE(folder.AddEnd(End(7, 3, 1350, 100 * kSecond)).ok());    // 50 more than at its last tick
  ASSERT_TRUE(folder.AddEnd(End(9, 3, 70, 5 * kMs)).ok());            // nobody saw it
  ASSERT_TRUE(folder.AddEnd(End(10, 3, 99999, 200 * kSecond)).ok());  // was there before, and not among those asked for
  ASSERT_TRUE(folder.AddTick(World(3, {Worker(8, 5000, 0, 4096)}), nullptr).ok());
  const WindowResult result = folder.Take();
  ASSERT_EQ(result.rows.size(), 1u);
  EXPECT_EQ(Value(result.rows[0], result, v1::TASK_RUNTIME_NS), 420);
  EXPECT_EQ(Value(result.rows[0], result, v1::TASK_PM_SIZE), 4096 + 2048) << "the mean of two tasks and of one";
  EXPECT_EQ(result.rows[0].tasks, 3u);
  EXPECT_EQ(result.rows[0].sample->info->comm, "worker");
  EXPECT_EQ(result.rows[0].sample->info->key.tid, 0);
}

TEST(Window, WhatIsNotYetKnownOfATaskIsNot0) {
  const Plan plan = PlanFor();
  for (const GroupBy by : {GroupBy::kTask, GroupBy::kComm}) {
    WindowFolder folder(plan, kRoot, by);
    for (uint64_t seq = 1; seq <= 4; ++seq) {
      TaskBuilder late = Worker(7, 0, 0, 4096);
      if (seq > 2) late.Set(v1::TASK_PSS_SIZE, static_cast<int64_t>(seq) * 1000);
      ASSERT_TRUE(folder.AddTick(World(seq, {late, TaskBuilder(8, "kthread")}), nullptr).ok());
    }
    const WindowResult result = folder.Take();
    ASSERT_EQ(result.rows.size(), 2u);
    const WindowRow& worker = result.rows[by == GroupBy::kTask ? 0 : 1];
    EXPECT_EQ(Value(worker, result, v1::TASK_PSS_SIZE), 3500);
    EXPECT_EQ(Value(worker, result, v1::TASK_PM_SIZE), 4096);
    EXPECT_EQ(Value(result.rows[by == GroupBy::kTask ? 1 : 0], result, v1::TASK_PSS_SIZE), -1);
  }
}

TEST(Window, EachTaskOfAGroupAddsItsOwnMeanForAsLongAsItIsThere) {
  const Plan plan = PlanFor();
  WindowFolder folder(plan, kRoot, GroupBy::kComm);
  for (uint64_t seq = 1; seq <= 4; ++seq) {
    std::vector<TaskBuilder> tasks = {Worker(7, 0, 0, 1).Set(v1::TASK_PSS_SIZE, 1000)};
    if (seq == 2) tasks.push_back(Worker(8, 0, 0, 1));  // its value is not known yet
    if (seq == 3) tasks.push_back(Worker(8, 0, 0, 1).Set(v1::TASK_PSS_SIZE, 20'000));
    ASSERT_TRUE(folder.AddTick(World(seq, tasks), nullptr).ok());
    if (seq == 3) {
      ASSERT_TRUE(folder.AddEnd(End(8, 4, 0, 100 * kSecond)).ok());
    }
  }
  const WindowResult result = folder.Take();
  ASSERT_EQ(result.rows.size(), 1u);
  EXPECT_EQ(Value(result.rows[0], result, v1::TASK_PSS_SIZE), 1000 + 10'000);
}

TEST(Window, WhoEndedIsInStateX) {
  const Plan plan = PlanFor();
  WindowFolder folder(plan, kRoot, GroupBy::kTask);
  ASSERT_TRUE(folder.AddTick(World(1, {Worker(7, 1000, 0, 4096).Set(v1::TASK_STATE, 'S')}), nullptr).ok());
  ASSERT_TRUE(folder.AddEnd(End(7, 2, 1350, 100 * kSecond)).ok());
  ASSERT_TRUE(folder.AddEnd(End(9, 2, 70, 5 * kMs)).ok());  // nobody saw its state
  ASSERT_TRUE(folder.AddTick(World(2, {Worker(8, 5000, 0, 4096).Set(v1::TASK_STATE, 'R')}), nullptr).ok());
  const WindowResult result = folder.Take();
  ASSERT_EQ(result.rows.size(), 3u);
  for (const WindowRow& row : result.rows) {
    EXPECT_EQ(Value(row, result, v1::TASK_STATE), row.sample->info->key.tid == 8 ? 'R' : 'X');
  }
}

// A thread of process 20, born 5 ms before it ended; its row, and its end with this run time.
Event EndOfThread(int32_t tid, uint64_t seq, int64_t runtime) {
  Event event = End(tid, seq, runtime, 5 * kMs);
  auto info = std::make_shared<TaskInfo>(*event.task);
  info->key.thread = true;
  info->tgid = 20;
  info->process_start_ns = TaskBuilder(20).Build(1)->info->key.start_ns;
  event.task = std::move(info);
  return event;
}

TEST(Window, AmongThreadsCountThoseThatLivedBetweenTwoTicks) {
  v1::Selection selection;
  selection.set_threads(true);
  const Plan plan = *Plan::Make(selection);
  WindowFolder folder(plan, kRoot, GroupBy::kComm);
  const auto counts_threads = [](Event event, int64_t threads) {
    auto sample = std::make_shared<TaskSample>(*event.final_sample);
    sample->valid.set(v1::TASK_THREAD_CREATE_COUNT);
    sample->values.Set(v1::TASK_THREAD_CREATE_COUNT, threads);
    event.final_sample = std::move(sample);
    return event;
  };
  ASSERT_TRUE(folder.AddTick(World(2, {Worker(7, 300, 300, 4096)}), nullptr).ok());
  ASSERT_TRUE(folder.AddEnd(EndOfThread(21, 3, 40)).ok());
  ASSERT_TRUE(folder.AddEnd(EndOfThread(22, 3, 50)).ok());
  ASSERT_TRUE(folder.AddEnd(counts_threads(End(20, 3, 90, 5 * kMs), 1)).ok());  // told by its threads
  ASSERT_TRUE(folder.AddEnd(counts_threads(End(30, 3, 7, 5 * kMs), 0)).ok());   // is its only thread
  const WindowResult result = folder.Take();
  ASSERT_EQ(result.rows.size(), 1u);
  EXPECT_EQ(Value(result.rows[0], result, v1::TASK_RUNTIME_NS), 300 + 40 + 50 + 7);
  EXPECT_EQ(result.rows[0].tasks, 4u);
}

// Dead rows have the totals of the end, which is fed after them.
TEST(Window, WhatADeadProcessDidIsCountedOnceHoweverLongItWaitsToBeReaped) {
  const Plan plan = PlanFor();
  WindowFolder folder(plan, kRoot, GroupBy::kComm);
  const auto dead = [](int32_t tid, int64_t runtime) { return Worker(tid, runtime, 0, 0).Set(v1::TASK_STATE, 'Z'); };
  ASSERT_TRUE(folder.AddTick(World(1, {Worker(9, 50, 0, 4096)}), nullptr).ok());
  ASSERT_TRUE(folder.AddTick(World(2, {Worker(7, 100, 100, 4096), dead(9, 80)}), nullptr).ok());
  TaskBuilder brief = dead(8, 20);  // nobody has seen it alive
  brief.Info([](TaskInfo& info) { info.key.start_ns = info.process_start_ns = kBoot + 3 * kSecond - 5 * kMs; });
  for (uint64_t seq = 3; seq <= 4; ++seq) {
    ASSERT_TRUE(folder.AddTick(World(seq, {dead(7, 150), brief, dead(9, 80)}), nullptr).ok());
  }
  ASSERT_TRUE(folder.AddEnd(End(7, 3, 150, 100 * kSecond)).ok());
  ASSERT_TRUE(folder.AddEnd(End(8, 3, 20, 5 * kMs)).ok());
  ASSERT_TRUE(folder.AddEnd(End(9, 2, 80, 100 * kSecond)).ok());
  const WindowResult result = folder.Take();
  ASSERT_EQ(result.rows.size(), 1u);
  EXPECT_EQ(Value(result.rows[0], result, v1::TASK_RUNTIME_NS), 150 + 20 + 30);
  EXPECT_EQ(result.rows[0].tasks, 3u);
}

TEST(Window, AProcessThatStandsForItsThreadsHasTheirTimeAlready) {
  v1::Selection selection;
  selection.set_threads(true);
  const Plan plan = *Plan::Make(selection);
  WindowFolder folder(plan, kRoot, GroupBy::kComm);
  ASSERT_TRUE(folder.Seed(World(1, {Worker(20, 100, 0, 4096)})).ok());
  ASSERT_TRUE(folder.AddTick(World(2, {Worker(20, 400, 300, 4096)}), nullptr).ok());
  ASSERT_TRUE(folder.AddEnd(EndOfThread(21, 3, 40)).ok());
  ASSERT_TRUE(folder.AddTick(World(3, {Worker(20, 450, 50, 4096)}), nullptr).ok());
  const WindowResult result = folder.Take();
  ASSERT_EQ(result.rows.size(), 1u);
  EXPECT_EQ(Value(result.rows[0], result, v1::TASK_RUNTIME_NS), 350);
}

TEST(Window, AGroupWithATaskThatMayNotBeSeenIsRedactedAsAWhole) {
  const Plan plan = PlanFor();
  WindowFolder folder(plan, kAlice, GroupBy::kComm);
  ASSERT_TRUE(folder
                  .AddTick(World(1, {TaskBuilder(7, "mine").Uid(1000).Set(v1::TASK_RCHAR_BYTES, 10, 10),
                                     TaskBuilder(8, "ours").Uid(1000).Set(v1::TASK_RCHAR_BYTES, 10, 10),
                                     TaskBuilder(9, "ours").Uid(0).Set(v1::TASK_RCHAR_BYTES, 10, 10)}),
                           nullptr)
                  .ok());
  const WindowResult result = folder.Take();
  ASSERT_EQ(result.rows.size(), 2u);
  EXPECT_FALSE(IsRedacted(RowOf(result.rows[0], result.moment), v1::TASK_RCHAR_BYTES));
  EXPECT_TRUE(IsRedacted(RowOf(result.rows[1], result.moment), v1::TASK_RCHAR_BYTES));
}

TEST(Window, TakesOnlyTicksThatMatch) {
  const Plan plan = PlanFor("rss > 1500");
  WindowFolder folder(plan, kRoot, GroupBy::kTask);
  for (uint64_t seq = 1; seq <= 3; ++seq) {
    ASSERT_TRUE(folder.AddTick(World(seq, {Worker(7, 0, 10, static_cast<int64_t>(seq) * 1000)}), nullptr).ok());
  }
  const WindowResult result = folder.Take();
  ASSERT_EQ(result.rows.size(), 1u);
  EXPECT_EQ(Value(result.rows[0], result, v1::TASK_RUNTIME_NS), 20);
}

// Of a process that was seen and did not match any more, what its ticks did not tell is nobody's.
TEST(Window, WhoStoppedMatchingIsNotCountedAgainByItsEnd) {
  const Plan plan = PlanFor("rss > 1500");
  for (const GroupBy by : {GroupBy::kTask, GroupBy::kComm}) {
    WindowFolder folder(plan, kRoot, by);
    ASSERT_TRUE(folder.Seed(World(1, {})).ok());
    const auto born_inside = [](int64_t runtime, int64_t ran, int64_t rss) {
      TaskBuilder task = Worker(7, runtime, ran, rss);
      task.Info([](TaskInfo& info) { info.key.start_ns = info.process_start_ns = kBoot + 6 * kSecond - 4 * kSecond; });
      return task;
    };
    ASSERT_TRUE(folder.AddTick(World(3, {born_inside(400, 400, 4096)}), nullptr).ok());
    ASSERT_TRUE(folder.AddTick(World(4, {born_inside(500, 100, 4096)}), nullptr).ok());
    ASSERT_TRUE(folder.AddTick(World(5, {born_inside(530, 30, 1024)}), nullptr).ok());
    Event end = End(7, 6, 550, 4 * kSecond);
    auto final_sample = std::make_shared<TaskSample>(*end.final_sample);
    final_sample->valid.set(v1::TASK_PM_SIZE);
    final_sample->values.Set(v1::TASK_PM_SIZE, 4096);  // it matches as a whole
    end.final_sample = std::move(final_sample);
    ASSERT_TRUE(folder.AddEnd(end).ok());
    const WindowResult result = folder.Take();
    ASSERT_EQ(result.rows.size(), 1u);
    EXPECT_EQ(Value(result.rows[0], result, v1::TASK_RUNTIME_NS), 500);
    EXPECT_EQ(result.rows[0].ended_wall_ns, by == GroupBy::kTask ? end.wall_ns : 0);
  }
}

TEST(Window, WhoMatchesAgainIsCountedFromThereOn) {
  const Plan plan = PlanFor("rss > 1500");
  WindowFolder folder(plan, kRoot, GroupBy::kTask);
  ASSERT_TRUE(folder.Seed(World(1, {Worker(7, 1000, 0, 4096)})).ok());
  ASSERT_TRUE(folder.AddTick(World(2, {Worker(7, 1300, 300, 1024)}), nullptr).ok());
  ASSERT_TRUE(folder.AddTick(World(3, {Worker(7, 1320, 20, 4096)}), nullptr).ok());
  ASSERT_TRUE(folder.AddEnd(End(7, 4, 1350, 100 * kSecond)).ok());
  const WindowResult result = folder.Take();
  ASSERT_EQ(result.rows.size(), 1u);
  EXPECT_EQ(Value(result.rows[0], result, v1::TASK_RUNTIME_NS), 20 + 30);
}

TEST(Window, HasNoMoreTasksThanThereIsRoomForAndGivesItBack) {
  const Plan plan = PlanFor();
  const auto budget = std::make_shared<MemoryBudget>(100'000);
  std::vector<TaskBuilder> few, many;
  for (int32_t tid = 1; tid <= 1000; ++tid) {
    if (tid <= 10) few.push_back(Worker(tid, 0, 0, 1));
    many.push_back(Worker(tid, 0, 0, 1));
  }
  for (const GroupBy by : {GroupBy::kTask, GroupBy::kComm}) {
    WindowFolder folder(plan, kRoot, by, budget);
    EXPECT_TRUE(absl::IsResourceExhausted(folder.Seed(World(1, many))));
  }
  for (int i = 0; i < 3; ++i) {
    WindowFolder folder(plan, kRoot, GroupBy::kTask, budget);
    ASSERT_TRUE(folder.AddTick(World(1, few), nullptr).ok());
    const WindowResult result = folder.Take();
    EXPECT_FALSE(budget->Take(80'000)) << "what is on its way out is still in memory";
    EXPECT_TRUE(absl::IsResourceExhausted(folder.AddTick(World(2, many), nullptr)));
  }
  EXPECT_TRUE(budget->Take(100'000));
}

TEST(Window, EachStepBeginsAnew) {
  const Plan plan = PlanFor();
  WindowFolder folder(plan, kRoot, GroupBy::kApp);
  for (uint64_t seq = 1; seq <= 3; ++seq) {
    ASSERT_TRUE(folder.AddTick(World(seq, {Worker(7, 0, 10, 1000)}), nullptr).ok());
    const WindowResult result = folder.Take();
    ASSERT_EQ(result.rows.size(), 1u);
    EXPECT_EQ(Value(result.rows[0], result, v1::TASK_RUNTIME_NS), 10);
    EXPECT_FALSE(folder.any());
  }
}

TEST(Window, KnowsItsGroupings) {
  EXPECT_EQ(*ParseGroupBy(""), GroupBy::kTask);
  EXPECT_EQ(*ParseGroupBy("unit"), GroupBy::kUnit);
  EXPECT_EQ(*ParseGroupBy("rule"), GroupBy::kRule);
  EXPECT_TRUE(absl::IsInvalidArgument(ParseGroupBy("colour").status()));
}

}  // namespace
}  // namespace taskmon::query

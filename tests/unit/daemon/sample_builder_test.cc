// SPDX-License-Identifier: Apache-2.0
#include "daemon/sample_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/catalogue.h"
#include "tests/unit/daemon/builder_fixture.h"

namespace taskmon::daemon {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(SampleBuilderTest, SingleThreadedProcessHasOneRow) {
  auto result = TickWith({TaskRecord(kShell, "sh", 7)});
  ASSERT_EQ(result.snapshot->tasks.size(), 1u);
  const TaskSample& row = *result.snapshot->tasks[0];
  EXPECT_EQ(row.info->comm, "sh");
  EXPECT_FALSE(row.info->key.thread);
  EXPECT_EQ(row.values[v1::TASK_RUNTIME_NS], 7);
  EXPECT_EQ(row.info->start_wall_ns, static_cast<int64_t>(1005 * kSecond));
}

TEST_F(SampleBuilderTest, ProcessSumsItsThreadsAndShowsThemAsRows) {
  auto result = TickWith({TaskRecord(kShell, "sh", 7), TaskRecord(kWorker, "worker", 5)});
  ASSERT_EQ(result.snapshot->tasks.size(), 3u);
  EXPECT_EQ(Find(*result.snapshot, 100)->values[v1::TASK_RUNTIME_NS], 12);
  EXPECT_EQ(Find(*result.snapshot, 100, true)->values[v1::TASK_RUNTIME_NS], 7);
  EXPECT_EQ(Find(*result.snapshot, 101, true)->values[v1::TASK_RUNTIME_NS], 5);
  EXPECT_EQ(Find(*result.snapshot, 101, true)->info->comm, "worker");
}

TEST_F(SampleBuilderTest, EndedThreadIsFoldedSoThatTotalsNeverFall) {
  TickWith({TaskRecord(kShell, "sh", 7), TaskRecord(kWorker, "worker", 5)});
  Ring(FinalRecord(kWorker, "worker", 9, 2 * kSecond, 0, false));
  auto result = TickWith({});
  const TaskSample* process = Find(*result.snapshot, 100);
  EXPECT_EQ(process->values[v1::TASK_RUNTIME_NS], 16);
  EXPECT_EQ(process->deltas[v1::TASK_RUNTIME_NS], 4);
  EXPECT_EQ(Find(*result.snapshot, 101, true), nullptr);
  ASSERT_THAT(Types(result.events), ElementsAre(EventType::kExit));
  EXPECT_TRUE(result.events[0].task->key.thread);
}

TEST_F(SampleBuilderTest, IdleTaskKeepsItsSampleWithoutACopy) {
  auto first = TickWith({TaskRecord(kShell, "sh", 7)});
  auto second = TickWith({});
  EXPECT_EQ(first.snapshot->tasks[0], second.snapshot->tasks[0]);
  EXPECT_NE(second.snapshot->tasks[0]->tick_seq, second.snapshot->tick.seq);
}

TEST_F(SampleBuilderTest, FirstSightOfAnOldTaskIsNoIncrease) {
  auto result = TickWith({Preexisting(TaskRecord(kShell, "sh", 7 * kSecond))});
  EXPECT_EQ(result.snapshot->tasks[0]->deltas[v1::TASK_RUNTIME_NS], 0);
  EXPECT_EQ(builder_.accounted_runtime_ns(), 0u);
}

TEST_F(SampleBuilderTest, TaskBornInTheTickHasItsWholeValueAsIncrease) {
  TickWith({});
  Ring(ForkRecord(kShell, 1, "sh"));
  auto result = TickWith({TaskRecord(kShell, "sh", 7)});
  EXPECT_EQ(result.snapshot->tasks[0]->deltas[v1::TASK_RUNTIME_NS], 7);
  EXPECT_EQ(builder_.accounted_runtime_ns(), 7u);
}

TEST_F(SampleBuilderTest, TaskBornAfterThePassHasNoRowUntilItsFirstRecord) {
  builder_.BeginPass(false);
  Ring(ForkRecord(kShell, 1, "sh"));
  auto result = TickWith({});
  EXPECT_THAT(result.snapshot->tasks, IsEmpty());
  result = TickWith({TaskRecord(kShell, "sh", 7)});
  ASSERT_EQ(result.snapshot->tasks.size(), 1u);
  EXPECT_EQ(result.snapshot->tasks[0]->deltas[v1::TASK_RUNTIME_NS], 7);
}

TEST_F(SampleBuilderTest, BirthIsToldAlsoWhereAPassWasFaster) {
  TickWith({});
  builder_.BeginPass(false);
  builder_.OnTask(TaskRecord(kShell, "sh", 7));
  Ring(ForkRecord(kShell, 1, "sh"));
  auto result = TickWith({TaskRecord(kShell, "sh", 7)});
  EXPECT_THAT(Types(result.events), ElementsAre(EventType::kFork));
  EXPECT_EQ(result.snapshot->tasks[0]->deltas[v1::TASK_RUNTIME_NS], 7);
}

TEST_F(SampleBuilderTest, LifeBetweenTwoTicksIsToldByEvents) {
  TickWith({TaskRecord(kShell, "sh", 7)});
  const Who child = Leader(200, 6 * kSecond);
  Ring(ForkRecord(child, 100, "sh"));
  Ring(ExecRecord(child, 200, "true", "/bin/true", std::string("true\0-x\0", 8), 6 * kSecond + 100));
  Ring(FinalRecord(child, "true", 300'000, 6 * kSecond + 400'000, 7 << 8, true));
  auto result = TickWith({});
  ASSERT_THAT(Types(result.events), ElementsAre(EventType::kFork, EventType::kExec, EventType::kExit));
  EXPECT_EQ(result.events[0].task->comm, "sh");
  const Event& exit = result.events[2];
  EXPECT_EQ(exit.task->comm, "true");
  EXPECT_EQ(exit.task->cmdline, "true -x");
  EXPECT_EQ(exit.task->exe, "/bin/true");
  EXPECT_EQ(exit.wait_status, 7 << 8);
  EXPECT_EQ(exit.duration_ns, 400'000u);
  ASSERT_NE(exit.final_sample, nullptr);
  EXPECT_EQ(exit.final_sample->values[v1::TASK_RUNTIME_NS], 300'000);
  EXPECT_EQ(Find(*result.snapshot, 200), nullptr);
  EXPECT_EQ(builder_.accounted_runtime_ns(), 300'007u);
}

TEST_F(SampleBuilderTest, MemoryThatWasGoneBeforeTheFinalRecordIsUnavailableInIt) {
  TickWith({TaskRecord(kShell, "sh", 7)});
  tm_task_record final = FinalRecord(kShell, "sh", 8, 2 * kSecond, 0, true);
  final.valid &= ~TM_VALID_MM;
  Ring(final);
  const auto events = TickWith({}).events;
  EXPECT_FALSE(events.at(0).final_sample->valid.test(v1::TASK_VM_SIZE));
  EXPECT_TRUE(events.at(0).final_sample->valid.test(v1::TASK_PEAK_PM_SIZE));
}

TEST_F(SampleBuilderTest, ZombieHasNoMemoryAnyMore) {
  tm_task_record final = FinalRecord(kShell, "sh", 8, 2 * kSecond, 0, true);
  final.process[TM_P_VM_BYTES] = 4096;
  Ring(final);
  tm_task_record zombie = TaskRecord(kShell, "sh", 8);
  zombie.state = 'Z';
  auto result = TickWith({zombie});
  EXPECT_EQ(result.events.at(0).final_sample->values[v1::TASK_VM_SIZE], 4096);
  ASSERT_EQ(result.snapshot->tasks.size(), 1u);
  EXPECT_TRUE(result.snapshot->tasks[0]->valid.test(v1::TASK_VM_SIZE));
  EXPECT_EQ(result.snapshot->tasks[0]->values[v1::TASK_VM_SIZE], 0);
}

TEST_F(SampleBuilderTest, ProcessOutlivesItsLeader) {
  TickWith({TaskRecord(kShell, "sh", 7), TaskRecord(kWorker, "worker", 5)});
  Ring(FinalRecord(kShell, "sh", 8, 2 * kSecond, 0, false));
  tm_task_record zombie = TaskRecord(kShell, "sh", 8);
  zombie.state = 'Z';
  auto result = TickWith({zombie, TaskRecord(kWorker, "worker", 6)});
  const TaskSample* process = Find(*result.snapshot, 100);
  ASSERT_NE(process, nullptr);
  EXPECT_EQ(process->values[v1::TASK_RUNTIME_NS], 14);
  EXPECT_EQ(process->values[v1::TASK_STATE], 'S');
  Ring(FinalRecord(kWorker, "worker", 10, 3 * kSecond, 0, true));
  result = TickWith({});
  ASSERT_THAT(Types(result.events), ElementsAre(EventType::kExit, EventType::kExit));
  EXPECT_EQ(result.events[1].final_sample->values[v1::TASK_RUNTIME_NS], 18);
  EXPECT_THAT(result.snapshot->tasks, IsEmpty());
}

tm_task_record Zombie(tm_task_record record, uint64_t threads) {
  record.state = 'Z';
  record.valid &= ~TM_VALID_MM;
  record.process[TM_P_THREADS] = threads;
  return record;
}

TEST_F(SampleBuilderTest, ProcessWhoseLeaderWasDeadAtFirstSightLivesInItsThreads) {
  tm_task_record zombie = Zombie(TaskRecord(kShell, "sh", 8), 2);
  zombie.uid = 1000;
  auto result = TickWith({zombie, TaskRecord(kWorker, "worker", 5)});
  for (uint64_t tick = 0; tick < 3; ++tick) {
    const TaskSample* process = Find(*result.snapshot, 100);
    ASSERT_NE(process, nullptr) << tick;
    EXPECT_EQ(process->values[v1::TASK_STATE], 'S');
    EXPECT_EQ(process->values[v1::TASK_RUNTIME_NS], static_cast<int64_t>(8 + 5 + tick));
    EXPECT_EQ(process->info->comm, "sh");
    EXPECT_EQ(process->info->uid, 1000u);
    ASSERT_NE(Find(*result.snapshot, 101, true), nullptr) << tick;
    EXPECT_THAT(result.events, IsEmpty());
    result = TickWith({zombie, TaskRecord(kWorker, "worker", 6 + tick)});
  }
  Ring(FinalRecord(kWorker, "worker", 10, 5 * kSecond, 0, true));
  result = TickWith({Zombie(zombie, 1)});
  ASSERT_THAT(Types(result.events), ElementsAre(EventType::kExit, EventType::kExit));
  EXPECT_EQ(result.events[1].final_sample->values[v1::TASK_RUNTIME_NS], 8 + 10);
  EXPECT_EQ(Find(*result.snapshot, 100)->values[v1::TASK_STATE], 'Z');
  EXPECT_THAT(TickWith({}).snapshot->tasks, IsEmpty());
}

TEST_F(SampleBuilderTest, ZombieWhoseThreadsWereGoneBeforeTheyWereSeenIsOne) {
  TickWith({Zombie(TaskRecord(kShell, "sh", 8), 2)});
  auto result = TickWith({Zombie(TaskRecord(kShell, "sh", 8), 1)});
  EXPECT_EQ(Find(*result.snapshot, 100)->values[v1::TASK_STATE], 'Z');
  EXPECT_THAT(TickWith({}).snapshot->tasks, IsEmpty());
}

class EndToldTest : public SampleBuilderTest {
 protected:
  void ProcessEnds() {
    tm_task_record record = FinalRecord(kShell, "sh", 8, 3 * kSecond, 0, true);
    record.flags |= TM_TASK_END_TOLD;
    Ring(record);
  }
};

TEST_F(EndToldTest, LeaderThatEndedBeforeItsProcessIsCountedOnce) {
  TickWith({TaskRecord(kShell, "sh", 7)});
  Ring(FinalRecord(kShell, "sh", 8, 2 * kSecond, 0, false));
  TickWith({});
  ProcessEnds();
  const auto result = TickWith({});
  ASSERT_THAT(Types(result.events), ElementsAre(EventType::kExit));
  EXPECT_EQ(result.events[0].final_sample->values[v1::TASK_RUNTIME_NS], 8);
  EXPECT_EQ(builder_.accounted_runtime_ns(), 8u);
}

TEST_F(EndToldTest, LeadersEndIsToldOnce) {
  TickWith({TaskRecord(kShell, "sh", 7), TaskRecord(kWorker, "worker", 5)});
  Ring(FinalRecord(kShell, "sh", 8, 2 * kSecond, 0, false));
  Ring(FinalRecord(kWorker, "worker", 5, 2 * kSecond, 0, false));
  ProcessEnds();
  const auto events = TickWith({}).events;
  ASSERT_THAT(Types(events), ElementsAre(EventType::kExit, EventType::kExit, EventType::kExit));
  EXPECT_FALSE(events[2].task->key.thread);
  EXPECT_EQ(events[2].final_sample->values[v1::TASK_RUNTIME_NS], 8 + 5);
}

TEST_F(EndToldTest, ItsOwnEndCountsWhereThatWasLost) {
  TickWith({TaskRecord(kShell, "sh", 7)});
  ProcessEnds();
  EXPECT_EQ(TickWith({}).events.at(0).final_sample->values[v1::TASK_RUNTIME_NS], 8);
}

TEST_F(SampleBuilderTest, EndOfAThreadDoesNotBringBackWhatItsProcessHadThen) {
  auto with_memory = [](tm_task_record record, uint64_t bytes) {
    record.process[TM_P_RSS_ANON_BYTES] = bytes;
    return record;
  };
  TickWith({with_memory(TaskRecord(kShell, "sh", 7), 200), with_memory(TaskRecord(kWorker, "worker", 5), 200)});
  builder_.BeginPass(false);
  builder_.OnTask(with_memory(TaskRecord(kShell, "sh", 8), 100));
  Ring(with_memory(FinalRecord(kWorker, "worker", 6, 2 * kSecond, 0, false), 200));
  const auto result = EndTick();
  EXPECT_EQ(Find(*result.snapshot, 100)->values[v1::TASK_PM_SIZE], 100);
}

TEST_F(SampleBuilderTest, ReusedNumberIsAnotherTask) {
  TickWith({TaskRecord(kShell, "sh", 700)});
  const Who reused = Leader(100, 9 * kSecond);
  Ring(FinalRecord(kShell, "sh", 701, 2 * kSecond, 0, true));
  Ring(ForkRecord(reused, 1, "sh"));
  auto result = TickWith({TaskRecord(reused, "sh", 3)});
  ASSERT_EQ(result.snapshot->tasks.size(), 1u);
  EXPECT_EQ(result.snapshot->tasks[0]->values[v1::TASK_RUNTIME_NS], 3);
  EXPECT_EQ(result.snapshot->tasks[0]->deltas[v1::TASK_RUNTIME_NS], 3);
}

TEST_F(SampleBuilderTest, ZombieStaysUntilItIsReaped) {
  TickWith({TaskRecord(kShell, "sh", 7)});
  Ring(FinalRecord(kShell, "sh", 8, 2 * kSecond, 0, true));
  tm_task_record zombie = TaskRecord(kShell, "sh", 8);
  zombie.state = 'Z';
  auto result = TickWith({zombie});
  ASSERT_EQ(result.snapshot->tasks.size(), 1u);
  EXPECT_EQ(result.snapshot->tasks[0]->values[v1::TASK_STATE], 'Z');
  EXPECT_THAT(Types(TickWith({zombie}).events), IsEmpty());
  EXPECT_THAT(TickWith({}).snapshot->tasks, IsEmpty());
}

TEST_F(SampleBuilderTest, LostEndIsFoundByAPassOverAllAndSaid) {
  TickWith({TaskRecord(kShell, "sh", 7)});
  auto result = TickWith({}, /*all=*/true, /*lost=*/1);
  EXPECT_THAT(result.snapshot->tasks, IsEmpty());
  EXPECT_THAT(Types(result.events), ElementsAre(EventType::kGap, EventType::kGap));
  EXPECT_EQ(result.events[0].lost, 1u);
}

TEST_F(SampleBuilderTest, LostEndOfALifeThatNoPassSawIsFoundToo) {
  TickWith({TaskRecord(kShell, "sh", 7)});
  Ring(ForkRecord(Leader(200, 6 * kSecond), 100, "sh"));
  Ring(ForkRecord(kWorker, 100, "sh"));
  auto result = TickWith({TaskRecord(kShell, "sh", 8)}, /*all=*/true, /*lost=*/2);
  ASSERT_THAT(Types(result.events), ElementsAre(EventType::kFork, EventType::kFork, EventType::kGap, EventType::kGap));
  EXPECT_EQ(result.events[2].detail, "ended unseen: its final record was lost");
  EXPECT_EQ(result.events[2].task->key.tid, 200);
  TickWith({});
  EXPECT_EQ(builder_.process_count(), 1u);
  EXPECT_EQ(builder_.thread_count(), 1u);
}

TEST_F(SampleBuilderTest, TaskBornAfterAPassOverAllIsNotTakenForEnded) {
  TickWith({});
  builder_.BeginPass(true);
  Ring(ForkRecord(kShell, 1, "sh"));
  Ring(ExecRecord(Leader(200, 6 * kSecond), 200, "vi", "/bin/vi", std::string("vi\0", 3), 6 * kSecond));
  const auto events = EndTick().events;
  EXPECT_THAT(Types(events), ElementsAre(EventType::kFork, EventType::kExec));
  EXPECT_EQ(builder_.process_count(), 2u);
}

TEST_F(SampleBuilderTest, SumsOfThreadsThatEndedBeforeAreTakenOverOnce) {
  tm_task_record record = Preexisting(TaskRecord(kShell, "sh", 7));
  record.dead[TM_C_RUNTIME_NS] = 1000;
  TickWith({record});
  auto result = TickWith({record});
  EXPECT_EQ(result.snapshot->tasks[0]->values[v1::TASK_RUNTIME_NS], 1007);
}

TEST_F(SampleBuilderTest, SumsOfThreadsThatEndedBeforeAreTakenOverWhereABirthIsTheFirstWord) {
  Ring(ForkRecord(kWorker, 100, "sh"));
  tm_task_record record = Preexisting(TaskRecord(kShell, "sh", 7));
  record.dead[TM_C_RUNTIME_NS] = 1000;
  const auto result = TickWith({record, TaskRecord(kWorker, "worker", 1)});
  EXPECT_EQ(Find(*result.snapshot, 100)->values[v1::TASK_RUNTIME_NS], 1008);
}

TEST_F(SampleBuilderTest, ProcessTurningMultiThreadedLosesNoIncrease) {
  TickWith({TaskRecord(kShell, "sh", 7)});
  Ring(ForkRecord(kWorker, 100, "sh"));
  auto result = TickWith({TaskRecord(kShell, "sh", 9), TaskRecord(kWorker, "worker", 4)});
  EXPECT_EQ(Find(*result.snapshot, 100)->deltas[v1::TASK_RUNTIME_NS], 6);
  EXPECT_EQ(Find(*result.snapshot, 100, true)->deltas[v1::TASK_RUNTIME_NS], 2);
  EXPECT_EQ(Find(*result.snapshot, 101, true)->deltas[v1::TASK_RUNTIME_NS], 4);
}

TEST_F(SampleBuilderTest, MaximaAreTheLargestOfTheThreadsAndLastOneTick) {
  tm_task_record leader = TaskRecord(kShell, "sh", 7);
  leader.maxima[TM_M_OFFCPU_NS].value_ns = 30;
  tm_task_record worker = TaskRecord(kWorker, "worker", 7);
  worker.maxima[TM_M_OFFCPU_NS].value_ns = 50;
  auto result = TickWith({leader, worker});
  EXPECT_EQ(Find(*result.snapshot, 100)->values[v1::TASK_SWITCH_OFFCPU_TIME_MAX], 50);
  EXPECT_EQ(Find(*result.snapshot, 100, true)->values[v1::TASK_SWITCH_OFFCPU_TIME_MAX], 30);
  result = TickWith({TaskRecord(kShell, "sh", 8)});
  EXPECT_EQ(Find(*result.snapshot, 100)->values[v1::TASK_SWITCH_OFFCPU_TIME_MAX], 0);
}

TEST_F(SampleBuilderTest, MaximumOfAMillisecondAndMoreCarriesItsWitness) {
  tm_task_record leader = TaskRecord(kShell, "sh", 7);
  leader.maxima[TM_M_OFFCPU_NS] = {.value_ns = 3'000'000, .at_ns = kSecond, .cpu = 1, .witness = 4711};
  leader.maxima[TM_M_RUNQ_NS] = {.value_ns = 999'999, .at_ns = kSecond, .cpu = 1, .witness = 4711};
  tm_task_record worker = TaskRecord(kWorker, "worker", 7);
  worker.maxima[TM_M_OFFCPU_NS] = {.value_ns = 5'000'000, .at_ns = 2 * kSecond, .cpu = 0, .witness = 4712};
  auto result = TickWith({leader, worker});
  const TaskSample* process = Find(*result.snapshot, 100);
  EXPECT_EQ(process->values[v1::TASK_SWITCH_OFFCPU_TIME_MAX_BY], 4712)
      << "the longest of the threads, with its witness";
  EXPECT_EQ(process->values[v1::TASK_SWITCH_OFFCPU_TIME_MAX_AT], static_cast<int64_t>(2 * kSecond));
  EXPECT_EQ(Find(*result.snapshot, 100, true)->values[v1::TASK_SWITCH_OFFCPU_TIME_MAX_CPU], 1);
  EXPECT_FALSE(process->valid.test(v1::TASK_RUNQ_WAIT_TIME_MAX_BY));
}

TEST_F(SampleBuilderTest, SmapsValuesCarryTheTimeTheyWereRead) {
  TickWith({TaskRecord(kShell, "sh", 7)});
  builder_.OnSmaps({.tgid = 100, .start_ns = kShell.start_ns, .taken_boot_ns = 1500, .values = {.pss = 4096}});
  auto result = TickWith({});
  const TaskSample* process = Find(*result.snapshot, 100);
  EXPECT_EQ(process->values[v1::TASK_PSS_SIZE], 4096);
  EXPECT_EQ(process->taken_boot_ns[v1::TASK_PSS_SIZE], 1500);
  Ring(ExecRecord(kShell, 100, "new", "/bin/new", "new", 2 * kSecond));
  result = TickWith({TaskRecord(kShell, "new", 8)});
  EXPECT_FALSE(Find(*result.snapshot, 100)->valid.test(v1::TASK_PSS_SIZE)) << "exec made another address space";
}

TEST_F(SampleBuilderTest, SmapsAreReadOfThoseWantedAndOfTheLargest) {
  auto sized = [](int32_t tgid, uint64_t mib) {
    tm_task_record record = TaskRecord(Leader(tgid, kSecond), "a", 7);
    record.process[TM_P_RSS_ANON_BYTES] = mib << 20;
    return record;
  };
  std::vector<tm_task_record> records;
  for (int32_t i = 0; i < 30; ++i) records.push_back(sized(100 + i, static_cast<uint64_t>(i)));
  TickWith(records);
  auto targets = builder_.SmapsTargets({{105, kSecond}, {100, kSecond}, {99, kSecond}});
  ASSERT_EQ(targets.size(), 21u) << "105, and 110 to 129; 100 has no memory, 99 is not there";
  EXPECT_EQ(targets[0].tgid, 105);
  EXPECT_TRUE(targets[0].wanted);
  EXPECT_EQ(targets[1].tgid, 110);
  EXPECT_FALSE(targets[1].wanted);
  EXPECT_EQ(targets[1].rss_bytes, 10u << 20);

  TickWith({sized(200, 1000)});
  EXPECT_EQ(builder_.SmapsTargets({}).back().tgid, 129) << "chosen already";
  for (uint64_t i = 1; i < SampleBuilder::kSmapsChoiceTicks; ++i) TickWith({});
  targets = builder_.SmapsTargets({});
  EXPECT_EQ(targets.size(), 20u);
  EXPECT_EQ(targets.back().tgid, 200);
  EXPECT_EQ(targets.front().tgid, 111);
}

TEST_F(SampleBuilderTest, WaitInProgressOfAProcessIsItsLongest) {
  tm_task_record leader = TaskRecord(kShell, "sh", 7);
  leader.off_since_ns = 3 * kSecond;
  tm_task_record worker = TaskRecord(kWorker, "worker", 7);
  worker.off_since_ns = 2 * kSecond;
  worker.flags |= TM_TASK_IOWAIT;
  auto result = TickWith({leader, worker});
  const TaskSample* process = Find(*result.snapshot, 100);
  EXPECT_EQ(process->values[v1::TASK_OFFCPU_SINCE], static_cast<int64_t>(2 * kSecond));
  EXPECT_EQ(process->values[v1::TASK_IOWAIT_SINCE], static_cast<int64_t>(2 * kSecond));
}

TEST_F(SampleBuilderTest, MetricsOfHooksThatAreNotAttachedAreUnavailableNotZero) {
  builder_.SetAttached(HookGroups().set(TM_HOOKS_LIFECYCLE));
  auto result = TickWith({TaskRecord(kShell, "sh", 7)});
  const TaskSample& row = *result.snapshot->tasks[0];
  EXPECT_FALSE(row.valid.test(v1::TASK_SYSCALL_FAILS));
  EXPECT_FALSE(row.valid.test(v1::TASK_SWITCH_OFFCPU_TIME_MAX));
  EXPECT_FALSE(row.valid.test(v1::TASK_PSS_SIZE));
  EXPECT_TRUE(row.valid.test(v1::TASK_FORK_COUNT));
}

TEST_F(SampleBuilderTest, RenameShowsAtOnce) {
  TickWith({TaskRecord(kShell, "sh", 7), TaskRecord(kWorker, "sh", 1)});
  Ring(RenameRecord(kWorker, "named"));
  auto result = TickWith({});
  EXPECT_EQ(Find(*result.snapshot, 101, true)->info->comm, "named");
  EXPECT_EQ(Find(*result.snapshot, 100)->info->comm, "sh");
}

tm_task_record WithLookups(tm_task_record record, uint64_t lookups, uint64_t adds) {
  record.counters[TM_C_PAGE_CACHE_LOOKUPS] = lookups;
  record.counters[TM_C_PAGE_CACHE_ADDS] = adds;
  return record;
}

TEST_F(SampleBuilderTest, PageCacheHitPercentIsOfTheTickAlone) {
  TickWith({});
  auto result = TickWith({WithLookups(TaskRecord(kShell, "sh", 7), 1'000, 900)});
  EXPECT_FALSE(Find(*result.snapshot, 100)->valid.test(v1::TASK_PAGE_CACHE_HIT_PERCENT));  // of the years before
  Ring(ForkRecord(kWorker, 100, "sh"));
  result = TickWith(
      {WithLookups(TaskRecord(kShell, "sh", 8), 1'100, 925), WithLookups(TaskRecord(kWorker, "worker", 4), 10, 5)});
  EXPECT_EQ(Find(*result.snapshot, 100, true)->values[v1::TASK_PAGE_CACHE_HIT_PERCENT], 75'000);
  EXPECT_EQ(Find(*result.snapshot, 101, true)->values[v1::TASK_PAGE_CACHE_HIT_PERCENT], 50'000);
}

TEST_F(SampleBuilderTest, PageCacheHitPercentNeedsLookups) {
  TickWith({TaskRecord(kShell, "sh", 7)});
  tm_task_record record = TaskRecord(kShell, "sh", 8);
  record.counters[TM_C_PAGE_CACHE_LOOKUPS] = 100;
  record.counters[TM_C_PAGE_CACHE_ADDS] = 25;
  auto result = TickWith({record});
  EXPECT_EQ(result.snapshot->tasks[0]->values[v1::TASK_PAGE_CACHE_HIT_PERCENT], 75'000);
  record.counters[TM_C_RUNTIME_NS] = 9;
  result = TickWith({record});
  EXPECT_FALSE(result.snapshot->tasks[0]->valid.test(v1::TASK_PAGE_CACHE_HIT_PERCENT));
}

}  // namespace
}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
// Another thread than the leader calls exec, and goes on under the leader's number.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/catalogue.h"
#include "tests/unit/daemon/builder_fixture.h"

namespace taskmon::daemon {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Exec by kWorker. The old leader ran for 8, the worker for 5 under its own number.
class ExecByThreadTest : public SampleBuilderTest {
 protected:
  ExecByThreadTest() { TickWith({TaskRecord(kShell, "sh", 7), TaskRecord(kWorker, "worker", 4)}); }

  void OldLeaderEnds(int32_t tid = 100) {
    tm_task_record record = FinalRecord({tid, 100, kShell.start_ns, kShell.start_ns}, "sh", 8, 7 * kSecond, 0, false);
    record.flags |= TM_TASK_ENDED_BY_EXEC;
    Ring(record);
  }
  void WorkerLeavesItsNumber() {
    tm_task_record record = FinalRecord(kWorker, "new", 5, 7 * kSecond, 0, false);
    record.flags |= TM_TASK_BECAME_LEADER;
    Ring(record);
  }
  void WorkerExecs() { Ring(ExecRecord(kShell, 101, "new", "/bin/new", std::string("new\0", 4), 7 * kSecond)); }
  static tm_task_record Successor(tm_task_record record) {
    record.flags |= TM_TASK_SUCCESSOR;
    return record;
  }
  // Once all is over: one line for each number, none ever falling, their sums the process's.
  void ExpectLines(const SampleBuilder::Result& result, int64_t leader_line, int64_t process) {
    EXPECT_EQ(Find(*result.snapshot, 101, true), nullptr);
    ASSERT_NE(Find(*result.snapshot, 100, true), nullptr);
    EXPECT_EQ(Find(*result.snapshot, 100, true)->values[v1::TASK_RUNTIME_NS], leader_line);
    EXPECT_EQ(Find(*result.snapshot, 100)->values[v1::TASK_RUNTIME_NS], process);
    EXPECT_EQ(builder_.accounted_runtime_ns(), static_cast<uint64_t>(process));
    EXPECT_EQ(Find(*result.snapshot, 100)->info->comm, "new");
  }
  void ExpectOneEndOfTheWorkersNumber(const std::vector<Event>& events) {
    ASSERT_THAT(Types(events), ElementsAre(EventType::kExit, EventType::kExec));
    EXPECT_EQ(events[0].task->key.tid, 101);
    EXPECT_EQ(events[0].task->key.start_ns, kWorker.start_ns);
    EXPECT_EQ(events[0].task->comm, "worker");
    EXPECT_EQ(events[0].detail, "became TID 100 by exec");
    EXPECT_EQ(events[0].final_sample->values[v1::TASK_RUNTIME_NS], 5);
  }
};

TEST_F(ExecByThreadTest, EachNumberHasOneLineThatEndsOnce) {
  OldLeaderEnds();
  WorkerLeavesItsNumber();
  WorkerExecs();
  auto result = TickWith({Successor(TaskRecord(kShell, "new", 6))});
  ExpectOneEndOfTheWorkersNumber(result.events);
  ExpectLines(result, /*leader_line=*/8 + 1, /*process=*/8 + 6);
  Ring(Successor(FinalRecord(kShell, "new", 9, 8 * kSecond, 3 << 8, true)));
  result = TickWith({});
  ASSERT_THAT(Types(result.events), ElementsAre(EventType::kExit, EventType::kExit));
  EXPECT_EQ(result.events[0].final_sample->values[v1::TASK_RUNTIME_NS], 8 + 4);
  EXPECT_EQ(result.events[1].final_sample->values[v1::TASK_RUNTIME_NS], 8 + 9);
}

TEST_F(ExecByThreadTest, OldLeaderMayEndAfterwards) {
  WorkerLeavesItsNumber();
  WorkerExecs();
  OldLeaderEnds(101);
  auto result = TickWith({Successor(TaskRecord(kShell, "new", 6))});
  ExpectOneEndOfTheWorkersNumber(result.events);
  ExpectLines(result, 8 + 1, 8 + 6);
}

TEST_F(ExecByThreadTest, PassThatIsFasterThanTheRecordWaitsForIt) {
  OldLeaderEnds();
  builder_.BeginPass(false);
  builder_.OnTask(Successor(TaskRecord(kShell, "new", 6)));
  WorkerLeavesItsNumber();
  WorkerExecs();
  ExpectLines(TickWith({}), 8, 8 + 5);
  ExpectLines(TickWith({Successor(TaskRecord(kShell, "new", 6))}), 8 + 1, 8 + 6);
}

TEST_F(ExecByThreadTest, LostRecordIsMadeUpForByTheExec) {
  OldLeaderEnds();
  WorkerExecs();
  auto result = TickWith({Successor(TaskRecord(kShell, "new", 6))});
  ASSERT_THAT(Types(result.events), ElementsAre(EventType::kExit, EventType::kExec));
  ExpectLines(result, 8 + 2, 8 + 6);
}

TEST_F(ExecByThreadTest, ExecThatCameToNothingLeavesTheLeadersEnd) {
  OldLeaderEnds();
  EXPECT_THAT(Types(TickWith({}).events), IsEmpty());
  Ring(FinalRecord(kWorker, "worker", 5, 8 * kSecond, 9, true));
  const auto events = TickWith({}).events;
  ASSERT_THAT(Types(events), ElementsAre(EventType::kExit, EventType::kExit, EventType::kExit));
  EXPECT_EQ(events[1].task->key.tid, 100);
  EXPECT_TRUE(events[1].task->key.thread);
  EXPECT_EQ(events[1].boot_ns, 7 * kSecond);
  EXPECT_EQ(events[2].final_sample->values[v1::TASK_RUNTIME_NS], 8 + 5);
}

TEST_F(ExecByThreadTest, LeaderThatEndedLongBeforeHasHadItsEndTold) {
  Ring(FinalRecord(kShell, "sh", 8, 6 * kSecond, 0, false));
  EXPECT_THAT(Types(TickWith({}).events), ElementsAre(EventType::kExit));
  WorkerLeavesItsNumber();
  WorkerExecs();
  auto result = TickWith({Successor(TaskRecord(kShell, "new", 6))});
  ExpectOneEndOfTheWorkersNumber(result.events);
  ExpectLines(result, 1, 8 + 6);
}

// Of a process that was left out before, or whose records were lost, there is no line to bring together.
class UnknownExecByThreadTest : public ExecByThreadTest {
 protected:
  UnknownExecByThreadTest() {
    Ring(FinalRecord(kWorker, "worker", 4, 6 * kSecond, 0, false));
    Ring(FinalRecord(kShell, "sh", 7, 6 * kSecond, 0, true));
    TickWith({});
    before_ns_ = static_cast<int64_t>(builder_.accounted_runtime_ns());
  }
  void ExpectOneRow(const SampleBuilder::Result& result, int64_t runtime_ns) {
    ASSERT_EQ(result.snapshot->tasks.size(), 1u);
    EXPECT_EQ(Find(*result.snapshot, 100)->values[v1::TASK_RUNTIME_NS], runtime_ns);
    EXPECT_EQ(Find(*result.snapshot, 100)->info->comm, "new");
  }

  int64_t before_ns_ = 0;
};

TEST_F(UnknownExecByThreadTest, ExecAsTheFirstWordMakesARowAtOnce) {
  WorkerExecs();
  ExpectOneRow(TickWith({Successor(TaskRecord(kShell, "new", 6))}), 6);
  ExpectOneRow(TickWith({Successor(TaskRecord(kShell, "new", 9))}), 9);
}

TEST_F(UnknownExecByThreadTest, SuccessorAsTheFirstWordMakesARowAtOnce) {
  ExpectOneRow(TickWith({Successor(TaskRecord(kShell, "new", 6))}), 6);
  ExpectOneRow(TickWith({}), 6);
  ExpectOneRow(TickWith({Successor(TaskRecord(kShell, "new", 9))}), 9);
}

TEST_F(UnknownExecByThreadTest, ExecDuringThePassMakesARowAtOnce) {
  builder_.BeginPass(false);
  builder_.OnTask(Successor(TaskRecord(kShell, "new", 6)));
  WorkerExecs();
  ExpectOneRow(EndTick(), 6);
}

TEST_F(UnknownExecByThreadTest, PassThatIsFasterThanAllOfItsRecordsWaitsForThem) {
  builder_.BeginPass(false);
  builder_.OnTask(Successor(TaskRecord(kShell, "new", 6)));
  Ring(ForkRecord(kShell, 1, "sh"));
  Ring(ForkRecord(kWorker, 100, "sh"));
  OldLeaderEnds();
  WorkerLeavesItsNumber();
  WorkerExecs();
  EndTick();
  const auto result = TickWith({Successor(TaskRecord(kShell, "new", 6))});
  EXPECT_EQ(Find(*result.snapshot, 100, true)->values[v1::TASK_RUNTIME_NS], 8 + 1);
  EXPECT_EQ(Find(*result.snapshot, 100)->values[v1::TASK_RUNTIME_NS], 8 + 6);
  EXPECT_EQ(static_cast<int64_t>(builder_.accounted_runtime_ns()) - before_ns_, 8 + 6);
}

}  // namespace
}  // namespace taskmon::daemon

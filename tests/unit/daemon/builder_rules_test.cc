// SPDX-License-Identifier: Apache-2.0
// The builder together with the rules: what is shown, stored, told and answered.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/sample_builder.h"
#include "proto/catalogue.h"
#include "tests/unit/daemon/records.h"
#include "tests/unit/rules/rule_fixture.h"

namespace taskmon::daemon {
namespace {

using rules::Named;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

const Who kShell = Leader(100, 5 * kSecond);
const Who kWorker = {101, 100, 6 * kSecond, 5 * kSecond};

class BuilderRulesTest : public ::testing::Test {
 protected:
  void Build(const std::vector<Named>& named, bool keep_untracked = true) {
    std::vector<std::string> problems;
    apps_ = std::make_unique<rules::AppCatalogue>(rules::AppCatalogue::Load("", &problems));
    builder_ = std::make_unique<SampleBuilder>(SampleBuilder::Options{.boot_id = "boot",
                                                                      .memory_total_bytes = 1 << 30,
                                                                      .apps = apps_.get(),
                                                                      .admission = &admission_,
                                                                      .keep_untracked = keep_untracked});
    builder_->SetAttached(HookGroups().set());
    admission_.SetRules(rules::MakeSet(named));
  }

  template <typename Record>
  void Ring(const Record& record) {
    builder_->OnRing(record.header);
  }

  SampleBuilder::Result TickWith(const std::vector<tm_task_record>& records) {
    builder_->BeginPass(false);
    for (const tm_task_record& record : records) builder_->OnTask(record);
    ++seq_;
    return builder_->EndTick({.seq = seq_,
                              .wall_ns = static_cast<int64_t>((1000 + seq_) * kSecond),
                              .boot_ns = seq_ * kSecond,
                              .elapsed_ns = seq_ == 1 ? 0 : kSecond});
  }

  // Answers every question about names: the command line is the comm, the user and the cgroup are root's.
  void AnswerNames(const SampleBuilder::Result& result) {
    for (const NameRequest& request : result.requests) {
      NameAnswer answer{.request = request, .found = true};
      answer.cgroup.path = "/";
      answer.user = "root";
      builder_->OnNames(answer);
    }
  }

  // tid, with a "t" for threads.
  static std::vector<std::string> Rows(const Snapshot& snapshot) {
    std::vector<std::string> rows;
    for (const auto& sample : snapshot.tasks) {
      rows.push_back(std::to_string(sample->info->key.tid) + (sample->info->key.thread ? "t" : ""));
    }
    return rows;
  }

  static tm_task_record Pending(tm_task_record record, uint32_t seq) {
    record.decision = {.rule = TM_NO_RULE, .seq = seq, .verdict = TM_VERDICT_PENDING, .at = TM_DECIDED_EXEC};
    return record;
  }

  template <typename Record>
  static Record Crossed(Record record, uint32_t seq, uint32_t version = 1) {
    record.decision = {.rule = bpf::MakeRuleRef(0, false),
                       .seq = seq,
                       .rules_version = version,
                       .verdict = TM_VERDICT_WANTED,
                       .at = TM_DECIDED_THRESHOLD};
    return record;
  }

  rules::Admission admission_;
  std::unique_ptr<rules::AppCatalogue> apps_;
  std::unique_ptr<SampleBuilder> builder_;
  uint64_t seq_ = 0;
};

TEST_F(BuilderRulesTest, LifeOfAMomentHasItsRuleAndApplication) {
  Build({{"databases", "app == redis"}});
  Ring(ForkRecord(kShell, 1, "sh"));
  Ring(ExecRecord(kShell, 100, "redis-server", "/usr/bin/redis-server", "redis-server *:6379", 5 * kSecond));
  Ring(FinalRecord(kShell, "redis-server", 300'000, 5 * kSecond + 400'000, 0, true));
  const auto events = TickWith({}).events;
  ASSERT_THAT(events, SizeIs(3));
  EXPECT_THAT(events[0].task->rules, IsEmpty());
  EXPECT_EQ(events[2].task->app, "redis");
  EXPECT_THAT(events[2].task->rules, ElementsAre("databases"));
  EXPECT_EQ(admission_.matched(0), 0u) << "it lives no more";
}

TEST_F(BuilderRulesTest, WhatTheKernelSawCrossAThresholdIsTrackedForTheHoldTime) {
  Build({{"forky", "forks > 100"}}, /*keep_untracked=*/false);
  admission_.SetKernel(1, {true});
  // It was left out until now, so that nothing is known of what it did in the tick.
  auto tick = TickWith({Crossed(TaskRecord(kShell, "sh", 7), 3)});
  EXPECT_THAT(Rows(*tick.snapshot), ElementsAre("100"));
  EXPECT_THAT(tick.snapshot->tasks[0]->info->rules, ElementsAre("forky"));
  EXPECT_THAT(tick.verdicts, IsEmpty());
  ASSERT_THAT(tick.events, SizeIs(1));
  EXPECT_EQ(tick.events[0].type, EventType::kRule);
  EXPECT_EQ(tick.events[0].rule, "forky");
  for (int i = 0; i < 9; ++i) {
    tick = TickWith({Crossed(TaskRecord(kShell, "sh", 7), 3)});
    ASSERT_THAT(Rows(*tick.snapshot), ElementsAre("100")) << i;
  }
  tick = TickWith({Crossed(TaskRecord(kShell, "sh", 7), 3)});
  ASSERT_THAT(tick.verdicts, SizeIs(1)) << "the hold is over";
  EXPECT_FALSE(tick.verdicts[0].wanted);
}

TEST_F(BuilderRulesTest, AShortLifeThatTheKernelSawCrossAThresholdIsKept) {
  Build({{"forky", "total(forks) > 100"}}, /*keep_untracked=*/false);
  admission_.SetKernel(1, {true});
  Ring(Crossed(FinalRecord(kShell, "sh", 300'000, 5 * kSecond + 400'000, 0, true), 2));
  const auto events = TickWith({}).events;
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].type, EventType::kExit);
  EXPECT_THAT(events[0].task->rules, ElementsAre("forky"));
  EXPECT_EQ(admission_.matched(0), 0u);
}

TEST_F(BuilderRulesTest, WhatTheKernelDecidedByOtherRulesIsNotBelieved) {
  Build({{"forky", "forks > 100"}}, /*keep_untracked=*/false);
  admission_.SetKernel(2, {true});
  EXPECT_THAT(TickWith({Crossed(TaskRecord(kShell, "sh", 7), 3, 1)}).verdicts, SizeIs(1));
}

TEST_F(BuilderRulesTest, ChildOfATrackedProcessIsTrackedUntilItExecs) {
  Build({{"shell", "comm == sh"}});
  AnswerNames(TickWith({TaskRecord(kShell, "sh", 7)}));
  const Who child = Leader(200, 6 * kSecond);
  Ring(ForkRecord(child, 100, "sh"));
  Ring(ExecRecord(child, 200, "date", "/bin/date", "date", 6 * kSecond));
  const auto events = TickWith({}).events;
  ASSERT_THAT(events, SizeIs(2));
  EXPECT_THAT(events[0].task->rules, ElementsAre("shell"));
  EXPECT_THAT(events[1].task->rules, IsEmpty());
  EXPECT_FALSE(events[1].task->tracked);
}

TEST_F(BuilderRulesTest, ThreadsAreStoredAsTheRuleSays) {
  Build({{"shell", "comm == sh"}});
  auto set = rules::Rules({{"all", "comm == sh"}, {"top", "comm == top"}, {"none", "comm == none"}});
  set[1].threads = {.mode = rules::ThreadDetail::Mode::kTop, .top = 1};
  set[2].threads = {.mode = rules::ThreadDetail::Mode::kNone};
  admission_.SetRules(std::make_shared<const rules::RuleSet>(*rules::RuleSet::Make(set)));
  auto tick = [&](const std::string& comm, uint64_t leader_ns, uint64_t worker_ns) {
    return TickWith({TaskRecord(kShell, comm, leader_ns), TaskRecord(kWorker, "worker", worker_ns)});
  };
  auto result = tick("sh", 10, 10);
  EXPECT_THAT(Rows(*result.stored), ElementsAre("100", "100t", "101t"));
  EXPECT_EQ(result.stored, result.snapshot) << "nothing is left out, nothing is copied";
  builder_->SetStoreThreads(false);
  result = tick("sh", 10, 11);
  EXPECT_THAT(Rows(*result.stored), ElementsAre("100")) << "over the budget, whatever the rule says";
  EXPECT_THAT(Rows(*result.snapshot), ElementsAre("100", "100t", "101t"));
  builder_->SetStoreThreads(true);
  Ring(RenameRecord(kShell, "top"));
  result = tick("top", 11, 20);
  EXPECT_THAT(Rows(*result.snapshot), ElementsAre("100", "100t", "101t"));
  EXPECT_THAT(Rows(*result.stored), ElementsAre("100", "101t"));
  EXPECT_THAT(Rows(*tick("top", 30, 21).stored), ElementsAre("100", "100t"));
  Ring(RenameRecord(kShell, "none"));
  EXPECT_THAT(Rows(*tick("none", 40, 40).stored), ElementsAre("100"));
  Ring(RenameRecord(kShell, "other"));
  result = tick("other", 50, 50);
  EXPECT_THAT(Rows(*result.stored), ElementsAre("100")) << "baseline: the process alone";
  EXPECT_THAT(Rows(*result.snapshot), ElementsAre("100", "100t", "101t"));
}

TEST_F(BuilderRulesTest, WithBaselineNoneOnlyTrackedProcessesAreShownAndTold) {
  Build({{"shell", "comm == sh"}}, /*keep_untracked=*/false);
  const Who other = Leader(200, 6 * kSecond);
  auto result = TickWith({TaskRecord(kShell, "sh", 7), TaskRecord(other, "vi", 7)});
  EXPECT_THAT(Rows(*result.snapshot), ElementsAre("100"));
  EXPECT_THAT(Rows(*result.stored), ElementsAre("100"));
  Ring(FinalRecord(other, "vi", 9, 7 * kSecond, 0, true));
  Ring(FinalRecord(kShell, "sh", 9, 7 * kSecond, 0, true));
  const auto events = TickWith({}).events;
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].task->comm, "sh");
}

TEST_F(BuilderRulesTest, DroppedProcessIsNeitherShownNorStoredNorTold) {
  Build({{"-noise", "comm == vi"}});
  auto result = TickWith({TaskRecord(kShell, "vi", 7)});
  EXPECT_THAT(result.snapshot->tasks, IsEmpty());
  EXPECT_THAT(result.stored->tasks, IsEmpty());
  Ring(FinalRecord(kShell, "vi", 9, 7 * kSecond, 0, true));
  EXPECT_THAT(TickWith({}).events, IsEmpty());
  EXPECT_EQ(builder_->accounted_runtime_ns(), 9u) << "the books stay closed";
}

TEST_F(BuilderRulesTest, PromotionShowsInTheSameTickAndBringsThePast) {
  Build({{"big", "rss > 1000"}});
  auto tick = [this](uint64_t rss, uint64_t runtime_ns) {
    std::vector<tm_task_record> records = {TaskRecord(kShell, "sh", runtime_ns),
                                           TaskRecord(kWorker, "worker", runtime_ns)};
    for (tm_task_record& record : records) record.process[TM_P_RSS_ANON_BYTES] = rss;
    return TickWith(records);
  };
  tick(10, 1);
  tick(10, 2);
  auto result = tick(5000, 3);
  EXPECT_THAT(result.snapshot->tasks[0]->info->rules, ElementsAre("big"));
  EXPECT_THAT(result.snapshot->tasks[1]->info->rules, ElementsAre("big"));
  EXPECT_THAT(Rows(*result.stored), ElementsAre("100", "100t", "101t"));
  ASSERT_THAT(result.past, SizeIs(2)) << "two ticks without their threads";
  EXPECT_EQ(result.past[0].seq, 1u);
  EXPECT_THAT(result.past[0].tasks, SizeIs(2));
  std::vector<EventType> types;
  for (const Event& event : result.events) types.push_back(event.type);
  EXPECT_THAT(types, ElementsAre(EventType::kThreshold, EventType::kRule));
}

TEST_F(BuilderRulesTest, ConnectionBringsItUnderARuleAtOnce) {
  Build({{"connections", "tcp || udp"}});
  auto result = TickWith({TaskRecord(kShell, "sh", 7)});
  AnswerNames(result);
  tm_task_record connected = TaskRecord(kShell, "sh", 8);
  connected.flags |= TM_TASK_TCP_USED;
  result = TickWith({connected});
  EXPECT_THAT(result.snapshot->tasks[0]->info->rules, ElementsAre("connections"));
  const Who other = Leader(200, 6 * kSecond);
  TickWith({TaskRecord(other, "old", 1)});
  builder_->OnConnections(200, other.start_ns, TM_TASK_UDP_USED, 3 * kSecond);
  result = TickWith({});
  EXPECT_THAT(result.snapshot->tasks[1]->info->rules, ElementsAre("connections")) << "one that was open before";
  EXPECT_EQ(result.snapshot->tasks[1]->values[v1::TASK_UDP_USED], 1);
}

TEST_F(BuilderRulesTest, KernelIsAnsweredOnceForEachDecision) {
  Build({{"cmd", "cmdline =~ secret"}}, /*keep_untracked=*/false);
  auto result = TickWith({Pending(TaskRecord(kShell, "sh", 1), 5)});
  EXPECT_THAT(result.verdicts, IsEmpty()) << "its command line is not read yet";
  EXPECT_THAT(Rows(*result.snapshot), ElementsAre("100")) << "pending counts as tracked";
  AnswerNames(result);
  result = TickWith({Pending(TaskRecord(kShell, "sh", 2), 5)});
  ASSERT_THAT(result.verdicts, SizeIs(1));
  EXPECT_EQ(result.verdicts[0].decision_seq, 5u);
  EXPECT_FALSE(result.verdicts[0].wanted);
  EXPECT_THAT(TickWith({Pending(TaskRecord(kShell, "sh", 3), 5)}).verdicts, IsEmpty());
  EXPECT_THAT(TickWith({Pending(TaskRecord(kShell, "sh", 4), 6)}).verdicts, SizeIs(1));
}

TEST_F(BuilderRulesTest, TaskThatMetricsMayStillMatchIsWanted) {
  Build({{"big", "rss > 1000"}}, /*keep_untracked=*/false);
  const auto result = TickWith({Pending(TaskRecord(kShell, "sh", 1), 5)});
  ASSERT_THAT(result.verdicts, SizeIs(1));
  EXPECT_TRUE(result.verdicts[0].wanted);
  EXPECT_THAT(result.snapshot->tasks, IsEmpty()) << "watched, but not shown";
}

TEST_F(BuilderRulesTest, ProcessThatTheKernelLeavesOutIsForgottenWithoutAnEnd) {
  Build({{"named", "comm == vi"}}, /*keep_untracked=*/false);
  TickWith({TaskRecord(kShell, "vi", 1)});
  tm_task_record unwanted = TaskRecord(kShell, "sh", 2);
  unwanted.decision = {.rule = TM_NO_RULE, .seq = 2, .verdict = TM_VERDICT_UNWANTED, .at = TM_DECIDED_RENAME};
  const auto result = TickWith({unwanted});
  EXPECT_THAT(result.snapshot->tasks, IsEmpty());
  EXPECT_EQ(builder_->process_count(), 0u);
  EXPECT_EQ(builder_->accounted_runtime_ns(), 2u);
  for (const Event& event : result.events) EXPECT_NE(event.type, EventType::kGap);
}

TEST_F(BuilderRulesTest, ChildThatTheKernelLeavesOutBeforeAPassSawItIsForgotten) {
  Build({{"shell", "comm == sh"}}, /*keep_untracked=*/false);
  TickWith({TaskRecord(kShell, "sh", 1)});
  const Who child = Leader(200, 6 * kSecond);
  Ring(ForkRecord(child, 100, "sh"));
  tm_exec_record exec = ExecRecord(child, 200, "ls", "/bin/ls", std::string("ls\0", 3), 6 * kSecond);
  exec.decision = {.rule = TM_NO_RULE, .seq = 2, .verdict = TM_VERDICT_UNWANTED, .at = TM_DECIDED_EXEC};
  Ring(exec);
  EXPECT_THAT(Rows(*TickWith({}).snapshot), ElementsAre("100"));
  EXPECT_EQ(builder_->process_count(), 1u);
}

TEST_F(BuilderRulesTest, EditLeavesCountersAlone) {
  Build({{"named", "comm == sh"}});
  tm_task_record record = TaskRecord(kShell, "sh", 7);
  record.counters[TM_C_SIGNALS] = 3;
  TickWith({record});
  admission_.SetRules(rules::MakeSet({{"other", "comm == vi"}, {"again", "comm == sh"}}));
  auto result = TickWith({});
  EXPECT_THAT(result.snapshot->tasks[0]->info->rules, ElementsAre("again"));
  EXPECT_EQ(result.snapshot->tasks[0]->values[v1::TASK_SIGNAL_COUNT], 3);
  EXPECT_EQ(result.snapshot->tasks[0]->deltas[v1::TASK_SIGNAL_COUNT], 0);
  record.counters[TM_C_SIGNALS] = 5;
  result = TickWith({record});
  EXPECT_EQ(result.snapshot->tasks[0]->deltas[v1::TASK_SIGNAL_COUNT], 2);
}

TEST_F(BuilderRulesTest, EditThatChangesNothingForATaskMakesNoNewRow) {
  Build({{"named", "comm == sh"}});
  AnswerNames(TickWith({TaskRecord(kShell, "sh", 7)}));
  const auto before = TickWith({});
  const auto set = rules::MakeSet({{"named", "comm == sh"}, {"more", "comm == vi"}});
  admission_.SetRules(set);
  const auto after = TickWith({});
  EXPECT_EQ(before.snapshot->tasks[0], after.snapshot->tasks[0]);
}

}  // namespace
}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
//
// What is decided later: thresholds, and what user space must say.
#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <string>

#include "tests/bpf/rules_fixture.h"

namespace taskmon::bpf {
namespace {

TEST_F(RulesTest, ATotalIsThatOfAllThreadsDeadOnesIncluded) {
  Gate never;
  Actor actor({[] { Fork(2); },
               [&] {
                 StartThread([&] {
                   Fork(1);
                   never.Await();
                 });
                 pthread_join(StartThread([] { Fork(1); }), nullptr);
               },
               [] { pthread_join(StartThread([] { Fork(3); }), nullptr); }});
  SetRules(FilterByThreshold(KernelThreshold::Of::kTotal, TM_C_FORKS, 6));
  actor.Act();
  EXPECT_TRUE(IsLeftOut(actor.tid()));
  actor.Act();  // 4
  EXPECT_TRUE(IsLeftOut(actor.tid()));
  actor.Act();                                                   // 7
  ASSERT_TRUE(Eventually([&] { return IsSent(actor.tid()); }));  // the thread's last switch comes after its join
  ExpectWanted(actor.tid(), TM_DECIDED_THRESHOLD);
}

TEST_F(RulesTest, WhatWasCountedBeforeThereWasAThresholdIsNoRate) {
  Actor actor({[] { Fork(200); }});
  Pass();
  actor.Act();
  SetRules(FilterByThreshold(KernelThreshold::Of::kRate, TM_C_FORKS, 1));
  EXPECT_TRUE(IsLeftOut(actor.tid()));
}

TEST_F(RulesTest, ARateAboveTheLimitIsSeen) {
  Actor actor({[] { Fork(50); }}), idle({});
  SetRules(FilterByThreshold(KernelThreshold::Of::kRate, TM_C_FORKS, 1));
  Pass();
  Pass();
  actor.Act();  // 50 of them would have to take 50 s
  ExpectWanted(actor.tid(), TM_DECIDED_THRESHOLD);
  EXPECT_TRUE(IsLeftOut(idle.tid()));
  ExpectWanted(actor.tid(), TM_DECIDED_THRESHOLD);
}

TEST_F(RulesTest, OneInALongTimeIsMoreThanNone) {
  Actor actor({[] { Fork(1); }}), idle({});
  SetRules(FilterByThreshold(KernelThreshold::Of::kRate, TM_C_FORKS, 0));
  Pass();
  Pass();
  usleep(1'200'000);
  actor.Act();  // 0.8 a second
  ExpectWanted(actor.tid(), TM_DECIDED_THRESHOLD);
  EXPECT_TRUE(IsLeftOut(idle.tid()));
}

TEST_F(RulesTest, AMaximumOfTheClosedWindowIsSeen) {
  AttachOrSkip(TM_HOOKS_SCHED);
  if (IsSkipped()) return;
  Actor actor({[] { usleep(120'000); }});
  SetRules(FilterByThreshold(KernelThreshold::Of::kMaximum, TM_M_OFFCPU_NS, 100'000'000));
  Pass();
  actor.Act();
  const auto task = PassOf(actor.tid());
  EXPECT_EQ(task.decision.at, TM_DECIDED_THRESHOLD);
  EXPECT_GT(task.maxima[TM_M_OFFCPU_NS].value_ns, 100'000'000u);
}

TEST_F(RulesTest, AShortLifeThatCrossesAThresholdIsNotLost) {
  SetRules(FilterByThreshold(KernelThreshold::Of::kTotal, TM_C_FORKS, 3));
  const auto final = FinalOf([] {
    Fork(4);
    return 0;
  });
  EXPECT_EQ(final.decision.at, TM_DECIDED_THRESHOLD);
  EXPECT_EQ(final.counters[TM_C_FORKS], 4u);
}

TEST_F(RulesTest, WhatAThresholdDecidedUserSpaceCanTakeBack) {
  Actor actor({[] { Fork(3); }, [] { Fork(3); }});
  SetRules(FilterByThreshold(KernelThreshold::Of::kRate, TM_C_FORKS, 0));
  Pass();
  Pass();
  actor.Act();
  const auto task = PassOf(actor.tid());
  EXPECT_EQ(task.decision.at, TM_DECIDED_THRESHOLD);
  Tell(Answer(task, false));
  ExpectDropped(actor.tid(), TM_DECIDED_USER);
  actor.Act();
  ExpectWanted(actor.tid(), TM_DECIDED_THRESHOLD);
}

TEST_F(RulesTest, WhatWasCrossedStaysCrossedUnderTheSameThresholds) {
  Actor actor({[] { Fork(3); }});
  KernelRules rules = FilterByThreshold(KernelThreshold::Of::kRate, TM_C_FORKS, 0);
  SetRules(rules);
  Pass();
  Pass();
  actor.Act();
  ExpectWanted(actor.tid(), TM_DECIDED_THRESHOLD);
  rules.comms = {{"tm-other", {.rule = kTrack}}};
  SetRules(rules);
  ExpectWanted(actor.tid(), TM_DECIDED_RULES);
  rules.thresholds[0].limit = 1'000'000;
  SetRules(rules);
  ExpectDropped(actor.tid(), TM_DECIDED_RULES);
}

TEST_F(RulesTest, APendingTaskIsSentUntilUserSpaceAnswers) {
  Gate never;
  Actor actor({[&] { StartThread([&] { never.Await(); }); }, [] { prctl(PR_SET_NAME, "tm-renamed"); }});
  KernelRules rules = Filter();
  rules.first_user_rule = kTrack;
  SetRules(rules);
  actor.Act();
  const auto pending = PassOf(actor.tid());
  EXPECT_EQ(pending.decision.verdict, TM_VERDICT_PENDING);
  Tell(Answer(pending, false));
  ExpectDropped(actor.tid(), TM_DECIDED_USER);
  for (const auto& [tid, task] : Pass()) EXPECT_NE(task.id.tgid, actor.tid()) << "its threads follow";
  actor.Act();
  const auto again = PassOf(actor.tid());
  EXPECT_EQ(again.decision.verdict, TM_VERDICT_PENDING) << "a new name asks a new question";
  EXPECT_NE(again.decision.seq, pending.decision.seq);
  Tell(Answer(pending, false));
  EXPECT_EQ(PassOf(actor.tid()).decision.verdict, TM_VERDICT_PENDING) << "an answer to the old one is void";
  Tell(Answer(again, true));
  EXPECT_EQ(PassOf(actor.tid()).decision.verdict, TM_VERDICT_WANTED);
  Tell(Answer(again, false));
  ExpectDropped(actor.tid(), TM_DECIDED_USER);
}

TEST_F(RulesTest, ARuleBeforeTheFirstOfUserSpaceLeavesNothingPending) {
  Actor first({}, "tm-first"), dropped({}, "tm-dropped"), after({}, "tm-after");
  KernelRules rules = Filter();
  rules.comms = {{"tm-first", {.rule = MakeRuleRef(0, false)}},
                 {"tm-dropped", {.rule = MakeRuleRef(1, true)}},
                 {"tm-after", {.rule = MakeRuleRef(3, false)}}};
  rules.first_user_rule = MakeRuleRef(2, false);
  SetRules(rules);
  ExpectWanted(first.tid(), TM_DECIDED_START, MakeRuleRef(0, false));
  EXPECT_TRUE(IsLeftOut(dropped.tid()));
  const auto pending = PassOf(after.tid());
  EXPECT_EQ(pending.decision.verdict, TM_VERDICT_PENDING);
  EXPECT_EQ(pending.decision.rule, MakeRuleRef(3, false)) << "what it comes to if user space has nothing to say";
}

TEST_F(RulesTest, AnsweredOnceAnIdleTaskIsLookedAtAgain) {
  Actor actor({});
  KernelRules rules = Filter();
  rules.first_user_rule = kTrack;
  SetRules(rules);
  const auto pending = PassOf(actor.tid());
  ASSERT_TRUE(Eventually([&] { return Pass(false).count(actor.tid()) == 0; }));
  Tell(Answer(pending, true));
  EXPECT_EQ(PassOf(actor.tid(), false).decision.at, TM_DECIDED_USER);
}

TEST_F(RulesTest, AnAnswerAndWhatIsToldOfConnectionsDoNotDisplaceEachOther) {
  Actor first({}), second({});
  const auto told = PassOf(first.tid()), answered = PassOf(second.tid());
  KernelRules rules = Filter();
  rules.first_user_rule = kTrack;
  SetRules(rules);
  for (const auto* task : {&told, &answered}) {
    Tell({.tgid = task->id.tgid, .start_ns = task->id.process_start_ns, .used = TM_TASK_TCP_USED});
  }
  const auto first_pending = PassOf(first.tid()), second_pending = PassOf(second.tid());
  EXPECT_EQ(first_pending.decision.verdict, TM_VERDICT_PENDING);
  Tell(Answer(first_pending, false));
  Tell({.tgid = told.id.tgid, .start_ns = told.id.process_start_ns, .used = TM_TASK_TCP_USED});
  Tell({.tgid = answered.id.tgid, .start_ns = answered.id.process_start_ns, .used = TM_TASK_UDP_USED});
  Tell(Answer(second_pending, false));
  const auto tasks = Pass();
  EXPECT_EQ(tasks.at(first.tid()).decision.at, TM_DECIDED_USER) << "it was told before: nothing new";
  EXPECT_TRUE(tasks.at(second.tid()).flags & TM_TASK_UDP_USED);
}

TEST_F(RulesTest, VerdictsBeyondTheLimitAreCounted) {
  std::vector<UserVerdict> verdicts(kMaxUserVerdicts + 10);
  for (size_t i = 0; i < verdicts.size(); ++i) verdicts[i] = {.tgid = static_cast<int32_t>(i + 1), .start_ns = i};
  EXPECT_TRUE(absl::IsResourceExhausted(probe_->SetVerdicts(verdicts)));
  EXPECT_GE(probe_->Drops()[TM_DROP_VERDICT], 10u);
  Pass();
  EXPECT_TRUE(probe_->SetVerdicts(std::span(verdicts).first(1000)).ok()) << "a pass makes room";
}

}  // namespace
}  // namespace taskmon::bpf

// SPDX-License-Identifier: Apache-2.0
//
// Along a life: inheritance, new programs and names, new rules; and the books of what is left out.
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "tests/bpf/rules_fixture.h"

namespace taskmon::bpf {
namespace {

TEST_F(RulesTest, AChildInheritsWhatItsParentIs) {
  SetRules(FilterByName("tm-actor"));
  Actor wanted({[] { Fork(1); }}), unwanted({[] { Fork(1); }}, "tm-other");
  wanted.Act();
  unwanted.Act();
  Drain();
  size_t forks = 0;
  for (const RingRecord& record : ring_) {
    if (record.kind() != TM_RECORD_FORK) continue;
    const auto& fork = record.As<tm_fork_record>();
    EXPECT_NE(fork.parent_tgid, unwanted.tid());
    if (fork.parent_tgid != wanted.tid()) continue;
    ++forks;
    EXPECT_EQ(fork.decision.at, TM_DECIDED_FORK);
    EXPECT_EQ(fork.decision.verdict, TM_VERDICT_WANTED);
    EXPECT_EQ(fork.decision.rule, kTrack);
    EXPECT_EQ(AwaitFinals(fork.id.tgid, 1).size(), 1u);
  }
  EXPECT_EQ(forks, 1u);
}

TEST_F(RulesTest, ExecMatchesAnew) {
  SetRules(FilterByName("sh"));
  const uint64_t before = probe_->left_out().records;
  const auto final = FinalOf([] {
    execl("/bin/sh", "sh", "-c", "exit 3", nullptr);
    return 1;
  });
  EXPECT_EQ(WEXITSTATUS(final.exit_code), 3);
  EXPECT_EQ(final.decision.at, TM_DECIDED_EXEC);
  EXPECT_EQ(Of<tm_fork_record>(TM_RECORD_FORK, final.id.tgid).size(), 0u) << "nobody wanted it then";
  EXPECT_GT(probe_->left_out().records, before);
  const auto exec = Of<tm_exec_record>(TM_RECORD_EXEC, final.id.tgid);
  ASSERT_EQ(exec.size(), 1u);
  EXPECT_EQ(exec.front().decision.rule, kTrack);
}

TEST_F(RulesTest, AnExecThatLosesTheRuleIsTheLastThatIsHeard) {
  SetRules(FilterByName("tm-actor"));
  const LeftOut before = probe_->left_out();
  Child child([] {
    prctl(PR_SET_NAME, "tm-actor");
    execl("/bin/sh", "sh", "-c", "exit 0", nullptr);
    return 1;
  });
  child.Go();
  child.Wait();
  ASSERT_TRUE(Eventually([&] { return probe_->left_out().lives > before.lives; }));
  const auto exec = Of<tm_exec_record>(TM_RECORD_EXEC, child.tid());
  ASSERT_EQ(exec.size(), 1u);
  EXPECT_EQ(exec.front().decision.verdict, TM_VERDICT_UNWANTED);
  EXPECT_EQ(Finals(child.tid()).size(), 0u);
}

TEST_F(RulesTest, ARenameMatchesAnew) {
  Actor actor({[] { prctl(PR_SET_NAME, "tm-wanted"); }, [] { prctl(PR_SET_NAME, "tm-unwanted"); }});
  SetRules(FilterByName("tm-wanted"));
  EXPECT_TRUE(IsLeftOut(actor.tid()));
  actor.Act();
  const auto renames = Of<tm_rename_record>(TM_RECORD_RENAME, actor.tid());
  ASSERT_FALSE(renames.empty());
  EXPECT_EQ(renames.back().decision.at, TM_DECIDED_RENAME);
  EXPECT_EQ(renames.back().decision.verdict, TM_VERDICT_WANTED);
  ExpectWanted(actor.tid(), TM_DECIDED_RENAME);
  actor.Act();
  EXPECT_EQ(Of<tm_rename_record>(TM_RECORD_RENAME, actor.tid()).back().decision.verdict, TM_VERDICT_UNWANTED);
  EXPECT_FALSE(IsSent(actor.tid())) << "the rename has told it";
}

TEST_F(RulesTest, AThreadsNameIsNoMatter) {
  Gate never;
  Actor actor({[&] {
    Gate renamed;
    StartThread([&] {
      prctl(PR_SET_NAME, "tm-thread");
      renamed.Signal();
      never.Await();
    });
    renamed.Await();
  }});
  KernelRules rules = FilterByName("tm-actor");
  rules.comms.push_back({"tm-thread", {.rule = MakeRuleRef(0, true)}});
  SetRules(rules);
  actor.Act();
  size_t threads = 0;
  for (const auto& [tid, task] : Pass()) {
    if (task.id.tgid != actor.tid()) continue;
    EXPECT_EQ(task.decision.rule, kTrack) << task.comm;
    ++threads;
  }
  EXPECT_EQ(threads, 2u);
}

TEST_F(RulesTest, ExecByAThreadIsDecidedForTheProcess) {
  SetRules(FilterByName("sh"));
  Child child([]() -> int {
    StartThread([] {
      execl("/bin/sh", "sh", "-c", "exit 4", nullptr);
      std::abort();
    });
    for (;;) pause();
  });
  child.Go();
  ASSERT_EQ(WEXITSTATUS(child.Wait()), 4);
  const auto finals = AwaitFinals(child.tid(), 1);
  ASSERT_FALSE(finals.empty());
  EXPECT_EQ(finals.back().id.tid, child.tid());
  EXPECT_EQ(finals.back().decision.rule, kTrack);
  EXPECT_TRUE(finals.back().flags & TM_TASK_GROUP_DEAD);
}

TEST_F(RulesTest, NewRulesReachIdleTasksAndKeepTheirCounters) {
  Actor actor({[] { Fork(5); }, [] { Fork(2); }});
  SetRules(FilterByName("tm-actor"));
  actor.Act();
  ASSERT_TRUE(Eventually([&] { return Pass(false).count(actor.tid()) == 0; }));
  KernelRules rules = FilterByName("tm-actor", kLater);
  rules.version = 7;
  SetRules(rules);
  const auto task = PassOf(actor.tid(), false);
  EXPECT_EQ(task.decision.rule, kLater);
  EXPECT_EQ(task.decision.at, TM_DECIDED_RULES);
  EXPECT_EQ(task.decision.rules_version, 7u);
  EXPECT_EQ(task.counters[TM_C_FORKS], 5u);
  actor.Act();
  EXPECT_EQ(PassOf(actor.tid(), false).counters[TM_C_FORKS], 7u);
}

TEST_F(RulesTest, WhoComesToBeWantedIsCompleteFromBirth) {
  Gate never;
  SetRules(FilterByName("tm-nobody"));
  Actor actor({[&] {
                 Fork(5);
                 for (int i = 0; i < 3; ++i) pthread_join(StartThread([] { Fork(2); }), nullptr);
                 StartThread([&] { never.Await(); });
                 Spin(30'000'000);
               },
               [] { prctl(PR_SET_NAME, "tm-wanted"); }});
  actor.Act();
  EXPECT_TRUE(IsLeftOut(actor.tid()));
  SetRules(FilterByName("tm-wanted"));
  EXPECT_TRUE(IsLeftOut(actor.tid()));
  actor.Act();
  tm_task_record task{};
  ASSERT_TRUE(Eventually([&] {  // the threads' last switches come after their join
    task = PassOf(actor.tid());
    return task.dead[TM_C_FORKS] == 6;
  })) << task.dead[TM_C_FORKS];
  EXPECT_EQ(task.counters[TM_C_FORKS], 5u);
  EXPECT_EQ(task.counters[TM_C_THREADS], 4u);
  EXPECT_GT(task.counters[TM_C_RUNTIME_NS], 30'000'000u);
  size_t threads = 0;
  for (const auto& [tid, each] : Pass()) threads += each.id.tgid == actor.tid();
  EXPECT_EQ(threads, 2u);
}

uint64_t CpuNs(const rusage& usage) {
  auto ns = [](const timeval& t) {
    return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_usec) * 1000;
  };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

TEST_F(RulesTest, CpuTimeOfWhatIsLeftOutIsCounted) {
  SetRules(AllBut("tm-unwanted"));
  Gate spun, go_on;
  Child child([&] {
    prctl(PR_SET_NAME, "tm-unwanted");
    Spin(100'000'000);
    spun.Signal();
    go_on.Await();
    Spin(50'000'000);
    return 0;
  });
  Pass();
  const LeftOut before = probe_->left_out();
  child.Go();
  spun.Await();
  Pass();
  const LeftOut alive = probe_->left_out();
  EXPECT_EQ(alive.tasks, 1u);
  EXPECT_EQ(alive.processes, 1u);
  EXPECT_GE(alive.live_ns - before.live_ns, 100'000'000u);
  go_on.Signal();
  rusage usage{};
  child.Wait(&usage);
  ASSERT_TRUE(Eventually([&] { return probe_->left_out().lives == before.lives + 1; }));
  const LeftOut after = probe_->left_out();
  EXPECT_EQ(Finals(child.tid()).size(), 0u);
  EXPECT_GE(after.dead_ns - before.dead_ns, 50'000'000u);
  const uint64_t counted = after.live_ns - before.live_ns + after.dead_ns - before.dead_ns;
  // What it spent before it had its name was told by its fork record's pass: a few ms at the most.
  EXPECT_NEAR(static_cast<double>(counted), static_cast<double>(CpuNs(usage)), 20e6);
}

TEST_F(RulesTest, CpuTimeIsAccountedOnceWhicheverWayItGoes) {
  SetRules(AllBut("tm-unwanted"));
  Actor actor({[] { Spin(20'000'000); },
               [] {
                 prctl(PR_SET_NAME, "tm-unwanted");
                 Spin(40'000'000);
               },
               [] { prctl(PR_SET_NAME, "tm-actor"); }});
  const LeftOut before = probe_->left_out();
  uint64_t told = 0;
  auto pass = [&] {
    for (const auto& [tid, task] : Pass()) {
      if (tid == actor.tid()) told += task.counters[TM_C_RUNTIME_NS] - task.accounted_ns;
    }
  };
  pass();
  for (int i = 0; i < 3; ++i) {
    actor.Act();
    pass();
  }
  const auto last = PassOf(actor.tid());
  told += last.counters[TM_C_RUNTIME_NS] - last.accounted_ns;
  const uint64_t left_out = probe_->left_out().live_ns - before.live_ns;
  EXPECT_GE(left_out, 40'000'000u);
  EXPECT_EQ(told + left_out, last.counters[TM_C_RUNTIME_NS]);
}

TEST_F(RulesTest, IdleTasksThatAreLeftOutAreCountedToo) {
  Actor one({}, "tm-unwanted"), other({}, "tm-unwanted");
  SetRules(AllBut("tm-unwanted"));
  for (int i = 0; i < 4; ++i) {
    Pass(i % 2 == 0);
    if (i > 0) {
      EXPECT_EQ(probe_->left_out().tasks, 2u) << i;
    }
  }
}

TEST_F(RulesTest, WithUnwantedSentTheRecordsSayWhoIs) {
  KernelRules rules = FilterByName("tm-actor");
  rules.send_unwanted = true;
  SetRules(rules);
  Actor wanted({}), unwanted({}, "tm-other");
  ExpectWanted(wanted.tid(), TM_DECIDED_RENAME);
  const auto decision = Decision(unwanted.tid());
  ASSERT_TRUE(decision.has_value());
  EXPECT_EQ(decision->verdict, TM_VERDICT_UNWANTED);
  EXPECT_EQ(decision->rule, kNoRule);
  EXPECT_EQ(probe_->left_out().tasks, 0u);
  rules.send_unwanted = false;
  SetRules(rules);
  ExpectDropped(unwanted.tid(), TM_DECIDED_RULES);
  ExpectWanted(wanted.tid(), TM_DECIDED_RULES);
}

// Each of two sets takes the process under a rule of its own: no decision may mix them.
TEST_F(RulesTest, NoEventSeesHalfASet) {
  KernelRules sets[2];
  for (uint32_t i = 0; i < 2; ++i) {
    sets[i] = Filter(i);
    sets[i].comms = {{"tm-a", {.rule = kNoRule, .tests = 1}}, {"tm-b", {.rule = kNoRule, .tests = 1}}};
    sets[i].prefixes = {{"tm-", {.rule = kNoRule, .tests = 2}}};
    sets[i].terms = {{.yes = 3, .no = 0, .rule = MakeRuleRef(10 + i, false)}};
  }
  SetRules(sets[0]);
  Child child([]() -> int {
    for (;;) {
      prctl(PR_SET_NAME, "tm-a");
      prctl(PR_SET_NAME, "tm-b");
      usleep(100);
    }
  });
  child.Go();
  size_t seen[2] = {};
  for (int round = 1; round <= 20; ++round) {
    SetRules(sets[round % 2]);
    for (const auto& rename : Of<tm_rename_record>(TM_RECORD_RENAME, child.tid())) {
      if (rename.decision.rule == kNoRule) continue;  // its name before the first rename
      ++seen[rename.decision.rules_version];
      ASSERT_EQ(rename.decision.rule, MakeRuleRef(10 + rename.decision.rules_version, false));
    }
    ring_.clear();
  }
  EXPECT_GT(seen[0], 0u);
  EXPECT_GT(seen[1], 0u);
}

TEST_F(RulesTest, ThousandsOfNamesAreFound) {
  KernelRules rules = Filter();
  for (uint32_t i = 0; i < 60'000; ++i) rules.comms.push_back({"name-" + std::to_string(i), {.rule = kLater}});
  rules.comms.push_back({"tm-actor", {.rule = kTrack}});
  Actor actor({}), other({}, "tm-other");
  SetRules(rules);
  ExpectWanted(actor.tid(), TM_DECIDED_START);
  EXPECT_TRUE(IsLeftOut(other.tid()));
}

class LimitTest : public RulesTest {
 protected:
  void ExpectRefused(const KernelRules& rules, const std::string& what) {
    const absl::Status set = probe_->SetRules(rules);
    EXPECT_TRUE(absl::IsInvalidArgument(set)) << set;
    EXPECT_NE(std::string(set.message()).find(what), std::string::npos) << set;
  }
};

TEST_F(LimitTest, WhatDoesNotFitIsRefusedByNameAndChangesNothing) {
  Actor actor({});
  SetRules(FilterByName("tm-actor"));
  KernelRules rules = FilterByName("a name of more than 15 bytes");
  ExpectRefused(rules, "at most 15 bytes: a name of more");
  rules = Filter();
  rules.prefixes = {{"one", {}}, {"one", {}}};
  ExpectRefused(rules, "one stands twice");
  rules = Filter();
  rules.terms.resize(kMaxKernelTerms + 1);
  ExpectRefused(rules, "65 terms");
  rules = Filter();
  rules.thresholds.resize(kMaxKernelThresholds + 1, {.of = KernelThreshold::Of::kMaximum});
  ExpectRefused(rules, "17 thresholds");
  rules = FilterByThreshold(KernelThreshold::Of::kTotal, TM_C_RUNTIME_NS, 1);
  ExpectRefused(rules, "no counter 0");
  rules = FilterByThreshold(KernelThreshold::Of::kMaximum, TM_M_MAX, 1);
  ExpectRefused(rules, "no maximum 4");
  rules = Filter();
  for (uint32_t i = 0; i <= kMaxKernelNames; ++i) rules.uids.push_back({i, {}});
  ExpectRefused(rules, "65537 owners");
  ExpectWanted(actor.tid(), TM_DECIDED_START);
}

}  // namespace
}  // namespace taskmon::bpf

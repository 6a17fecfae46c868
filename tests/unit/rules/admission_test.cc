// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/admission.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/rules/rule_fixture.h"

namespace taskmon::rules {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A few processes that live from tick to tick.
class AdmissionTest : public ::testing::Test {
 protected:
  struct Living {
    std::shared_ptr<TaskInfo> info = std::make_shared<TaskInfo>();
    Standing standing;
    std::optional<bool> tcp = false;
    bool names_known = true;
    bool cgroup_known = true;
    int64_t rss = 0;
    int64_t iowait_since_ns = 0;
    TaskSample sample;
    bool idle = false;  // keeps the sample of its last tick awake
  };

  void SetRules(const std::vector<Named>& named) { admission_.SetRules(MakeSet(named)); }

  Living* Add(const std::string& comm, Occasion occasion = Occasion::kExec) {
    auto living = std::make_unique<Living>();
    living->info->comm = comm;
    living->info->key = {.start_ns = 1, .tid = static_cast<int32_t>(100 + living_.size())};
    living->info->tgid = living->info->key.tid;
    living_.push_back(std::move(living));
    Decide(living_.back().get(), occasion);
    return living_.back().get();
  }

  bool Decide(Living* living, Occasion occasion) {
    return admission_.Decide({.info = living->info.get(),
                              .tcp_used = living->tcp,
                              .udp_used = false,
                              .names_known = living->names_known,
                              .cgroup_known = living->cgroup_known},
                             occasion, boot_ns_, &living->standing);
  }

  void Rename(Living* living, const std::string& comm, Occasion occasion = Occasion::kRename) {
    living->info->comm = comm;
    Decide(living, occasion);
  }

  void Sample(Living* living) {
    TaskSample& sample = living->sample;
    sample.info = living->info;
    sample.tick_seq = seq_;
    const std::pair<v1::Metric, int64_t> values[] = {{v1::TASK_PM_SIZE, living->rss},
                                                     {v1::TASK_IO_WAIT_TIME_MAX, 0},
                                                     {v1::TASK_IOWAIT_SINCE, living->iowait_since_ns}};
    for (const auto& [metric, value] : values) {
      sample.valid.set(metric);
      sample.values.Set(metric, value);
    }
  }

  // One tick of a second: everybody's row is asked about.
  std::vector<Event> Tick() {
    boot_ns_ += kSecond;
    snapshot_.tick = {.seq = ++seq_, .boot_ns = boot_ns_, .elapsed_ns = kSecond};
    admission_.BeginTick(snapshot_);
    for (const auto& living : living_) {
      if (admission_.IsOutdated(living->standing)) Decide(living.get(), Occasion::kRules);
      if (!living->idle) Sample(living.get());
      admission_.Tick({.snapshot = &snapshot_, .sample = &living->sample}, &living->standing);
    }
    return admission_.TakeEvents();
  }

  static std::string RuleOf(const Living* living) {
    const RulePtr& rule = living->standing.now.rule;
    return rule == nullptr ? "" : rule->rule.name;
  }

  static std::vector<std::string> Said(const std::vector<Event>& events) {
    std::vector<std::string> said;
    for (const Event& event : events) {
      const char* type = event.type == EventType::kThreshold ? "threshold " : "rule ";
      said.push_back(type + event.rule + (event.begins ? " begins" : " ends"));
    }
    return said;
  }

  Admission admission_;
  std::vector<std::unique_ptr<Living>> living_;
  Snapshot snapshot_;
  uint64_t boot_ns_ = 1000 * kSecond;
  uint64_t seq_ = 0;
};

TEST_F(AdmissionTest, FirstRuleByOrderThatMatchesDecides) {
  SetRules({{"-noise", "comm == cron"}, {"named", "comm in (cron, nginx)"}, {"root", "uid == 0"}});
  EXPECT_EQ(RuleOf(Add("nginx")), "named");
  const Living* cron = Add("cron");
  EXPECT_EQ(RuleOf(cron), "noise");
  EXPECT_EQ(cron->standing.now.outcome, Outcome::kDropped);
  EXPECT_EQ(RuleOf(Add("sh")), "root");
}

TEST_F(AdmissionTest, TaskThatNoRuleWantsIsBaseline) {
  SetRules({{"named", "comm == nginx"}, {"!off", "comm == sh"}});
  const Living* sh = Add("sh");
  EXPECT_EQ(sh->standing.now.outcome, Outcome::kBaseline);
  EXPECT_FALSE(sh->standing.may_match);
}

TEST_F(AdmissionTest, ChildIsAsItsParentUntilItExecs) {
  SetRules({{"named", "comm == nginx"}, {"rest", "comm == date"}});
  Living* nginx = Add("nginx");
  Living* child = Add("x");
  admission_.Inherit(nginx->standing, boot_ns_, &child->standing);
  EXPECT_EQ(RuleOf(child), "named");
  EXPECT_EQ(child->standing.now.occasion, Occasion::kBorn);
  EXPECT_EQ(admission_.matched(0), 2u);
  Rename(child, "date", Occasion::kExec);
  EXPECT_EQ(RuleOf(child), "rest");
  ASSERT_THAT(child->standing.before, SizeIs(1));
  EXPECT_EQ(child->standing.before[0].rule->rule.name, "named");
  EXPECT_EQ(admission_.matched(0), 1u);
}

TEST_F(AdmissionTest, ConnectionOfTheParentStaysWithTheChildUntilItChanges) {
  SetRules({{"connections", "tcp || udp"}});
  Living* server = Add("server");
  EXPECT_EQ(RuleOf(server), "");
  server->tcp = true;
  Decide(server, Occasion::kConnection);
  EXPECT_EQ(RuleOf(server), "connections");
  Living* worker = Add("server");
  admission_.Inherit(server->standing, boot_ns_, &worker->standing);
  Decide(worker, Occasion::kNames);
  EXPECT_EQ(RuleOf(worker), "connections") << "nothing has changed since it was born";
  Rename(worker, "tool", Occasion::kExec);
  EXPECT_EQ(RuleOf(worker), "");
}

TEST_F(AdmissionTest, RenameOwnerAndCgroupAreMatchedAgain) {
  SetRules({{"named", "comm == nginx"}, {"owner", "uid == 33"}, {"unit", "unit == web.service"}});
  Living* task = Add("sh");
  task->info->uid = 1;
  Rename(task, "nginx");
  EXPECT_EQ(RuleOf(task), "named");
  Rename(task, "sh");
  EXPECT_EQ(RuleOf(task), "");
  task->info->uid = 33;
  Decide(task, Occasion::kOwner);
  EXPECT_EQ(RuleOf(task), "owner");
  task->info->uid = 1;
  task->info->unit = "web.service";
  Decide(task, Occasion::kCgroup);
  EXPECT_EQ(RuleOf(task), "unit");
  EXPECT_EQ(task->standing.now.occasion, Occasion::kCgroup);
}

TEST_F(AdmissionTest, UntilItsNamesAreReadATaskIsPending) {
  SetRules({{"kernel", "kthread"}, {"cmdline", "cmdline =~ \"x\""}, {"named", "comm == nginx"}});
  Living* task = Add("sh");
  task->names_known = false;
  Rename(task, "nginx", Occasion::kStart);
  EXPECT_EQ(task->standing.now.outcome, Outcome::kPending);
  EXPECT_TRUE(task->standing.tracked());
  task->names_known = true;
  Decide(task, Occasion::kNames);
  EXPECT_EQ(RuleOf(task), "named");
  Living* kernel_thread = Add("kswapd0");
  kernel_thread->info->kthread = true;
  kernel_thread->names_known = false;
  Decide(kernel_thread, Occasion::kStart);
  EXPECT_EQ(RuleOf(kernel_thread), "kernel") << "no rule before it reads names";
}

TEST_F(AdmissionTest, OnlyWhatARuleReadsIsWaitedFor) {
  SetRules({{"cmdline", "cmdline =~ x"}, {"named", "comm == nginx"}, {"unit", "unit == web.service"}});
  Living* task = Add("nginx");
  task->cgroup_known = false;
  Decide(task, Occasion::kExec);
  EXPECT_EQ(RuleOf(task), "named") << "before any rule that reads a cgroup";
  Rename(task, "sh", Occasion::kExec);
  EXPECT_EQ(task->standing.now.outcome, Outcome::kPending);
  task->names_known = false;
  task->cgroup_known = true;
  Decide(task, Occasion::kNames);
  EXPECT_EQ(task->standing.now.outcome, Outcome::kPending);
  task->names_known = true;
  Decide(task, Occasion::kNames);
  EXPECT_EQ(task->standing.now.outcome, Outcome::kBaseline);
}

TEST_F(AdmissionTest, MetricsPromoteAndTheRuleHolds) {
  SetRules({{"big", "rss > 100"}, {"named", "comm == nginx"}});
  Living* task = Add("nginx");
  EXPECT_THAT(Said(Tick()), IsEmpty());
  EXPECT_EQ(RuleOf(task), "named");
  task->rss = 200;
  EXPECT_THAT(Said(Tick()), ElementsAre("threshold big begins", "rule named ends", "rule big begins"));
  EXPECT_EQ(RuleOf(task), "big");
  EXPECT_EQ(task->standing.now.occasion, Occasion::kThreshold);
  EXPECT_EQ(task->standing.now.detail, "rss 200, beyond 100");
  task->rss = 50;
  EXPECT_THAT(Said(Tick()), ElementsAre("threshold big ends"));
  for (int i = 0; i < 9; ++i) {
    EXPECT_EQ(RuleOf(task), "big") << i;
    EXPECT_THAT(Said(Tick()), IsEmpty());
  }
  EXPECT_THAT(Said(Tick()), ElementsAre("rule big ends", "rule named begins"));
  EXPECT_EQ(task->standing.now.occasion, Occasion::kHoldOver);
}

TEST_F(AdmissionTest, HoldBeginsAnewWhenMetricsMatchAgain) {
  SetRules({{"big", "rss > 100"}});
  Living* task = Add("sh");
  task->rss = 200;
  Tick();
  task->rss = 50;
  for (int i = 0; i < 8; ++i) Tick();
  EXPECT_NE(task->standing.hold_until_boot_ns, 0u);
  task->rss = 200;
  Tick();
  EXPECT_EQ(task->standing.hold_until_boot_ns, 0u);
  task->rss = 50;
  for (int i = 0; i < 10; ++i) Tick();
  EXPECT_EQ(RuleOf(task), "big");
  Tick();
  EXPECT_EQ(RuleOf(task), "");
}

TEST_F(AdmissionTest, ThresholdsOfLaterRulesAreToldOfTasksThatAnEarlierOneHas) {
  SetRules({{"named", "comm == nginx"}, {"-noise", "comm == noise"}, {"big", "rss > 100"}});
  Living* nginx = Add("nginx");
  Living* noise = Add("noise");
  nginx->rss = noise->rss = 200;
  const auto events = Tick();
  EXPECT_THAT(Said(events), ElementsAre("threshold big begins"));
  EXPECT_EQ(events[0].task->comm, "nginx") << "a dropped task tells nothing";
  EXPECT_EQ(events[0].value, 200);
  EXPECT_EQ(events[0].baseline, 100);
  EXPECT_EQ(events[0].metric, v1::TASK_PM_SIZE);
  EXPECT_EQ(RuleOf(nginx), "named");
}

TEST_F(AdmissionTest, ExecEndsWhatMetricsGave) {
  SetRules({{"big", "rss > 100"}});
  Living* task = Add("sh");
  task->rss = 200;
  Tick();
  EXPECT_EQ(RuleOf(task), "big");
  Rename(task, "bash");
  EXPECT_EQ(RuleOf(task), "big") << "a name is nothing to a rule about memory";
  Rename(task, "date", Occasion::kExec);
  EXPECT_EQ(RuleOf(task), "");
}

TEST_F(AdmissionTest, RuleThatMetricsOfAnotherTaskMayMatchIsWatchedByNameOnly) {
  SetRules({{"big", "comm == nginx && rss > 100"}});
  EXPECT_TRUE(Add("nginx")->standing.may_match);
  EXPECT_FALSE(Add("sh")->standing.may_match);
  EXPECT_THAT(Add("sh")->standing.watched, IsEmpty());
}

TEST_F(AdmissionTest, WhatMetricsDropMayComeBack) {
  SetRules({{"-big", "rss > 100"}, {"named", "comm == web"}});
  EXPECT_TRUE(Add("web")->standing.may_match);
  EXPECT_FALSE(Add("sh")->standing.may_match) << "no rule waits for it";
}

TEST_F(AdmissionTest, AgeIsAMatterOfTicks) {
  SetRules({{"young", "age < 1005s"}});
  Living* task = Add("sh");
  EXPECT_EQ(RuleOf(task), "");
  Tick();
  EXPECT_EQ(RuleOf(task), "young");
  for (int i = 0; i < 20; ++i) Tick();
  EXPECT_EQ(RuleOf(task), "") << "ten seconds after it was too old";
}

TEST_F(AdmissionTest, IdleTasksAreAskedAnewWhenTheyWakeAndWhileTheyWait) {
  SetRules({{"stuck", "iowait_max > 5s"}, {"large", "rss > 100 for 2s"}});
  Living* sleeper = Add("sleeper");
  Living* waiter = Add("waiter");
  waiter->iowait_since_ns = static_cast<int64_t>(boot_ns_);
  Tick();
  sleeper->idle = waiter->idle = true;
  for (int i = 0; i < 4; ++i) EXPECT_THAT(Tick(), IsEmpty());
  EXPECT_THAT(Said(Tick()), ElementsAre("threshold stuck begins", "rule stuck begins"));
  EXPECT_EQ(RuleOf(sleeper), "");
  sleeper->idle = false;
  sleeper->rss = 1000;
  Tick();
  Tick();
  EXPECT_EQ(RuleOf(sleeper), "");
  Tick();
  EXPECT_EQ(RuleOf(sleeper), "large");
  EXPECT_EQ(RuleOf(waiter), "stuck");
}

TEST_F(AdmissionTest, EditDecidesEverybodyAnewAtTheNextTick) {
  const auto first = MakeSet({{"a", "comm == nginx"}, {"big", "rss > 100"}});
  admission_.SetRules(first);
  Living* nginx = Add("nginx");
  Living* large = Add("large");
  large->rss = 200;
  Tick();
  EXPECT_EQ(RuleOf(large), "big");
  auto edited = first->Remove({"a"});
  ASSERT_TRUE(edited.ok());
  admission_.SetRules(std::make_shared<const RuleSet>(*std::move(edited)));
  EXPECT_THAT(Said(Tick()), IsEmpty()) << "the crossing was told already: an untouched rule remembers";
  EXPECT_EQ(RuleOf(nginx), "");
  EXPECT_EQ(nginx->standing.now.occasion, Occasion::kRules);
  EXPECT_EQ(RuleOf(large), "big");
  EXPECT_EQ(large->standing.now.occasion, Occasion::kThreshold) << "nothing changed for it";
  EXPECT_EQ(admission_.matched(0), 1u);
  EXPECT_EQ(admission_.tracked(), 1u);
}

TEST_F(AdmissionTest, MatchedCountsTheLiving) {
  SetRules({{"named", "comm == nginx"}, {"never", "comm == nobody"}});
  Living* task = Add("nginx");
  Add("nginx");
  EXPECT_EQ(admission_.matched(0), 2u);
  EXPECT_EQ(admission_.matched(1), 0u);
  admission_.Forget(&task->standing);
  EXPECT_EQ(admission_.matched(0), 1u);
  EXPECT_EQ(admission_.tracked(), 1u);
}

TEST_F(AdmissionTest, EarlierDecisionsAreRememberedUpToALimit) {
  SetRules({{"a", "comm == a"}, {"b", "comm == b"}});
  Living* task = Add("a");
  for (int i = 0; i < 6; ++i) {
    Rename(task, "b");
    Rename(task, "a");
  }
  EXPECT_THAT(task->standing.before, SizeIs(Standing::kMostBefore));
  EXPECT_EQ(task->standing.forgotten, 4u);
  EXPECT_EQ(task->standing.before[0].rule->rule.name, "b");
}

TEST_F(AdmissionTest, RulesAboutParentsAskForTheNewborn) {
  SetRules({{"children", "ppid == 4711"}});
  EXPECT_TRUE(admission_.asks_kinship());
  SetRules({{"named", "comm == a"}});
  EXPECT_FALSE(admission_.asks_kinship());
}

TEST(RuleIndexTest, RuleIsAskedOfThoseNamesAloneThatCanMatchIt) {
  auto names = [](const std::string& text) { return NamesNeeded(*query::Expression::Parse(text)); };
  EXPECT_THAT(*names("comm == a"), ElementsAre("a"));
  EXPECT_THAT(*names("comm in (b, a) && uid == 0"), ElementsAre("a", "b"));
  EXPECT_THAT(*names("comm == a || comm == b && cpu > 5%"), ElementsAre("a", "b"));
  EXPECT_THAT(*names("comm in (a, b) && comm == c"), ElementsAre("c"));
  EXPECT_THAT(*names("(comm == a && rss > 1GiB) for 10s"), ElementsAre("a"));
  EXPECT_FALSE(names("comm == a || uid == 0").has_value());
  EXPECT_FALSE(names("!(comm == a)").has_value());
  EXPECT_FALSE(names("comm != a").has_value());
  EXPECT_FALSE(names("comm =~ a").has_value());
}

TEST(RuleIndexTest, CandidatesComeInOrder) {
  const RuleIndex index(*MakeSet({{"a", "comm == x"}, {"b", "uid == 0"}, {"c", "comm in (x, y)"}, {"d", "uid == 1"}}));
  EXPECT_THAT(index.Candidates("x"), ElementsAre(0u, 1u, 2u, 3u));
  EXPECT_THAT(index.Candidates("y"), ElementsAre(1u, 2u, 3u));
  EXPECT_THAT(index.Candidates("z"), ElementsAre(1u, 3u));
}

}  // namespace
}  // namespace taskmon::rules

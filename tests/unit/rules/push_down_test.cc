// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/push_down.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/rules/rule_fixture.h"

namespace taskmon::rules {
namespace {

using bpf::kNoRule;
using bpf::MakeRuleRef;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

bpf::KernelRules Plan(const std::vector<Named>& named, const MachineFacts& facts = {}) {
  return PushDown(Enabled(*MakeSet(named)), SomeHooked(), facts, true).kernel;
}

template <typename Key>
const bpf::KeyVerdict* Find(const std::vector<std::pair<Key, bpf::KeyVerdict>>& table, const Key& key) {
  for (const auto& [each, verdict] : table) {
    if (each == key) return &verdict;
  }
  return nullptr;
}

// What the kernel side makes of a plan, as kernel_rules.h says it.
struct Task {
  std::string comm;
  uint32_t uid = 0;
  uint64_t cgroup = 0;
  bool kthread = false;
  bool tcp = false;
  bool udp = false;
};

bpf::RuleRef Match(const bpf::KernelRules& rules, const Task& task) {
  bpf::KeyVerdict all;
  auto take = [&](const bpf::KeyVerdict* verdict) {
    if (verdict == nullptr) return;
    all.rule = std::min(all.rule, verdict->rule);
    all.tests |= verdict->tests;
  };
  take(Find(rules.comms, task.comm));
  const std::pair<std::string, bpf::KeyVerdict>* longest = nullptr;
  for (const auto& entry : rules.prefixes) {
    const bool fits = task.comm.starts_with(entry.first);
    if (fits && (longest == nullptr || entry.first.size() > longest->first.size())) longest = &entry;
  }
  if (longest != nullptr) take(&longest->second);
  take(Find(rules.uids, task.uid));
  take(Find(rules.cgroups, task.cgroup));
  if (task.kthread) take(&rules.kthread);
  if (task.tcp) take(&rules.tcp_used);
  if (task.udp) take(&rules.udp_used);
  for (const bpf::KernelTerm& term : rules.terms) {
    if ((all.tests & term.yes) == term.yes && (all.tests & term.no) == 0) all.rule = std::min(all.rule, term.rule);
  }
  return all.rule;
}

// Whether the kernel takes the task by the only rule. The rule must be the kernel's alone.
bool KernelTakes(const std::string& expression, const Task& task) {
  const bpf::KernelRules rules = Plan({{"r", expression}});
  EXPECT_EQ(rules.first_user_rule, kNoRule) << expression;
  return Match(rules, task) == MakeRuleRef(0, false);
}

TEST(PushDownTest, ManyNamesAreEntriesOfOneTable) {
  std::vector<Named> named;
  for (int i = 0; i < 5000; ++i) named.push_back({"r" + std::to_string(i), "comm == n" + std::to_string(i)});
  const bpf::KernelRules rules = Plan(named);
  EXPECT_THAT(rules.comms, SizeIs(5000));
  EXPECT_THAT(rules.terms, IsEmpty());
  EXPECT_EQ(rules.first_user_rule, kNoRule);
  EXPECT_EQ(Find(rules.comms, std::string("n4711"))->rule, MakeRuleRef(4711, false));
}

TEST(PushDownTest, FirstRuleThatNamesAKeyHasIt) {
  const bpf::KernelRules rules = Plan({{"off", "comm == a"}, {"-drop", "comm in (a, b)"}, {"late", "comm == b"}});
  EXPECT_EQ(Find(rules.comms, std::string("a"))->rule, MakeRuleRef(0, false));
  EXPECT_EQ(Find(rules.comms, std::string("b"))->rule, MakeRuleRef(1, true));
}

TEST(PushDownTest, RuleThatIsSwitchedOffHasNoPlace) {
  const bpf::KernelRules rules = Plan({{"!off", "comm == a"}, {"on", "comm == b"}});
  EXPECT_EQ(Find(rules.comms, std::string("a")), nullptr);
  EXPECT_EQ(Find(rules.comms, std::string("b"))->rule, MakeRuleRef(0, false));
}

TEST(PushDownTest, AFlagMayBeComparedWithTrueAndFalse) {
  for (const char* yes : {"kthread", "kthread == true", "kthread != false", "kthread == 1", "!(kthread == false)"}) {
    EXPECT_TRUE(KernelTakes(yes, {.kthread = true})) << yes;
    EXPECT_FALSE(KernelTakes(yes, {})) << yes;
  }
  for (const char* no : {"!kthread", "kthread == false", "kthread != true", "kthread != 1", "!(kthread != false)"}) {
    EXPECT_FALSE(KernelTakes(no, {.kthread = true})) << no;
    EXPECT_TRUE(KernelTakes(no, {})) << no;
  }
}

TEST(PushDownTest, NegationsReachThroughParentheses) {
  EXPECT_TRUE(KernelTakes("!(comm == a || kthread)", {.comm = "b"}));
  EXPECT_FALSE(KernelTakes("!(comm == a || kthread)", {.comm = "a"}));
  EXPECT_FALSE(KernelTakes("!(comm == a || kthread)", {.comm = "b", .kthread = true}));
  EXPECT_TRUE(KernelTakes("!(comm != a && !(tcp && !udp))", {.comm = "b", .tcp = true}));
  EXPECT_FALSE(KernelTakes("!(comm != a && !(tcp && !udp))", {.comm = "b", .tcp = true, .udp = true}));
  EXPECT_TRUE(KernelTakes("!(comm != a && !(tcp && !udp))", {.comm = "a", .tcp = true, .udp = true}));
  EXPECT_TRUE(KernelTakes("!!(uid == 5)", {.uid = 5}));
}

TEST(PushDownTest, ConjunctionsNeedAllOfTheirTests) {
  const std::string expression = "(comm == a || comm == b) && (uid == 1 || uid == 2) && !tcp";
  EXPECT_TRUE(KernelTakes(expression, {.comm = "b", .uid = 1}));
  EXPECT_FALSE(KernelTakes(expression, {.comm = "b", .uid = 3}));
  EXPECT_FALSE(KernelTakes(expression, {.comm = "c", .uid = 1}));
  EXPECT_FALSE(KernelTakes(expression, {.comm = "b", .uid = 1, .tcp = true}));
}

TEST(PushDownTest, ContradictionIsNobody) {
  EXPECT_FALSE(KernelTakes("kthread && !kthread", {.kthread = true}));
  EXPECT_FALSE(KernelTakes("kthread && !kthread", {}));
}

TEST(PushDownTest, PrefixesSpeakForTheShorterOnes) {
  const bpf::KernelRules rules = Plan({{"long", "comm =~ \"^web-front\" && uid == 1"}, {"short", "comm =~ \"^web\""}});
  EXPECT_EQ(Match(rules, {.comm = "web-frontend", .uid = 1}), MakeRuleRef(0, false));
  EXPECT_EQ(Match(rules, {.comm = "web-frontend", .uid = 2}), MakeRuleRef(1, false));
  EXPECT_EQ(Match(rules, {.comm = "web-back"}), MakeRuleRef(1, false));
  EXPECT_EQ(Match(rules, {.comm = "we"}), kNoRule);
}

TEST(PushDownTest, RegexOfLiteralsIsNamesAndPrefixes) {
  EXPECT_TRUE(KernelTakes("kthread && comm =~ \"^(kswapd|jbd2/)\"", {.comm = "jbd2/sda1-8", .kthread = true}));
  EXPECT_FALSE(KernelTakes("kthread && comm =~ \"^(kswapd|jbd2/)\"", {.comm = "kswapd0"}));
  EXPECT_TRUE(KernelTakes("comm =~ \"^(nginx|redis)$\"", {.comm = "redis"}));
  EXPECT_FALSE(KernelTakes("comm =~ \"^(nginx|redis)$\"", {.comm = "redis-server"}));
  EXPECT_TRUE(KernelTakes("comm !~ \"^kworker\"", {.comm = "sh"}));
  EXPECT_FALSE(KernelTakes("comm !~ \"^kworker\"", {.comm = "kworker/0:1"}));
}

TEST(PushDownTest, NameOfMoreThan15BytesIsNobodysAndItsOppositeEverybodys) {
  EXPECT_FALSE(KernelTakes("comm == \"a-very-long-name\"", {.comm = "a-very-long-nam"}));
  EXPECT_TRUE(KernelTakes("comm != \"a-very-long-name\"", {.comm = "a-very-long-nam"}));
  EXPECT_TRUE(KernelTakes("comm in (\"a-very-long-name\", b)", {.comm = "b"}));
  EXPECT_FALSE(KernelTakes("comm == \"a-very-long-name\" && kthread || uid == 3", {.kthread = true}));
  EXPECT_TRUE(KernelTakes("comm != \"a-very-long-name\" && kthread", {.kthread = true}));
}

TEST(PushDownTest, EmptyExpressionIsEverybody) {
  const bpf::KernelRules rules = Plan({{"all", "comm == x || !(comm == x)"}});
  EXPECT_EQ(Match(rules, {.comm = "x"}), MakeRuleRef(0, false));
  EXPECT_EQ(Match(rules, {.comm = "y"}), MakeRuleRef(0, false));
}

TEST(PushDownTest, RuleWithOnePartForTaskmonIsTaskmonsButItsKernelPartsStay) {
  const bpf::KernelRules rules =
      Plan({{"k", "comm == a"}, {"mixed", "comm == b || uid == 1 && cmdline =~ \"x\""}, {"late", "comm == c"}});
  EXPECT_EQ(rules.first_user_rule, MakeRuleRef(1, false));
  EXPECT_EQ(Find(rules.comms, std::string("b"))->rule, MakeRuleRef(1, false));
  EXPECT_EQ(Find(rules.uids, 1u), nullptr) << "an owner alone does not make the rule match";
  EXPECT_EQ(Find(rules.comms, std::string("c"))->rule, MakeRuleRef(2, false));
}

TEST(PushDownTest, UnitsAreNumbersOfCgroupsOnceTheyAreKnown) {
  const MachineFacts facts = {.cgroups = {{.id = 7, .path = "/system.slice/ssh.service", .unit = "ssh.service"},
                                          {.id = 8, .path = "/user.slice", .unit = ""}}};
  const bpf::KernelRules rules = Plan({{"r", "unit == ssh.service"}}, facts);
  EXPECT_EQ(Find(rules.cgroups, uint64_t{7})->rule, MakeRuleRef(0, false));
  EXPECT_EQ(Find(rules.cgroups, uint64_t{8}), nullptr);
  EXPECT_EQ(rules.first_user_rule, MakeRuleRef(0, false)) << "a cgroup not met yet may be of that unit as well";
  EXPECT_EQ(Plan({{"r", "unit != ssh.service"}}, facts).first_user_rule, MakeRuleRef(0, false));
  EXPECT_THAT(Plan({{"r", "unit != ssh.service"}}, facts).terms, IsEmpty());
  EXPECT_TRUE(WantedFacts(Enabled(*MakeSet({{"r", "comm == x && !(unit =~ \"^ssh\")"}}))).cgroups);
  EXPECT_FALSE(WantedFacts(Enabled(*MakeSet({{"!r", "unit == x"}, {"s", "uid == 1"}}))).cgroups);
}

TEST(PushDownTest, UsersAreNumbersOnceTheyAreKnown) {
  const MachineFacts facts = {.users = {{.uid = 33, .name = "www-data"}, {.uid = 34, .name = ""}}};
  const bpf::KernelRules rules = Plan({{"r", "user =~ \"^www\""}}, facts);
  EXPECT_EQ(Find(rules.uids, 33u)->rule, MakeRuleRef(0, false));
  EXPECT_EQ(Find(rules.uids, 34u), nullptr);
  EXPECT_EQ(rules.first_user_rule, MakeRuleRef(0, false));
}

TEST(PushDownTest, WhatAThresholdKeepsOutIsNotForTheKernel) {
  for (const Named& named : {Named("-r", "forks > 100"), Named("-r", "comm == a && forks > 100"),
                             Named("r", "comm == a && !(forks > 100)"), Named("r", "!(comm == a || forks > 100)")}) {
    const bpf::KernelRules rules = Plan({named});
    EXPECT_NE(rules.first_user_rule, kNoRule) << named.first << named.second;
    EXPECT_THAT(rules.thresholds, IsEmpty()) << named.first << named.second;
  }
}

TEST(PushDownTest, ThresholdsOverWhatHooksKeepAreTotalsRatesOrMaxima) {
  using Of = bpf::KernelThreshold::Of;
  const bpf::KernelRules rules =
      Plan({{"total", "total(forks) >= 100"}, {"rate", "forks > 5"}, {"max", "runq_max > 1s"}});
  EXPECT_EQ(rules.first_user_rule, kNoRule);
  ASSERT_THAT(rules.thresholds, SizeIs(3));
  EXPECT_EQ(rules.thresholds[0].of, Of::kTotal);
  EXPECT_EQ(rules.thresholds[0].index, static_cast<uint32_t>(TM_C_FORKS));
  EXPECT_EQ(rules.thresholds[0].limit, 99u) << "crossed above 99 is at least 100";
  EXPECT_EQ(rules.thresholds[1].of, Of::kRate);
  EXPECT_EQ(rules.thresholds[1].limit, 5u);
  EXPECT_EQ(rules.thresholds[2].of, Of::kMaximum);
  EXPECT_EQ(rules.thresholds[2].limit, kSecond);
  EXPECT_EQ(rules.thresholds[2].verdict.rule, MakeRuleRef(2, false));
}

TEST(PushDownTest, OpenWaitsAreTaskmonsClosedOnesTheKernelSees) {
  const bpf::KernelRules rules = Plan({{"r", "offcpu_max > 1s"}});
  EXPECT_THAT(rules.thresholds, SizeIs(1));
  EXPECT_EQ(rules.first_user_rule, MakeRuleRef(0, false));
}

TEST(PushDownTest, ThresholdsThatTheKernelCannotJudgeAreTaskmons) {
  for (const char* expression : {"forks > 5.5", "forks >= 5", "forks < 5", "total(forks) == 5", "rss > 1GiB",
                                 "cpu > 80%", "offcpu_max > 1s for 10s", "anomaly(forks)", "age > 1h"}) {
    const bpf::KernelRules rules = Plan({{"r", expression}});
    EXPECT_EQ(rules.first_user_rule, MakeRuleRef(0, false)) << expression;
    EXPECT_THAT(rules.thresholds, IsEmpty()) << expression;
  }
}

TEST(PushDownTest, WhatFindsNoRoomIsTaskmonsNeverDropped) {
  std::vector<Named> named;
  for (int i = 0; i < 70; ++i) {
    named.push_back({"r" + std::to_string(i), "comm == n" + std::to_string(i) + " && tcp"});
  }
  const bpf::KernelRules rules = Plan(named);
  EXPECT_EQ(Match(rules, {.comm = "n3", .tcp = true}), MakeRuleRef(3, false));
  EXPECT_EQ(rules.first_user_rule, MakeRuleRef(63, false)) << "tcp and 63 names are the 64 tests";
  EXPECT_EQ(Match(rules, {.comm = "n69", .tcp = true}), kNoRule);
}

TEST(PushDownTest, ExpressionOfTooManyConjunctionsIsTaskmons) {
  std::string expression;
  for (int i = 0; i < 8; ++i) {
    expression += (i == 0 ? "" : " && ") + std::string("(comm == a") + std::to_string(i) +
                  " || uid == " + std::to_string(i) + ")";
  }
  EXPECT_EQ(Plan({{"r", expression}}).first_user_rule, MakeRuleRef(0, false));
}

TEST(PushDownTest, SamePrefixIsTheSameTest) {
  const bpf::KernelRules rules = Plan({{"r", "comm == a && tcp || comm == a && udp"}});
  ASSERT_THAT(rules.terms, SizeIs(2));
  EXPECT_EQ(rules.terms[0].yes & rules.terms[1].yes, Find(rules.comms, std::string("a"))->tests);
}

std::vector<std::string> Stages(const std::string& text) {
  auto expression = query::Expression::Parse(text);
  EXPECT_TRUE(expression.ok()) << expression.status();
  std::vector<std::string> lines;
  for (const PlannedPart& part : PlanParts(*expression, SomeHooked(), {})) {
    lines.push_back(part.text + " | " + v1::Stage_Name(part.stage));
  }
  return lines;
}

TEST(PushDownTest, PlanTellsOfEveryPart) {
  EXPECT_THAT(Stages("comm == nginx || app in (mysql, postgres) && !(uid == 0)"),
              ElementsAre("comm == nginx | KERNEL", "app in (mysql, postgres) | USER", "uid == 0 | USER"));
  EXPECT_THAT(Stages("cmdline =~ \"a && \\(b\" || cpu > 80% for 10s || anomaly(rss, 8)"),
              ElementsAre("cmdline =~ \"a && \\(b\" | USER", "cpu > 80% for 10s | TICK", "anomaly(rss, 8) | TICK"));
  EXPECT_THAT(Stages("(tcp || udp) && ((kthread))"), ElementsAre("tcp | KERNEL", "udp | KERNEL", "kthread | KERNEL"));
  EXPECT_THAT(Stages("(rss > 1GiB && cpu > 5%) for 1m"), ElementsAre("(rss > 1GiB && cpu > 5%) for 1m | TICK"));
}

TEST(PushDownTest, PartTheKernelCouldDecideSaysWhyItDoesNot) {
  const auto expression = query::Expression::Parse("comm == a && exe =~ x");
  EXPECT_THAT(PlanParts(*expression, SomeHooked(), {})[0].how, HasSubstr("stands beside a test"));
  EXPECT_THAT(StagesOf(PlanParts(*expression, SomeHooked(), {})), ElementsAre(v1::USER));
}

TEST(PushDownTest, PlanSaysWhichRulesTheKernelDecidesAlone) {
  const auto set = MakeSet({{"name", "comm == a"},
                            {"regex", "cmdline =~ x"},
                            {"max", "runq_max > 1s"},
                            {"open", "offcpu_max > 1s"},
                            {"unit", "unit == x"}});
  EXPECT_THAT(PushDown(Enabled(*set), SomeHooked(), {}, false).kernel_alone,
              ElementsAre(true, false, true, false, false));
}

}  // namespace
}  // namespace taskmon::rules

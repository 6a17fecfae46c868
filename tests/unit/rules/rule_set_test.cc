// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/rule_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/rules/rule_fields.h"

namespace taskmon::rules {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Rule MakeRule(const std::string& name, uint32_t order, const std::string& expression) {
  return {.name = name, .order = order, .expression = expression};
}

RuleSet Three() {
  return *RuleSet::Make({MakeRule("web", 30, "comm == nginx"), MakeRule("db", 10, "comm == postgres"),
                         MakeRule("cron", 20, "comm == cron")});
}

std::vector<std::string> NamesOf(const RuleSet& set) {
  std::vector<std::string> names;
  for (const RulePtr& rule : set.rules()) names.push_back(rule->rule.name);
  return names;
}

std::string Refused(const absl::StatusOr<RuleSet>& set) {
  EXPECT_TRUE(absl::IsInvalidArgument(set.status())) << set.status();
  const std::string message(set.status().message());
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  return message;
}

TEST(RuleSet, AsksInOrder) { EXPECT_THAT(NamesOf(Three()), ElementsAre("db", "cron", "web")); }

TEST(RuleSet, FindsByNameAndOrder) {
  const RuleSet set = Three();
  EXPECT_EQ(set.Find("cron")->rule.order, 20u);
  EXPECT_EQ(set.FindByOrder(30)->rule.name, "web");
  EXPECT_EQ(set.Find("nobody"), nullptr);
  EXPECT_EQ(set.FindByOrder(25), nullptr);
  EXPECT_EQ(RuleSet().Find(""), nullptr);
}

TEST(RuleSet, ANewRuleGoesToTheEndWithAGap) {
  const RuleSet set = *Three().Add("new", {.expression = "kthread"});
  EXPECT_EQ(set.Find("new")->rule.order, 40u);
  EXPECT_EQ(set.Find("new")->rule.groups, DefaultGroups());
  EXPECT_EQ(RuleSet().Add("first", {.expression = "kthread"})->FindByOrder(10)->rule.name, "first");
}

TEST(RuleSet, TheEndIsReachedAtTheLargestOrder) {
  const RuleSet set = *RuleSet().Add("last", {.order = kMaxOrder, .expression = "kthread"});
  EXPECT_THAT(Refused(set.Add("more", {.expression = "kthread"})), HasSubstr("order"));
}

TEST(RuleSet, EditsLeaveTheOldSetAlone) {
  const RuleSet before = Three();
  const RuleSet after = *before.Set("web", {.expression = "comm == caddy", .hold_ns = 5});
  EXPECT_EQ(before.Find("web")->rule.expression, "comm == nginx");
  EXPECT_EQ(after.Find("web")->rule.expression, "comm == caddy");
  EXPECT_EQ(after.Find("web")->expression.text(), "comm == caddy");
  EXPECT_EQ(after.Find("web")->rule.hold_ns, 5u);
  EXPECT_EQ(after.Find("web")->rule.order, 30u);
}

TEST(RuleSet, UntouchedRulesStayTheSameObjects) {
  const RuleSet before = Three();
  const CheckedRule* db = before.Find("db");
  EXPECT_EQ(before.Set("web", {.order = 1})->Find("db"), db);
  EXPECT_EQ(before.Remove({"web"})->Find("db"), db);
  EXPECT_EQ(before.SetEnabled({"web"}, false)->Find("db"), db);
  EXPECT_EQ(before.Set("db", {.order = 10})->Find("db"), db);
  EXPECT_EQ(before.SetEnabled({"db"}, true)->Find("db"), db);
  EXPECT_EQ(before.Replace({db->rule, MakeRule("x", 1, "kthread")})->Find("db"), db);
}

TEST(RuleSet, RulesMoveByOrder) {
  EXPECT_THAT(NamesOf(*Three().Set("web", {.order = 5})), ElementsAre("web", "db", "cron"));
  EXPECT_THAT(NamesOf(*Three().Remove({"cron", "db"})), ElementsAre("web"));
}

TEST(RuleSet, SeveralAreSwitchedTogetherOrNotAtAll) {
  const RuleSet off = *Three().SetEnabled({"web", "db"}, false);
  EXPECT_FALSE(off.Find("web")->rule.enabled);
  EXPECT_FALSE(off.Find("db")->rule.enabled);
  EXPECT_TRUE(off.Find("cron")->rule.enabled);
  EXPECT_THAT(Refused(Three().SetEnabled({"web", "bd"}, false)), HasSubstr("no rule 'bd'; did you mean 'db'?"));
}

TEST(RuleSet, SaysWhatIsWrong) {
  const RuleSet set = Three();
  EXPECT_EQ(Refused(set.Add("web", {.expression = "kthread"})), "there is a rule 'web' already; choose another name");
  EXPECT_EQ(Refused(set.Add("new", {.order = 10, .expression = "kthread"})),
            "rule 'new': order 10 is that of rule 'db'; choose another");
  EXPECT_EQ(Refused(set.Set("web", {.order = 20})), "rule 'web': order 20 is that of rule 'cron'; choose another");
  EXPECT_EQ(Refused(set.Set("wbe", {.order = 20})), "no rule 'wbe'; did you mean 'web'?");
  EXPECT_THAT(Refused(set.Remove({"something-else"})), HasSubstr("`taskmonctl rule list` shows them"));
  EXPECT_EQ(Refused(set.Add("x", {.expression = "cmm == a"})),
            "rule 'x': expr: column 1: unknown field 'cmm'; did you mean 'comm'?");
  EXPECT_THAT(Refused(set.Add("x", {.expression = "comm =~ \"(\""})), HasSubstr("rule 'x': expr: column 9"));
  EXPECT_THAT(Refused(set.Add("x", {})), HasSubstr("an expression is missing"));
  EXPECT_THAT(Refused(set.Add("x", {.expression = " \n"})), HasSubstr("an expression is missing"));
  EXPECT_THAT(Refused(set.Add("no name", {.expression = "kthread"})), HasSubstr("name: 'no name' is not a name"));
  EXPECT_THAT(Refused(set.Add("x", {.order = 0, .expression = "kthread"})), HasSubstr("rule 'x': order: 0 is not"));
  EXPECT_THAT(Refused(set.Add("x", {.expression = "kthread", .note = std::string(1025, 'n')})), HasSubstr("note"));
}

TEST(RuleSet, TextsAreUtf8) {
  EXPECT_TRUE(Three().Add("x", {.expression = "comm == \"é\"", .note = "§"}).ok());
  EXPECT_THAT(Refused(Three().Add("x", {.expression = "comm == \"\xff\""})), HasSubstr("rule 'x': not valid UTF-8"));
  EXPECT_THAT(Refused(Three().Add("x", {.expression = "kthread", .note = "\xff"})), HasSubstr("not valid UTF-8"));
}

TEST(RuleSet, ARegexOverTheLimitIsRefused) {
  const std::string huge = "comm =~ \"" + std::string(2000, 'a') + "\"";
  EXPECT_THAT(Refused(Three().Add("x", {.expression = huge})), HasSubstr("rule 'x': expr: column 9"));
  EXPECT_THAT(Refused(Three().Add("x", {.expression = "comm =~ \"((a{100}){100})\""})), HasSubstr("rule 'x': expr"));
}

TEST(RuleSet, TellsWhichRuleOfManyIsAtFault) {
  size_t culprit = 0;
  EXPECT_THAT(Refused(RuleSet::Make({MakeRule("a", 1, "kthread"), MakeRule("b", 2, "nonsense ~ 1")}, &culprit)),
              HasSubstr("rule 'b'"));
  EXPECT_EQ(culprit, 1u);
  EXPECT_THAT(Refused(RuleSet::Make(
                  {MakeRule("a", 5, "kthread"), MakeRule("b", 1, "kthread"), MakeRule("c", 5, "kthread")}, &culprit)),
              HasSubstr("rule 'c': order 5 is that of rule 'a'"));
  EXPECT_EQ(culprit, 2u);
}

std::vector<Rule> Many(size_t count) {
  std::vector<Rule> rules;
  for (size_t i = 0; i < count; ++i) {
    rules.push_back(MakeRule("r" + std::to_string(i), static_cast<uint32_t>(i + 1), "comm == x" + std::to_string(i)));
  }
  return rules;
}

TEST(RuleSet, HoldsTenThousandRulesAndNotOneMore) {
  const RuleSet full = *RuleSet::Make(Many(RuleSet::kMaxRules));
  EXPECT_EQ(full.size(), RuleSet::kMaxRules);
  EXPECT_EQ(Refused(full.Add("more", {.expression = "kthread"})),
            "rule 'more' would be rule number 10001; at most 10000 are possible");
  size_t culprit = 0;
  EXPECT_THAT(Refused(RuleSet::Make(Many(RuleSet::kMaxRules + 5), &culprit)), HasSubstr("'r10000'"));
  EXPECT_EQ(culprit, RuleSet::kMaxRules);
}

TEST(RuleSet, HoldsFourMebibytesAndNotMore) {
  std::string names = "comm in (a";
  while (names.size() < 900'000) names += ",abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";
  std::vector<Rule> rules;
  for (uint32_t i = 1; i <= 4; ++i) rules.push_back(MakeRule("r" + std::to_string(i), i, names + ")"));
  EXPECT_TRUE(RuleSet::Make(rules).ok());
  rules.push_back(MakeRule("r5", 5, names + ")"));
  EXPECT_THAT(Refused(RuleSet::Make(rules)), HasSubstr("rule 'r5': with it the rules take more than 4 MiB"));
}

TEST(RuleSet, WantsTheGroupsOfEnabledRulesThatTrack) {
  RuleSet set = *RuleSet().Add("a", {.expression = "kthread", .groups = MetricGroups().set(v1::CPU)});
  set = *set.Add("b", {.expression = "kthread", .action = Action::kDrop, .groups = MetricGroups().set(v1::IO)});
  set = *set.Add("c", {.expression = "kthread", .groups = MetricGroups().set(v1::NET), .enabled = false});
  EXPECT_EQ(set.wanted_groups(), MetricGroups().set(v1::CPU));
}

TEST(RuleSet, CopiesLiveOnWhenTheOriginalIsGone) {
  auto original = std::make_unique<RuleSet>(Three());
  const RuleSet copy = original->WithVersion(7);
  original.reset();
  EXPECT_EQ(copy.version(), 7u);
  EXPECT_EQ(copy.Find("web")->rule.order, 30u);
}

}  // namespace
}  // namespace taskmon::rules

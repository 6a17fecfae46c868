// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/rule_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace taskmon::rules {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

RuleSet With(const RuleSet& set, const std::string& name, const std::string& expression) {
  return *set.Add(name, {.expression = expression});
}

RuleSet Two() { return With(With(RuleSet(), "web", "comm == nginx"), "db", "comm == postgres"); }

TEST(RuleDiff, OfTheSameIsEmpty) {
  EXPECT_THAT(Diff(Two(), Two()), IsEmpty());
  EXPECT_EQ(Summary({}), "no change");
}

TEST(RuleDiff, NamesEachFieldThatDiffers) {
  const RuleSet after = *Two().Set("web", {.expression = "comm == caddy", .hold_ns = 0});
  const std::vector<RuleChange> changes = Diff(Two(), after);
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].kind, RuleChange::Kind::kChanged);
  ASSERT_EQ(changes[0].fields.size(), 2u);
  EXPECT_STREQ(changes[0].fields[0].field, "expr");
  EXPECT_EQ(changes[0].fields[0].before, "comm == nginx");
  EXPECT_EQ(changes[0].fields[0].after, "comm == caddy");
  EXPECT_EQ(changes[0].fields[1].before, "1m");
  EXPECT_EQ(changes[0].fields[1].after, "0");
  EXPECT_TRUE(changes[0].Touches("expr"));
  EXPECT_FALSE(changes[0].Touches("order"));
  EXPECT_EQ(Summary(changes), "changed web: expr, hold");
}

TEST(RuleDiff, TellsAddedChangedAndRemovedApart) {
  RuleSet after = *With(Two(), "new", "kthread").Remove({"db"});
  after = *after.Set("web", {.note = "x"});
  EXPECT_EQ(Summary(Diff(Two(), after)), "added new; changed web: note; removed db");
  EXPECT_EQ(Summary(Diff(Two(), RuleSet())), "removed web, db");
}

TEST(RuleDiff, SumsUpMany) {
  RuleSet after = Two();
  for (int i = 0; i < 50; ++i) after = With(after, "r" + std::to_string(i), "kthread");
  EXPECT_EQ(Summary(Diff(Two(), after)), "added 50 rules");
}

TEST(RuleDiff, WarnsOfARuleThatAnEarlierOneHides) {
  const RuleSet after = With(Two(), "web2", "comm == nginx");
  EXPECT_THAT(Warnings(after, Diff(Two(), after)),
              ElementsAre("rule 'web2': never matches: 'web' has the same expression and is asked first"));
  const RuleSet off = *after.SetEnabled({"web"}, false);
  EXPECT_THAT(Warnings(off, Diff(Two(), off)), IsEmpty());
}

TEST(RuleDiff, WarnsOfANameThatNoTaskCanHave) {
  const RuleSet after = With(Two(), "long", "comm == abcdefghijklmnop");
  const std::vector<std::string> warnings = Warnings(after, Diff(Two(), after));
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_THAT(warnings[0], HasSubstr("rule 'long': column "));
  // Only of what the edit touched.
  const RuleSet later = *after.Set("long", {.note = "x"});
  EXPECT_THAT(Warnings(later, Diff(after, later)), IsEmpty());
}

TEST(RuleDiff, WarnsOfARuleThatPublishesWhatIsGuarded) {
  const RuleSet after = With(Two(), "many", "comm == a && (fds > 100 for 10s || exe =~ secret || fds < 3)");
  EXPECT_THAT(Warnings(after, Diff(Two(), after)), ElementsAre(HasSubstr("rule 'many': reads what only a task's owner "
                                                                         "may see (fds, exe)")));
}

}  // namespace
}  // namespace taskmon::rules

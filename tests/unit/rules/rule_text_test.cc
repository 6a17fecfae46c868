// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/rule_text.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/rules/default_rules.h"
#include "daemon/rules/rule_diff.h"
#include "daemon/rules/rule_fields.h"

namespace taskmon::rules {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Refused(const std::string& text) {
  const absl::StatusOr<RuleSet> set = ReadRuleText(text, "f.toml");
  EXPECT_TRUE(absl::IsInvalidArgument(set.status())) << set.status() << "\n" << text;
  const std::string message(set.status().message());
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  return message;
}

RuleSet Read(const std::string& text) {
  const absl::StatusOr<RuleSet> set = ReadRuleText(text, "f.toml");
  EXPECT_TRUE(set.ok()) << set.status();
  return set.ok() ? *set : RuleSet();
}

TEST(RuleText, ReadsEveryField) {
  const RuleSet set = Read(R"(
[[rule]]
name = "web"
order = 20
expr = 'comm == "nginx" || cmdline =~ "a\.b"'
action = "drop"
groups = ["all", "-syscall", "-smaps"]
threads = "top:5"
hold = "5m"
enabled = false
note = "it's \"the\" front end"
)");
  ASSERT_EQ(set.size(), 1u);
  const Rule& rule = set.rules()[0]->rule;
  EXPECT_EQ(rule.name, "web");
  EXPECT_EQ(rule.order, 20u);
  EXPECT_EQ(rule.expression, "comm == \"nginx\" || cmdline =~ \"a\\.b\"");
  EXPECT_EQ(rule.action, Action::kDrop);
  EXPECT_EQ(rule.groups, *ParseGroups("all,-syscall,-smaps"));
  EXPECT_EQ(rule.threads.top, 5u);
  EXPECT_EQ(rule.hold_ns, 300'000'000'000u);
  EXPECT_FALSE(rule.enabled);
  EXPECT_EQ(rule.note, "it's \"the\" front end");
}

TEST(RuleText, OrdersFollowThePlaceInTheFile) {
  const RuleSet set = Read(
      "[[rule]]\nname='a'\nexpr='kthread'\n[[rule]]\nname='b'\nexpr='kthread'\norder=35\n[[rule]]\nname='c'\n"
      "expr='kthread'\ngroups='cpu,io'\n");
  EXPECT_EQ(set.Find("a")->rule.order, 10u);
  EXPECT_EQ(set.Find("b")->rule.order, 35u);
  EXPECT_EQ(set.Find("c")->rule.order, 45u);
  EXPECT_EQ(GroupsText(set.Find("c")->rule.groups), "cpu,io");
}

TEST(RuleText, NoRulesMustBeMeant) {
  EXPECT_EQ(Read("rule = []\n").size(), 0u);
  EXPECT_THAT(Refused(""), HasSubstr("f.toml: no rule in it; to have none, write: rule = []"));
  EXPECT_THAT(Refused("# all gone\n"), HasSubstr("no rule in it"));
}

TEST(RuleText, ErrorsNameFileAndLine) {
  const std::string good = "[[rule]]\nname = 'a'\nexpr = 'kthread'\n";
  EXPECT_EQ(Refused(good + "[[rule]]\nname = 'b'\nexpr = 'cmm == x'\n"),
            "f.toml:4: rule 'b': expr: column 1: unknown field 'cmm'; did you mean 'comm'?");
  EXPECT_EQ(Refused(good + "threats = 'all'\n"), "f.toml:4: rule 'a': unknown key 'threats'; did you mean 'threads'?");
  EXPECT_THAT(Refused(good + "threads = 'some'\n"), StartsWith("f.toml:4: rule 'a': threads: 'some' is not"));
  EXPECT_THAT(Refused(good + "order = 'x'\n"), StartsWith("f.toml:4: rule 'a': order: expected a whole number"));
  EXPECT_THAT(Refused(good + "order = 0\n"), StartsWith("f.toml:4: rule 'a': order: 0 is not"));
  EXPECT_THAT(Refused(good + "order = -5\n"), StartsWith("f.toml:4: rule 'a': order: -5 is not"));
  EXPECT_THAT(Refused(good + "enabled = 'yes'\n"), StartsWith("f.toml:4: rule 'a': enabled: expected true or false"));
  EXPECT_THAT(Refused(good + "hold = 60\n"), StartsWith("f.toml:4: rule 'a': hold: expected a text"));
  EXPECT_THAT(Refused(good + "groups = [1]\n"), StartsWith("f.toml:4: rule 'a': groups: expected metric groups"));
  EXPECT_THAT(Refused(good + "groups = 1\n"), StartsWith("f.toml:4: rule 'a': groups: expected an array"));
  EXPECT_THAT(Refused(good + "action = 'trak'\n"), HasSubstr("did you mean 'track'?"));
  EXPECT_THAT(Refused(good + good), StartsWith("f.toml:4: there is a rule 'a' already"));
  EXPECT_THAT(Refused(good + "[[rule]]\nname = 'b'\norder = 10\nexpr = 'kthread'\n"),
              StartsWith("f.toml:4: rule 'b': order 10 is that of rule 'a'"));
  EXPECT_THAT(Refused(good + "[[rule]]\nexpr = 'kthread'\n"), StartsWith("f.toml:4: the rule has no name"));
  EXPECT_THAT(Refused(good + "[[rule]]\nname = 'b'\n"),
              StartsWith("f.toml:4: rule 'b': expr: an expression is missing"));
  EXPECT_THAT(Refused("[$rule]]\n"), StartsWith("f.toml:1: "));
  EXPECT_THAT(Refused("rule = 3\n"), StartsWith("f.toml:1: 'rule' is no array"));
  EXPECT_THAT(Refused("rule = [3]\n"), StartsWith("f.toml:1: not a rule"));
  EXPECT_THAT(Refused("[[rules]]\n"), StartsWith("f.toml:1: unknown key 'rules'"));
  EXPECT_THAT(Refused(good + "[[rule]\n"), StartsWith("f.toml:4: "));
  EXPECT_THAT(Refused("rule = [na\n"), AllOf(StartsWith("f.toml:1: "), Not(HasSubstr("\n"))));
  EXPECT_THAT(Refused("[[rule]]\nname = 'a'\nexpr = 'kthread'\n\"a\\nb\" = 1\n"), HasSubstr("unknown key 'a\\nb'"));
  EXPECT_THAT(Refused("[[rule]]\nname = \"a\\nb\"\nexpr = 'kthread'\n"), HasSubstr("name: 'a\\nb' is not a name"));
  EXPECT_EQ(Refused(good + "note = \"\xff\"\n"), "f.toml:4: not valid UTF-8");
}

TEST(RuleText, CharactersBeyondAsciiStandInQuotesAndCommentsOnly) {
  const std::string good = "[[rule]]\nname = 'a'\nexpr = 'kthread'\n";
  const std::string odd = "é § \u2003 \ufcbf \ufeff \U0010ffff \U00100041";
  EXPECT_EQ(Read(good + "note = \"" + odd + "\" # " + odd + "\n").Find("a")->rule.note, odd);
  EXPECT_EQ(Read(good + "note = \"\"\"\\\n§\"\"\"\n").Find("a")->rule.note, "§");
  EXPECT_EQ(Read("\ufeff" + good).size(), 1u);
  for (const char* character : {"§", "é", "\ufcbf", "\u3000", "\u2003", "\U00100041"}) {
    EXPECT_THAT(Refused(good + character), StartsWith("f.toml:4: ")) << character;
    EXPECT_THAT(Refused(good + "hold " + character + " = '1m'\n"), StartsWith("f.toml:4: ")) << character;
  }
  EXPECT_EQ(Refused(good + "'é' = 1\n"), "f.toml:4: rule 'a': unknown key 'é'");
}

TEST(RuleText, WhatIsWrittenReadsBackAsTheSame) {
  RuleSet set = *RuleSet().Add("a", {.expression = "comm == \"it's\" || comm == \"x\\\\y\"", .note = "tab\there"});
  set = *set.Add("b", {.order = 7,
                       .expression = "cmdline =~ \"org\\.apache\\.(catalina|kafka)\"",
                       .action = Action::kDrop,
                       .groups = MetricGroups().set(v1::CPU),
                       .threads = ThreadDetail{.mode = ThreadDetail::Mode::kTop, .top = 3},
                       .hold_ns = 1'500'000'000,
                       .enabled = false,
                       .note = "line\nline \x7f \"quoted\" é"});
  set = *set.Add("c", {.expression = "comm ==\n  x"});
  const RuleSet back = Read(WriteRuleText(set.WithVersion(3)));
  ASSERT_EQ(back.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(back.rules()[i]->rule, set.rules()[i]->rule);
  EXPECT_EQ(WriteRuleText(back), WriteRuleText(set));
  EXPECT_THAT(WriteRuleText(set.WithVersion(3)), StartsWith("# taskmon rules, version 3\n"));
  EXPECT_EQ(Read(WriteRuleText(RuleSet())).size(), 0u);
}

TEST(RuleText, TheShippedRulesAreValidAndWithoutWarnings) {
  const absl::StatusOr<RuleSet> set = ReadRuleText(DefaultRuleText(), "rules.toml");
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_GE(set->size(), 1u);
  EXPECT_THAT(Warnings(*set, Diff(RuleSet(), *set)), testing::IsEmpty());
}

// No crash, every refusal says where, and what is accepted can be written and read back.
TEST(RuleText, MutatedFilesAreReadOrRefused) {
  std::mt19937 random(20261124);
  const auto below = [&](size_t limit) { return random() % limit; };
  const std::string seed = WriteRuleText(*Read("[[rule]]\nname='a'\nexpr='comm == x'\nnote='n'\n")
                                              .Add("b", {.expression = "uid in (1, 2)", .hold_ns = 0}));
  const std::vector<std::string> pieces = {"[[rule]]\n", "[",  "]",   "=",    "\"",         "'''",  "\n",   "\\u0000",
                                           "{a=1}",      "-1", "1e9", "true", "2026-01-01", "\xff", "rule", "."};
  for (int round = 0; round < 5000; ++round) {
    std::string text = seed;
    for (size_t edits = 1 + below(5); edits > 0; --edits) {
      const size_t at = below(text.size() + 1);
      if (below(3) == 0) text.erase(at, 1 + below(30));
      if (below(3) == 0) text.insert(at, pieces[below(pieces.size())]);
      if (at < text.size()) text[at] = static_cast<char>(below(256));
    }
    const absl::StatusOr<RuleSet> set = ReadRuleText(text, "f.toml");
    if (set.ok()) {
      ASSERT_EQ(WriteRuleText(Read(WriteRuleText(*set))), WriteRuleText(*set)) << text;
    } else {
      ASSERT_THAT(std::string(set.status().message()), StartsWith("f.toml:")) << text;
    }
  }
}

}  // namespace
}  // namespace taskmon::rules

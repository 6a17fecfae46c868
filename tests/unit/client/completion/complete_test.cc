// SPDX-License-Identifier: Apache-2.0
#include "client/completion/complete.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../fake_backend.h"

namespace taskmon::client {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> After(const std::vector<std::string>& words) {
  std::vector<std::string> found;
  for (const Candidate& each : Complete(DescribeCommandLine(), words).words) found.push_back(each.word);
  return found;
}

TEST(Completion, KnowsCommandsAndThoseBelow) {
  EXPECT_THAT(After({"sn"}), ElementsAre("snapshot"));
  EXPECT_THAT(After({"rule", "ex"}), ElementsAre("export", "explain"));
  EXPECT_THAT(After({"--socket", "/x", "st"}), ElementsAre("status"));
  EXPECT_THAT(After({""}), Not(Contains("__complete")));
}

TEST(Completion, KnowsOptionsAndTheirValues) {
  EXPECT_THAT(After({"ps", "--so"}), ElementsAre("--sort", "--socket"));
  EXPECT_THAT(After({"ps", "-o", "js"}), ElementsAre("json", "jsonl"));
  EXPECT_THAT(After({"ps", "--output=c"}), ElementsAre("--output=csv"));
  EXPECT_THAT(After({"status", "-o", ""}), ElementsAre("table", "json", "jsonl"));
  EXPECT_THAT(After({"export", "openmetrics", "--by", "r"}), ElementsAre("rule"));
  EXPECT_THAT(After({"rule", "add", "x", "--action", ""}), ElementsAre("track", "drop"));
  EXPECT_TRUE(Complete(DescribeCommandLine(), {"ps", "--file", ""}).files);
  EXPECT_TRUE(Complete(DescribeCommandLine(), {"snapshot", "--output", ""}).files);
}

TEST(Completion, GoesOnInsideLists) {
  const Completion completion = Complete(DescribeCommandLine(), {"ps", "-f", "cpu,sysf"});
  ASSERT_EQ(completion.words.size(), 1u);
  EXPECT_EQ(completion.words[0].word, "cpu,sysfails");
  EXPECT_TRUE(completion.unended);
  EXPECT_THAT(After({"events", "--type", "fork,ex"}), ElementsAre("fork,exec", "fork,exit"));
  EXPECT_THAT(After({"ps", "-f", "@sm"}), ElementsAre("@smaps"));
}

TEST(Completion, AsksForWhatLives) {
  const auto live = [](const std::vector<std::string>& words) { return Complete(DescribeCommandLine(), words).live; };
  EXPECT_EQ(live({"rule", "rm", "a", ""}), Live::kRules);
  EXPECT_EQ(live({"rule", "add", ""}), Live::kNone);
  EXPECT_EQ(live({"rule", "explain", ""}), Live::kRules);
  EXPECT_EQ(live({"show", "4"}), Live::kTids);
  EXPECT_EQ(live({"history", "--tid", ""}), Live::kTids);
  EXPECT_EQ(live({"ps", "unit", "==", ""}), Live::kUnits);
  EXPECT_EQ(live({"ps", "cpu > 5 && comm == ng"}), Live::kComms);
  EXPECT_EQ(live({"ps", "cpu > 5 && "}), Live::kNone);
  EXPECT_THAT(After({"ps", "cpu > 5 && sysf"}), ElementsAre("cpu > 5 && sysfails"));
  EXPECT_THAT(After({"metrics", "sysf"}), ElementsAre("sysfails"));
  EXPECT_THAT(After({"show", "1", ""}), IsEmpty());
}

TEST(Completion, AnswersTheScriptsWithNamesOfRules) {
  FakeAnswers answers;
  answers.rules.add_rules()->set_name("web");
  answers.rules.add_rules()->set_name("busy");
  answers.rules.mutable_rules(0)->mutable_fields()->set_expr("comm == nginx");
  EXPECT_EQ(Invoke({"__complete", "--", "rule", "show", "w"}, &answers).out, "words\nweb\tcomm == nginx\n");
  v1::TaskBatch batch = MakeBatch();
  AddTask(20, "evil\n\x1b[2J", &batch);
  AddTask(21, "nginx", &batch);
  answers.batches.push_back(batch);
  EXPECT_EQ(Invoke({"__complete", "--", "ps", "comm == "}, &answers).out, "words\ncomm == nginx\t\n");
  EXPECT_THAT(Invoke({"__complete", "--", "show", "2"}, &answers).out, Not(testing::HasSubstr("\x1b")));
}

TEST(Completion, IsQuietWithoutTaskmond) {
  FakeAnswers answers;
  answers.result = absl::UnavailableError("not there");
  const Outcome outcome = Invoke({"__complete", "--", "rule", "show", ""}, &answers);
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, "words\n");
  EXPECT_EQ(outcome.err, "");
}

TEST(Completion, HasAScriptForEachShellAndSuggestsForOthers) {
  FakeAnswers answers;
  for (const std::string& shell : CompletionShells()) {
    EXPECT_THAT(Invoke({"completion", shell}, &answers).out, testing::HasSubstr("taskmonctl __complete"));
  }
  const Outcome refused = Invoke({"completion", "zhs"}, &answers);
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, testing::HasSubstr("did you mean 'zsh'?"));
}

}  // namespace
}  // namespace taskmon::client

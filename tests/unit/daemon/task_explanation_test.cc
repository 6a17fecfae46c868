// SPDX-License-Identifier: Apache-2.0
#include "daemon/task_explanation.h"

#include <gtest/gtest.h>

#include "tests/unit/rules/rule_fixture.h"

namespace taskmon::daemon {
namespace {

// What the rule's only test says of a process of uid 33 with `rss`, of which the admission remembers nothing.
v1::PartVerdict Explained(const std::string& expression, int64_t rss, const query::Caller& caller) {
  const auto set = rules::MakeSet({{"big", expression}});
  auto info = std::make_shared<TaskInfo>();
  info->key.tid = info->tgid = 7;
  info->uid = 33;
  auto sample = std::make_shared<TaskSample>();
  sample->info = info;
  for (const v1::Metric metric : {v1::TASK_PM_SIZE, v1::TASK_FD_COUNT}) {
    sample->valid.set(metric);
    sample->values.Set(metric, rss);
  }
  KnownOfTask known;
  known.sample = sample;
  known.rules.push_back({.place = 0, .rule = set->rules()[0], .verdicts = {}});
  const v1::TaskExplanation answer = MakeTaskExplanation(known, Snapshot(), caller);
  EXPECT_EQ(answer.rules(0).verdict(), answer.rules(0).parts(0).verdict());
  return answer.rules(0).parts(0);
}

constexpr query::Caller kEverything = {.sees_everything = true};

TEST(TaskExplanation, WhatDoesNotHoldNowHasNotHeldForLong) {
  EXPECT_EQ(Explained("rss > 100 for 10s", 50, kEverything).verdict(), v1::NO);
  EXPECT_EQ(Explained("rss > 100 for 10s", 200, kEverything).verdict(), v1::UNKNOWN) << "since when, nobody says";
  EXPECT_EQ(Explained("fds > 100 for 10s", 50, {.uid = 34}).verdict(), v1::UNKNOWN) << "not for him to know";
}

TEST(TaskExplanation, SaysWhatItsValuesAreOf) {
  const v1::PartVerdict rss = Explained("rss > 100", 50, kEverything);
  EXPECT_EQ(rss.value(), "50");
  EXPECT_EQ(rss.metric(), static_cast<uint32_t>(v1::TASK_PM_SIZE));
  EXPECT_FALSE(rss.rate());
  EXPECT_EQ(Explained("uid > 100", 50, kEverything).metric(), 0u);
}

}  // namespace
}  // namespace taskmon::daemon

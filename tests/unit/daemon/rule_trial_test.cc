// SPDX-License-Identifier: Apache-2.0
#include "daemon/rule_trial.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/query/world.h"

namespace taskmon::daemon {
namespace {

using query::kAlice;
using query::kRoot;
using query::TaskBuilder;
using query::World;

class RuleTrialTest : public testing::Test {
 protected:
  RuleTrialTest() {
    for (uint64_t seq = 1; seq <= 3; ++seq) {
      ring_.ticks.push_back(World(
          seq, {TaskBuilder(7).Set(v1::TASK_RUNTIME_NS, 1, 1).Set(v1::TASK_FD_COUNT, 5), TaskBuilder(8, "other")}));
    }
  }

  absl::StatusOr<v1::RuleTrial> Try(const query::Caller& caller, int64_t bytes = 1 << 20, bool listening = true) {
    query::FakeRingReader reader(&ring_);
    const query::Budgets budgets{.tests = std::make_shared<query::MemoryBudget>(1000),
                                 .bytes = std::make_shared<query::MemoryBudget>(bytes)};
    auto trial = TryRule(*query::Expression::Parse("comm == worker"),
                         {.range = {query::kStart, query::kStart + 10 * query::kSecond},
                          .caller = caller,
                          .budgets = budgets,
                          .go_on = query::GoOn([] { return true; }, std::chrono::seconds(listening ? 3600 : -1))},
                         &reader);
    EXPECT_TRUE(budgets.bytes->Take(bytes)) << "all is given back";
    return trial;
  }

  query::FakeRing ring_;
};

TEST_F(RuleTrialTest, CountsWhatMatched) {
  const auto trial = Try(kRoot);
  ASSERT_TRUE(trial.ok()) << trial.status();
  EXPECT_EQ(trial->ticks(), 3u);
  EXPECT_EQ(trial->tasks(), 1u);
  EXPECT_EQ(trial->tasks_seen(), 2u);
  EXPECT_EQ(trial->rows(), 3u);
}

TEST_F(RuleTrialTest, ListsNoMetricThatTheCallerMayNotSee) {
  EXPECT_THAT(Try(kRoot)->metrics(), testing::IsSupersetOf({v1::TASK_RUNTIME_NS, v1::TASK_FD_COUNT}));
  EXPECT_THAT(Try(kAlice)->metrics(), testing::Contains(v1::TASK_RUNTIME_NS));
  EXPECT_THAT(Try(kAlice)->metrics(), testing::Not(testing::Contains(v1::TASK_FD_COUNT)));
}

TEST_F(RuleTrialTest, HasNoMoreRoomThanThereIsAndNoMoreTime) {
  EXPECT_TRUE(absl::IsResourceExhausted(Try(kRoot, 100).status()));
  EXPECT_TRUE(absl::IsResourceExhausted(Try(kRoot, 1 << 20, false).status()));
}

}  // namespace
}  // namespace taskmon::daemon

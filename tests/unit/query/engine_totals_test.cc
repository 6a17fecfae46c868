// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/query/engine_fixture.h"

namespace taskmon::query {
namespace {

using testing::DoubleEq;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ReadTotalsTest : public EngineTest {
 protected:
  void SetUp() override {
    for (uint64_t seq = 1; seq <= 4; ++seq) {
      const auto n = static_cast<int64_t>(seq);
      ring_.ticks.push_back(World(seq, {TaskBuilder(20, "web")
                                            .Uid(1000)
                                            .Set(v1::TASK_PM_SIZE, 100)
                                            .Set(v1::TASK_READ_BYTES, n * 50, 50)
                                            .Set(v1::TASK_RUNQ_WAIT_TIME_MAX, 7),
                                        TaskBuilder(20, "web").Thread(20).Set(v1::TASK_PM_SIZE, 100),
                                        TaskBuilder(30, "db")
                                            .Uid(2000)
                                            .Set(v1::TASK_PM_SIZE, 10 * n)
                                            .Set(v1::TASK_READ_BYTES, n * 3, 3)
                                            .Set(v1::TASK_RUNQ_WAIT_TIME_MAX, 9)}));
    }
    Live(ring_.ticks.back());
    request_.set_begin("10m");
    for (const v1::Metric metric : {v1::TASK_PM_SIZE, v1::TASK_READ_BYTES, v1::TASK_RUNQ_WAIT_TIME_MAX}) {
      request_.mutable_selection()->add_metrics(metric);
    }
  }

  std::vector<v1::TotalsPoint> Totals(const Caller& caller = kRoot) {
    points_.clear();
    status_ = MakeEngine().ReadTotals(request_, caller, [&](const v1::Totals& totals) {
      points_.insert(points_.end(), totals.points().begin(), totals.points().end());
      last_totals_ = totals;
      return listening_;
    });
    return points_;
  }

  v1::TotalsRequest request_;
  std::vector<v1::TotalsPoint> points_;
  v1::Totals last_totals_;
};

TEST_F(ReadTotalsTest, AddsUpGaugesAndRatesAndTakesTheLargestMaximum) {
  const auto points = Totals();
  ASSERT_TRUE(status_.ok()) << status_;
  ASSERT_EQ(points.size(), 4u);
  EXPECT_EQ(points[0].tick().seq(), 1u);
  EXPECT_EQ(points[3].tasks(), 2u) << "processes, not their threads";
  EXPECT_THAT(points[3].values(), ElementsAre(DoubleEq(140), DoubleEq(53), DoubleEq(9)));
  EXPECT_THAT(points[3].unavailable(), IsEmpty());
  EXPECT_THAT(points[3].redacted(), IsEmpty());
  EXPECT_EQ(last_totals_.stored_begin_ns(), ring_.ticks.front().tick.wall_ns);
  EXPECT_EQ(last_totals_.stored_end_ns(), ring_.ticks.back().tick.wall_ns);
}

TEST_F(ReadTotalsTest, GuardedValuesOfOthersAreLeftOutAndSaidToBe) {
  const auto points = Totals(kAlice);
  ASSERT_EQ(points.size(), 4u);
  EXPECT_THAT(points[1].values(), ElementsAre(DoubleEq(120), DoubleEq(50), DoubleEq(9)));
  EXPECT_THAT(points[1].redacted(), ElementsAre(v1::TASK_READ_BYTES));
}

TEST_F(ReadTotalsTest, NobodyLearnsAboutGuardedValuesThroughTheFilter) {
  request_.mutable_selection()->set_expression("read > 1B");
  const auto points = Totals(kAlice);
  ASSERT_EQ(points.size(), 4u);
  EXPECT_EQ(points[1].tasks(), 1u) << "Alice's own";
}

TEST_F(ReadTotalsTest, WhatNoTaskHasIsUnavailableNotZero) {
  request_.mutable_selection()->add_metrics(v1::TASK_SWAP_DATA_SIZE);
  EXPECT_THAT(Totals()[0].unavailable(), ElementsAre(v1::TASK_SWAP_DATA_SIZE));
}

TEST_F(ReadTotalsTest, AStepIsOnePoint) {
  request_.set_step_ns(4 * kSecond);
  const auto points = Totals();
  ASSERT_FALSE(points.empty());
  EXPECT_LT(points.size(), 4u);
  EXPECT_THAT(points.back().values(1), DoubleEq(53)) << "a mean over the step, not a sum";
}

TEST_F(ReadTotalsTest, WhatHasEndedInAStepHoldsNothingAtItsEnd) {
  // One of 500 after the other, a second each: never two of them at once.
  for (uint64_t seq = 1; seq <= 4; ++seq) {
    Snapshot& tick = ring_.ticks[seq - 1];
    tick = World(seq, {TaskBuilder(100 + static_cast<int32_t>(seq), "cc1plus")
                           .Set(v1::TASK_PM_SIZE, 500)
                           .Set(v1::TASK_READ_BYTES, 40, 40)
                           .Set(v1::TASK_RUNQ_WAIT_TIME_MAX, static_cast<int64_t>(10 - seq))});
  }
  request_.set_step_ns(100 * kSecond);
  const auto points = Totals();
  ASSERT_TRUE(status_.ok()) << status_;
  ASSERT_EQ(points.size(), 1u);
  EXPECT_EQ(points[0].tasks(), 1u);
  EXPECT_THAT(points[0].values(0), DoubleEq(500));
  EXPECT_THAT(points[0].values(1), DoubleEq(40)) << "all of them read, one after the other";
  EXPECT_THAT(points[0].values(2), DoubleEq(9)) << "the first waited longest";
}

TEST_F(ReadTotalsTest, ErrorsAreThoseOfHistory) {
  request_.mutable_selection()->set_expression("comm ==");
  Totals();
  EXPECT_TRUE(absl::IsInvalidArgument(status_));
  request_.mutable_selection()->clear_expression();
  request_.set_begin("@1");
  request_.set_end("@2");
  Totals();
  EXPECT_TRUE(absl::IsOutOfRange(status_)) << status_;
  EXPECT_THAT(std::string(status_.message()), HasSubstr("stored is"));
}

TEST_F(ReadTotalsTest, EndsWhenTheReceiverIsGone) {
  listening_ = false;
  Totals();
  EXPECT_TRUE(absl::IsCancelled(status_)) << status_;
}

}  // namespace
}  // namespace taskmon::query

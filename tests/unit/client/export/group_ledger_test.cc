// SPDX-License-Identifier: Apache-2.0
#include "client/export/group_ledger.h"

#include <deque>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../fake_backend.h"

namespace taskmon::client {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
const MetricDesc& kRuntime = Describe(v1::TASK_RUNTIME_NS);
const MetricDesc& kRead = Describe(v1::TASK_READ_BYTES);
const MetricDesc& kWaitMax = Describe(v1::TASK_RUNQ_WAIT_TIME_MAX);
const MetricDesc& kRss = Describe(v1::TASK_PM_SIZE);

// Rows of groups by app, as taskmond answers them.
class Answer {
 public:
  Answer() : batch_(MakeBatch()) {}

  Answer& Group(const std::string& app, int64_t runtime_ns) {
    sample_ = AddTask(1, "", &batch_);
    batch_.mutable_tasks(batch_.tasks_size() - 1)->set_app(app);
    sample_->set_group_tasks(2);
    return Set(v1::TASK_RUNTIME_NS, runtime_ns);
  }
  Answer& Set(v1::Metric metric, int64_t value) {
    SetValue(metric, value, batch_, sample_);
    return *this;
  }
  Answer& Redact(v1::Metric metric) {
    sample_->add_redacted(metric);
    return *this;
  }
  Answer& MakeUnavailable(v1::Metric metric) {
    sample_->add_unavailable(metric);
    return *this;
  }
  std::vector<TaskRow> Rows() {
    view_.emplace(&batch_);
    std::vector<TaskRow> rows;
    for (int i = 0; i < view_->size(); ++i) rows.push_back(view_->Row(i));
    return rows;
  }

 private:
  v1::TaskBatch batch_;
  v1::Sample* sample_ = nullptr;
  std::optional<BatchView> view_;
};

class Ledger : public testing::Test {
 protected:
  void Window(Answer answer) {
    time_ns_ += kSecond;
    ledger_.AddWindow(answer.Rows(), time_ns_, kSecond);
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& series : ledger_.AllSeries()) names.push_back(series.group);
    return names;
  }

  GroupLedger ledger_{Attribute::kApp, 2};
  int64_t time_ns_ = 1000 * kSecond;
};

TEST_F(Ledger, CountersAddUpOverWindowsAlsoWhenAGroupIsGone) {
  Window(Answer().Group("a", 10));
  Window(Answer().Group("a", 5));
  Window(Answer());
  EXPECT_EQ(ledger_.Value("a", kRuntime), 15);
}

TEST_F(Ledger, HasNoMoreSeriesThanAskedFor) {
  Window(Answer().Group("a", 100).Group("b", 200).Group("c", 1).Group("d", 2).Group("", 300));
  EXPECT_THAT(Names(), testing::ElementsAre("b", "none", "other"));
  EXPECT_EQ(ledger_.Value("other", kRuntime), 103);
}

TEST_F(Ledger, OtherNeverFallsWhenAGroupGetsAName) {
  Window(Answer().Group("a", 1000).Group("b", 1000).Group("c", 10));
  ASSERT_EQ(ledger_.Value("other", kRuntime), 10);
  // c becomes the busiest by far.
  Window(Answer().Group("a", 0).Group("b", kSecond).Group("c", kSecond / 2));
  EXPECT_THAT(Names(), testing::ElementsAre("b", "c", "other"));
  EXPECT_EQ(ledger_.Value("c", kRuntime), kSecond / 2);
  EXPECT_EQ(ledger_.Value("other", kRuntime), 10);
  Window(Answer().Group("a", 7));
  EXPECT_EQ(ledger_.Value("other", kRuntime), 17);
}

TEST_F(Ledger, WhoIsAsBusyKeepsItsName) {
  Window(Answer().Group("a", 1000).Group("b", 1000).Group("c", 900));
  for (int i = 0; i < 20; ++i) Window(Answer().Group("a", 1000).Group("b", 1000).Group("c", 1100));
  EXPECT_THAT(Names(), testing::ElementsAre("a", "b", "other"));
}

TEST_F(Ledger, WhatIsHiddenOrUnavailableIsLeftOutNotZero) {
  Window(Answer().Group("a", 1).Set(v1::TASK_READ_BYTES, 5).Group("b", 1).Redact(v1::TASK_READ_BYTES));
  EXPECT_EQ(ledger_.Value("a", kRead), 5);
  EXPECT_EQ(ledger_.Value("b", kRead), std::nullopt);
  Window(Answer().Group("a", 1).MakeUnavailable(v1::TASK_READ_BYTES));
  EXPECT_EQ(ledger_.Value("a", kRead), std::nullopt);
  Window(Answer().Group("a", 1).Set(v1::TASK_READ_BYTES, 5));
  EXPECT_EQ(ledger_.Value("a", kRead), 10);
}

TEST_F(Ledger, OneHiddenGroupHidesTheSumOfTheOthers) {
  Window(Answer()
             .Group("a", 9)
             .Group("b", 9)
             .Group("c", 1)
             .Set(v1::TASK_READ_BYTES, 5)
             .Group("d", 1)
             .Redact(v1::TASK_READ_BYTES));
  EXPECT_EQ(ledger_.Value("other", kRead), std::nullopt);
  EXPECT_EQ(ledger_.Value("other", kRuntime), 2);
}

TEST_F(Ledger, AMaximumIsSeenForAMinuteOrTwoByWhoeverScrapes) {
  Window(Answer().Group("a", 1).Set(v1::TASK_RUNQ_WAIT_TIME_MAX, 900));
  for (int i = 0; i < 59; ++i) Window(Answer().Group("a", 1));
  EXPECT_EQ(ledger_.Value("a", kWaitMax), 900);
  for (int i = 0; i < 62; ++i) Window(Answer().Group("a", 1));
  EXPECT_EQ(ledger_.Value("a", kWaitMax), 0);
}

TEST_F(Ledger, SizesAreThoseOfTheMoment) {
  Window(Answer().Group("a", 1));
  Answer before;
  before.Group("a", 0).Set(v1::TASK_PM_SIZE, 4096);
  ledger_.SetMoment(before.Rows());
  EXPECT_EQ(ledger_.Value("a", kRss), 4096);
  EXPECT_EQ(ledger_.AllSeries()[0].tasks, 2u);
  ledger_.SetMoment({});
  EXPECT_EQ(ledger_.Value("a", kRss), std::nullopt);
  EXPECT_EQ(ledger_.AllSeries()[0].tasks, 0u);
}

TEST_F(Ledger, AGroupThatIsReallyCalledOtherIsAmongTheOthers) {
  Window(Answer().Group("other", 1000).Group("a", 1));
  EXPECT_THAT(Names(), testing::ElementsAre("a", "other"));
  EXPECT_EQ(ledger_.Value("other", kRuntime), 1000);
}

}  // namespace
}  // namespace taskmon::client

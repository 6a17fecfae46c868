// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/client/top/small_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/top/asking.h"

namespace taskmon::client::top {
namespace {

Scope Everything() { return {.expression = "", .threads = false, .metrics = MetricsFor(DefaultColumns())}; }

TEST(AskMoment, AsksForTheTickByItsTimeAndForThoseWhoEndedInIt) {
  FakeAnswers answers{.batches = {BatchOf({{.tid = 1, .comm = "a"}})}};
  v1::EventBatch exits;
  *exits.add_events() = ExitOf(42, "short", kNow - 1);
  answers.events = {exits};
  FakeBackend backend(&answers);
  const auto frame = AskMoment({.seek = MomentQuestion::Seek::kAt, .time_ns = kNow, .scope = Everything()}, &backend);
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ((*frame)->items.size(), 2u);
  EXPECT_EQ((*frame)->ended, 1u);
  EXPECT_EQ(answers.list_request.at(), EpochText(kNow));
  EXPECT_EQ(answers.events_request.begin(), EpochText(kNow - kSecond + 1));
  EXPECT_EQ(answers.events_request.end(), EpochText(kNow));
}

TEST(AskMoment, TheNextTickIsTheFirstOneLater) {
  FakeAnswers answers{.batches = {BatchOf({{.tid = 1, .comm = "a"}})}};
  FakeBackend backend(&answers);
  ASSERT_TRUE(
      AskMoment({.seek = MomentQuestion::Seek::kNext, .time_ns = kNow - 1, .scope = Everything()}, &backend).ok());
  EXPECT_EQ(answers.history_request.begin(), EpochText(kNow));
  EXPECT_GT(answers.history_request.end(), EpochText(kNow))
      << "after the newest tick there is nothing, and that is no error";
}

TEST(AskMoment, ErrorsGoUp) {
  FakeAnswers answers;
  answers.result = absl::OutOfRangeError("nothing there");
  FakeBackend backend(&answers);
  for (const auto seek : {MomentQuestion::Seek::kAt, MomentQuestion::Seek::kNext, MomentQuestion::Seek::kPrevious,
                          MomentQuestion::Seek::kFirst, MomentQuestion::Seek::kLast}) {
    EXPECT_TRUE(
        absl::IsOutOfRange(AskMoment({.seek = seek, .time_ns = kNow, .scope = Everything()}, &backend).status()));
  }
}

TEST(AskStretch, NothingStoredThereIsAnEmptyAnswer) {
  FakeAnswers answers;
  answers.result = absl::OutOfRangeError("nothing there");
  FakeBackend backend(&answers);
  const auto answer = AskStretch({.begin_ns = 1, .end_ns = 2}, &backend);
  ASSERT_TRUE(answer.ok());
  EXPECT_TRUE(answer->points.empty());
  answers.result = absl::PermissionDeniedError("no");
  EXPECT_FALSE(AskStretch({.begin_ns = 1, .end_ns = 2}, &backend).ok());
}

TEST(AskStretch, PointsAndMarks) {
  FakeAnswers answers;
  v1::Totals totals;
  for (const v1::Metric metric : TotalsMetrics()) totals.add_metrics(metric);
  v1::TotalsPoint* point = totals.add_points();
  point->mutable_tick()->set_time_ns(kNow);
  for (int i = 0; i < totals.metrics_size(); ++i) point->add_values(i + 1);
  point->add_unavailable(v1::TASK_FORK_COUNT);
  answers.totals = {totals};
  v1::EventBatch events;
  v1::Event* oom = events.add_events();
  *oom = ExitOf(1, "a", kNow);
  oom->set_type(v1::OOM_KILL);
  answers.events = {events};
  FakeBackend backend(&answers);
  const auto answer = AskStretch({.purpose = StretchQuestion::Purpose::kBar, .begin_ns = 1, .end_ns = 2}, &backend);
  ASSERT_TRUE(answer.ok());
  ASSERT_EQ(answer->points.size(), 1u);
  EXPECT_DOUBLE_EQ(answer->points[0].get(Total::kDisk), 3 + 4) << "read and write";
  EXPECT_TRUE(std::isnan(answer->points[0].get(Total::kForks)));
  ASSERT_EQ(answer->marks.size(), 1u);
  EXPECT_EQ(answer->marks[0].kind, Mark::Kind::kOom);
}

TEST(AskTask, ReadsOnlyTheTaskThatIsMeantAndMakesRates) {
  v1::TaskBatch earlier =
      BatchOf({{.tid = 1, .comm = "a", .read_bytes = 100}, {.tid = 1, .comm = "old", .start_ns = 7}}, 7);
  v1::TaskBatch later = BatchOf({{.tid = 1, .comm = "a", .read_bytes = 500}}, 9);
  FakeAnswers answers{.batches = {earlier, later}};
  FakeBackend backend(&answers);
  const TaskAnswer answer = AskTask({.id = {.tid = 1, .start_ns = 5'000'000'000},
                                     .tgid = 1,
                                     .at_ns = kNow,
                                     .begin_ns = kNow - 1000,
                                     .end_ns = kNow + 2 * kSecond,
                                     .metrics = {v1::TASK_READ_BYTES}},
                                    &backend);
  ASSERT_EQ(answer.readings.size(), 2u);
  EXPECT_FALSE(answer.readings[0].values[0].known());
  EXPECT_DOUBLE_EQ(answer.readings[1].values[0].number, 200);
}

}  // namespace
}  // namespace taskmon::client::top

// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/history_parts.h"
#include "fake_backend.h"

namespace taskmon::client {
namespace {

FakeAnswers WithGap(const std::string& reason) {
  FakeAnswers answers;
  v1::TaskBatch batch = MakeBatch();
  AddTask(10, "before", &batch);
  AddTask(20, "after", &batch);
  v1::Gap* gap = batch.add_gaps();
  gap->set_reason(reason);
  gap->set_begin_time_ns(kNow - 130'000'000'000);
  gap->set_end_time_ns(kNow);
  gap->set_before_sample(1);
  answers.batches.push_back(batch);
  return answers;
}

TEST(Gaps, AreRowsInTheirPlace) {
  setenv("TZ", "UTC", 1);
  tzset();
  FakeAnswers answers = WithGap("not running");
  const std::string table = Invoke({"history", "-f", "comm"}, &answers, {.width = 80}).out;
  const size_t gap = table.find("2026-11-22 08:13:20 not recorded for 2m10s: taskmond was not running");
  ASSERT_NE(gap, std::string::npos) << table;
  EXPECT_LT(table.find("before"), gap);
  EXPECT_GT(table.find("after"), gap);
  const std::string json = Invoke({"history", "-o", "jsonl", "-f", "comm"}, &answers).out;
  EXPECT_THAT(json, testing::HasSubstr("\"gap\":\"not running\",\"end_time\":\"2026-11-22T08:15:30.000000000Z\","
                                       "\"duration_ns\":130000000000}\n"));
  const std::string csv = Invoke({"history", "-o", "csv", "-f", "comm,rss"}, &answers).out;
  EXPECT_THAT(csv, testing::HasSubstr("2026-11-22T08:13:20.000000000Z,,,\n"));
}

TEST(Gaps, SayWhatIsMissing) {
  for (const auto& [reason, text] : {std::pair("lost", "kernel records lost"),
                                     {"not stored", "disk or queue full"},
                                     {"", "not recorded for 2m10s\n"},
                                     {"of a newer daemon", "not recorded"}}) {
    FakeAnswers answers = WithGap(reason);
    EXPECT_THAT(Invoke({"history"}, &answers).out, testing::HasSubstr(text));
  }
}

class PlotTest : public testing::Test {
 protected:
  void Point(double cpu, uint32_t tasks) {
    v1::TotalsPoint* point = totals_.add_points();
    point->mutable_tick()->set_time_ns(kNow + totals_.points_size() * 1'000'000'000);
    point->mutable_tick()->set_elapsed_ns(1'000'000'000);
    point->set_tasks(tasks);
    point->add_values(cpu);
    if (cpu < 0) point->add_unavailable(v1::TASK_CPU_PERCENT);
  }
  Outcome Plot(std::vector<std::string> more = {}) {
    totals_.clear_metrics();
    totals_.add_metrics(v1::TASK_CPU_PERCENT);
    answers_.totals = {totals_};
    more.insert(more.begin(), {"history", "--plot", "-f", "cpu"});
    return Invoke(more, &answers_, {.width = 80});
  }
  v1::Totals totals_;
  FakeAnswers answers_;
};

TEST_F(PlotTest, ATaskThatIsGoneHasNoLastValue) {
  Point(20, 1);
  Point(-1, 0);
  EXPECT_THAT(Plot().out, testing::HasSubstr("last -  mean 20.0  max 20.0"));
}

TEST_F(PlotTest, LivesBetweenTheEndsOfStepsAreDrawn) {
  Point(20, 0);
  const Outcome outcome = Plot();
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, testing::HasSubstr("max 20.0"));
}

TEST_F(PlotTest, OfAFileTheNewestTimeStandsForNow) {
  Point(20, 1);
  v1::TaskBatch batch = MakeBatch();
  batch.mutable_ticks(0)->set_time_ns(kNow - 30 * 86'400'000'000'000);
  AddTask(10, "one", &batch);
  answers_.batches = {batch};
  Plot({"--file", "old.db", "-b", "30m"});
  const uint64_t step_ns = answers_.totals_requests[0].step_ns();
  answers_.totals_requests.clear();
  Plot({"--file", "old.db", "-b", "2026-10-23T07:45:30Z"});  // the same
  EXPECT_EQ(answers_.totals_requests[0].step_ns(), step_ns);
}

TEST_F(PlotTest, GroupsAreNotDrawn) {
  const Outcome outcome = Plot({"--by", "comm"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, testing::HasSubstr("leave out --by"));
}

TEST(Groups, OfUsersWithoutANameAreToldByNumber) {
  FakeAnswers answers;
  v1::TaskBatch batch = MakeBatch();
  AddTask(0, "", &batch)->set_group_tasks(3);
  batch.mutable_tasks(0)->set_uid(999);
  batch.mutable_tasks(0)->clear_user();
  answers.batches.push_back(batch);
  EXPECT_THAT(Invoke({"ps", "--by", "user", "-o", "json"}, &answers).out, testing::HasSubstr("\"user\":\"999\""));
  EXPECT_THAT(Invoke({"ps", "--by", "user", "-o", "csv", "-f", "cpu"}, &answers).out, testing::HasSubstr("\n999,"));
}

TEST(Groups, HaveANameAndANumberOfTasks) {
  FakeAnswers answers;
  v1::TaskBatch batch = MakeBatch();
  v1::Sample* sample = AddTask(0, "", &batch);
  sample->set_group_tasks(3);
  batch.mutable_tasks(0)->set_app("nginx");
  AddTask(0, "", &batch)->set_group_tasks(1);
  answers.batches.push_back(batch);
  const std::string table = Invoke({"history", "--by", "app"}, &answers).out;
  EXPECT_EQ(answers.history_request.by(), "app");
  EXPECT_THAT(table, testing::HasSubstr("APP"));
  EXPECT_THAT(table, testing::ContainsRegex("nginx +3 "));
  EXPECT_THAT(table, testing::ContainsRegex("\\(none\\) +1 "));
  EXPECT_THAT(table, testing::Not(testing::HasSubstr("TID")));
  const std::string json = Invoke({"history", "--by", "app", "-o", "jsonl", "-f", "rss"}, &answers).out;
  EXPECT_THAT(json, testing::HasSubstr("\"app\":\"nginx\""));
  EXPECT_THAT(json, testing::Not(testing::HasSubstr("tid")));
  EXPECT_EQ(Invoke({"history", "--by", "colour"}, &answers).code, 2);
}

TEST(History, GoesOnWhereAnAnswerWasCutShort) {
  std::vector<std::string> asked;
  int rows = 0;
  const absl::Status status = InParts(
      v1::HistoryRequest(), [&](const v1::TaskBatch& batch) { return rows += batch.samples_size(), true; },
      [&](const v1::HistoryRequest& request, const Backend::TaskSink& sink) {
        asked.push_back(request.resume());
        v1::TaskBatch batch;
        batch.add_samples();
        if (asked.size() < 3) batch.set_resume("point " + std::to_string(asked.size()));
        sink(batch);
        return absl::OkStatus();
      });
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(rows, 3);
  EXPECT_THAT(asked, testing::ElementsAre("", "point 1", "point 2"));
}

}  // namespace
}  // namespace taskmon::client

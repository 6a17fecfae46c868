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
  EXPECT_THAT(json, testing::HasSubstr("\"gap\":\"not running\",\"end_time\":\"2026-11-22T08:15:30Z\","
                                       "\"duration_ns\":130000000000}\n"));
  const std::string csv = Invoke({"history", "-o", "csv", "-f", "comm,rss"}, &answers).out;
  EXPECT_THAT(csv, testing::HasSubstr("2026-11-22T08:13:20Z,,,\n"));
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

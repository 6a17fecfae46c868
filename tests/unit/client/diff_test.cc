// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/output/diff_printer.h"
#include "fake_backend.h"

namespace taskmon::client {
namespace {

TEST(Diff, AsksForTwoWindowsAndTellsWhoWasInOneOnly) {
  FakeAnswers answers;
  v1::TaskBatch batch = MakeBatch();
  SetValue(v1::TASK_CPU_PERCENT, 50'000, batch, AddTask(20, "busy", &batch));
  answers.batches.push_back(batch);
  const Outcome same = Invoke({"diff", "--before", "1h..50m", "--after", "10m..now"}, &answers);
  EXPECT_EQ(same.code, 0) << same.err;
  EXPECT_EQ(answers.list_request.begin(), "10m");
  EXPECT_EQ(answers.list_request.end(), "now");
  EXPECT_THAT(same.out, testing::ContainsRegex("50.0 +50.0 +\\+0"));
  EXPECT_THAT(same.out, testing::HasSubstr("busy"));
  const std::string json =
      Invoke({"diff", "--before", "1h..50m", "--after", "10m..now", "-o", "json", "-f", "cpu"}, &answers).out;
  EXPECT_THAT(json, testing::HasSubstr("\"was_there\":true,\"is_there\":true,\"task_cpu_percent\":{\"before\":50"));
}

TEST(Diff, CountersAreRatesSoThatWindowsMayDifferInLength) {
  const Field runtime{.metric = FindMetric("read")};
  DiffRow row;
  row.before = DiffSide{.values = {1000}};
  row.after = DiffSide{.values = {600}};
  const DiffLayoutInfo info{
      .layout = {.fields = {runtime}}, .before_elapsed_ns = 10'000'000'000, .after_elapsed_ns = 2'000'000'000};
  PerSecond(info, &row);
  EXPECT_DOUBLE_EQ(*Change(row, 0), 200);
  row.before.reset();
  EXPECT_DOUBLE_EQ(*Change(row, 0), 300);
  row.after->values[0].reset();
  EXPECT_FALSE(Change(row, 0).has_value());
}

TEST(Diff, RefusesWhatIsNoWindowOrNoMetric) {
  FakeAnswers answers;
  for (const char* window : {"1h", "..50m", "1h..", "25:99..now"}) {
    EXPECT_EQ(Invoke({"diff", "--before", window, "--after", "10m..now"}, &answers).code, 2) << window;
  }
  for (const char* sort : {"comm", "state", "nothing"}) {
    EXPECT_EQ(Invoke({"diff", "--before", "1h..50m", "--after", "10m..now", "--sort", sort}, &answers).code, 2) << sort;
  }
  EXPECT_EQ(Invoke({"diff", "--before", "1h..50m"}, &answers).code, 2);
  EXPECT_EQ(Invoke({"diff", "--before", "1h..50m", "--after", "10m..now", "-f", "comm"}, &answers).code, 2);
}

}  // namespace
}  // namespace taskmon::client

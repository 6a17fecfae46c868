// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/query/engine_fixture.h"

namespace taskmon::query {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ReadHistoryTest : public EngineTest {
 protected:
  void SetUp() override {
    setenv("TZ", "UTC", 1);
    tzset();
    for (uint64_t seq = 1; seq <= 4; ++seq) {
      const auto runtime = static_cast<int64_t>(seq) * 100 * kMs;
      std::vector<TaskBuilder> tasks = {
          TaskBuilder(20, "multi").Set(v1::TASK_RUNTIME_NS, runtime, 100 * kMs).Set(v1::TASK_PM_SIZE, 1),
          TaskBuilder(20, "multi").Thread(20).Set(v1::TASK_RUNTIME_NS, 1),
          TaskBuilder(21, "helper").Thread(20).Set(v1::TASK_RUNTIME_NS, 1),
      };
      if (seq <= 2) tasks.push_back(TaskBuilder(30, "short").Set(v1::TASK_RUNTIME_NS, 1));
      ring_.ticks.push_back(World(seq, tasks));
    }
    Live(ring_.ticks.back());
    request_.set_begin("10m");
  }

  v1::HistoryRequest request_;
};

TEST_F(ReadHistoryTest, SendsTicksOldestFirst) {
  EXPECT_THAT(History(request_), ElementsAre("20@1", "30@1", "20@2", "30@2", "20@3", "20@4"));
  EXPECT_TRUE(last_.last());
  EXPECT_EQ(batches_, 1);
}

TEST_F(ReadHistoryTest, KeepsToTheRange) {
  request_.set_begin("@1700000002");
  request_.set_end("@1700000003");
  EXPECT_THAT(History(request_), ElementsAre("20@2", "30@2", "20@3"));
  request_.clear_begin();
  request_.clear_end();
  EXPECT_EQ(History(request_).size(), 6u) << "by default the last ten minutes";
}

TEST_F(ReadHistoryTest, OneThreadOverTime) {
  request_.mutable_selection()->set_tid(21);
  EXPECT_THAT(History(request_), ElementsAre("21t@1", "21t@2", "21t@3", "21t@4"));
  EXPECT_EQ(ring_.last_filter.tid, 21);
  EXPECT_FALSE(ring_.last_filter.thread.has_value());
}

TEST_F(ReadHistoryTest, ThreadsStandForTheirProcess) {
  request_.mutable_selection()->set_threads(true);
  request_.set_begin("@1700000002");
  request_.set_end("@1700000002");
  EXPECT_THAT(History(request_), ElementsAre("20t@2", "21t@2", "30@2"));
}

TEST_F(ReadHistoryTest, ReadsOnlyTheColumnsItNeeds) {
  request_.mutable_selection()->add_metrics(v1::TASK_CPU_PERCENT);
  request_.mutable_selection()->set_expression("rss >= 1 && comm == multi");
  EXPECT_EQ(History(request_).size(), 4u);
  EXPECT_EQ(ring_.last_filter.thread, false);
  EXPECT_TRUE(ring_.last_filter.metrics[v1::TASK_RUNTIME_NS]) << "what cpu is made of";
  EXPECT_TRUE(ring_.last_filter.metrics[v1::TASK_PM_SIZE]) << "what the expression reads";
  EXPECT_EQ(ring_.last_filter.metrics.count(), 3u);
  EXPECT_THAT(last_.samples(0).values(), ElementsAre(10'000));
}

TEST_F(ReadHistoryTest, AStepFoldsTicks) {
  request_.set_step_ns(2 * kSecond);
  EXPECT_THAT(History(request_), ElementsAre("20@1", "30@1", "20@3", "30@3+", "20@4"));
  EXPECT_EQ(last_.ticks(1).elapsed_ns(), 2u * kSecond);
}

TEST_F(ReadHistoryTest, AnEmptyAnswerIsOneLastBatch) {
  request_.mutable_selection()->set_expression("comm == nobody");
  EXPECT_THAT(History(request_), IsEmpty());
  EXPECT_EQ(batches_, 1);
  EXPECT_TRUE(last_.last());
}

TEST_F(ReadHistoryTest, LongAnswersComeInPages) {
  ring_.ticks.clear();
  for (uint64_t seq = 1; seq <= 30; ++seq) {
    std::vector<TaskBuilder> tasks;
    for (int32_t tid = 1; tid <= 100; ++tid) tasks.emplace_back(tid);
    ring_.ticks.push_back(World(seq, tasks));
  }
  request_.mutable_selection()->add_metrics(v1::TASK_PM_SIZE);
  request_.set_end("@1700000100");
  now_ = kStart + 200 * kSecond;
  EXPECT_EQ(History(request_).size(), 3000u);
  EXPECT_EQ(batches_, 4) << "three full ones and the last";
}

TEST_F(ReadHistoryTest, EndsWhenTheReceiverIsGone) {
  listening_ = false;
  EXPECT_EQ(HistoryError(request_), "CANCELLED: the receiver is gone");
  request_.set_step_ns(kSecond);
  EXPECT_EQ(HistoryError(request_), "CANCELLED: the receiver is gone");
}

TEST_F(ReadHistoryTest, AsksWhetherAnybodyListensWhileNothingMatches) {
  std::vector<TaskBuilder> tasks;
  for (int32_t tid = 1; tid <= 5000; ++tid) tasks.emplace_back(tid);
  const Snapshot world = World(1, tasks);
  ring_.ticks.assign(25, world);
  request_.mutable_selection()->set_expression("comm == nobody");
  listening_ = false;
  EXPECT_EQ(HistoryError(request_), "CANCELLED: the receiver is gone");
  EXPECT_EQ(batches_, 1);
  EXPECT_FALSE(last_.last());
}

TEST_F(ReadHistoryTest, RefusesRangesThatCannotBe) {
  request_.set_begin("@1700000003");
  request_.set_end("@1700000001");
  EXPECT_EQ(HistoryError(request_),
            "INVALID_ARGUMENT: the range begins (2023-11-14 22:13:23) after it ends (2023-11-14 22:13:21)");
  request_.set_begin("when");
  EXPECT_THAT(HistoryError(request_), HasSubstr("INVALID_ARGUMENT: bad time 'when'"));
  request_.set_begin("10m");
  request_.clear_end();
  request_.set_step_ns(~0ull);
  EXPECT_EQ(HistoryError(request_), "INVALID_ARGUMENT: step too long");
}

TEST_F(ReadHistoryTest, NamesWhatIsStoredWhenTheRangeIsOutside) {
  request_.set_begin("@1600000000");
  request_.set_end("@1600000060");
  EXPECT_EQ(HistoryError(request_),
            "OUT_OF_RANGE: no data from 2020-09-13 12:26:40 to 2020-09-13 12:27:40; "
            "stored is 2023-11-14 22:13:21 to 2023-11-14 22:13:24");
  request_.set_begin("2030-01-01");
  request_.set_end("2030-01-02");
  EXPECT_THAT(HistoryError(request_), HasSubstr("OUT_OF_RANGE"));
  request_.set_begin("@1600000000");
  request_.set_end("@1700000001");
  EXPECT_THAT(History(request_), ElementsAre("20@1", "30@1")) << "partly outside is fine";
  ring_.ticks.clear();
  EXPECT_EQ(HistoryError(request_), "OUT_OF_RANGE: nothing is stored yet");
  has_ring_ = false;
  EXPECT_EQ(HistoryError(request_), "NOT_FOUND: no history is kept here");
}

TEST_F(ReadHistoryTest, InAFileTheNewestTickStandsForNow) {
  use_live_ = false;
  request_.set_begin("1s");
  EXPECT_THAT(History(request_), ElementsAre("20@3", "20@4"));
}

}  // namespace
}  // namespace taskmon::query

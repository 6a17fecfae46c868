// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/query/engine_fixture.h"

namespace taskmon::query {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ListTasksTest : public EngineTest {
 protected:
  void SetUp() override {
    Live(World(10, {TaskBuilder(1, "init").Set(v1::TASK_RUNTIME_NS, 9, 100 * kMs).Set(v1::TASK_READ_BYTES, 10),
                    TaskBuilder(20, "multi")
                        .Uid(1000, "alice")
                        .Set(v1::TASK_RUNTIME_NS, 8, 700 * kMs)
                        .Set(v1::TASK_READ_BYTES, 20),
                    TaskBuilder(20, "multi").Uid(1000, "alice").Thread(20).Set(v1::TASK_RUNTIME_NS, 7),
                    TaskBuilder(21, "helper").Uid(1000, "alice").Thread(20).Set(v1::TASK_RUNTIME_NS, 6),
                    TaskBuilder(30, "zed").Set(v1::TASK_READ_BYTES, 30)}));
  }

  v1::ListTasksRequest request_;
};

TEST_F(ListTasksTest, ShowsProcessesInOrder) {
  EXPECT_THAT(List(request_), ElementsAre("1", "20", "30"));
  EXPECT_EQ(last_.ticks(0).seq(), 10u);
  EXPECT_EQ(last_.metrics_size(), static_cast<int>(AllMetrics().size()));
  EXPECT_EQ(last_.tasks(0).boot_id(), "boot-1");
}

TEST_F(ListTasksTest, ThreadsStandForTheirProcessWhereThereAreAny) {
  request_.mutable_selection()->set_threads(true);
  EXPECT_THAT(List(request_), ElementsAre("1", "20t", "21t", "30"));
}

TEST_F(ListTasksTest, ATidFindsItsRowWhateverItIs) {
  request_.mutable_selection()->set_tid(21);
  EXPECT_THAT(List(request_), ElementsAre("21t"));
  request_.mutable_selection()->set_tid(20);
  EXPECT_THAT(List(request_), ElementsAre("20"));
  request_.mutable_selection()->set_threads(true);
  EXPECT_THAT(List(request_), ElementsAre("20t"));
  request_.mutable_selection()->set_tid(30);
  EXPECT_THAT(List(request_), ElementsAre("30"));
  request_.mutable_selection()->set_tid(99);
  EXPECT_THAT(List(request_), IsEmpty());
}

TEST_F(ListTasksTest, FiltersByExpression) {
  request_.mutable_selection()->set_expression("cpu > 50% && user == alice");
  EXPECT_THAT(List(request_), ElementsAre("20"));
}

TEST_F(ListTasksTest, AnEmptyAnswerIsOneLastBatch) {
  request_.mutable_selection()->set_expression("comm == nobody");
  EXPECT_THAT(List(request_), IsEmpty());
  EXPECT_EQ(batches_, 1);
  EXPECT_TRUE(last_.last());
  EXPECT_EQ(last_.ticks_size(), 1);
}

TEST_F(ListTasksTest, SendsTheMetricsAskedFor) {
  for (uint32_t metric : {v1::TASK_READ_BYTES, v1::TASK_CPU_PERCENT, v1::TASK_READ_BYTES}) {
    request_.mutable_selection()->add_metrics(metric);
  }
  List(request_);
  EXPECT_THAT(last_.metrics(), ElementsAre(v1::TASK_READ_BYTES, v1::TASK_CPU_PERCENT));
  EXPECT_THAT(last_.samples(0).values(), ElementsAre(10, 10'000));
}

TEST_F(ListTasksTest, SortsNumbersDownAndTextsUp) {
  request_.set_sort("read");
  EXPECT_THAT(List(request_), ElementsAre("30", "20", "1"));
  request_.set_sort("-task_read_bytes");
  EXPECT_THAT(List(request_), ElementsAre("1", "20", "30"));
  request_.set_sort("comm");
  EXPECT_THAT(List(request_), ElementsAre("1", "20", "30"));
  request_.set_sort("-comm");
  EXPECT_THAT(List(request_), ElementsAre("30", "20", "1"));
  request_.set_sort("tid");
  request_.set_top(2);
  EXPECT_THAT(List(request_), ElementsAre("30", "20"));
}

TEST_F(ListTasksTest, UnavailableValuesSortLastBothWays) {
  request_.set_sort("cpu");
  EXPECT_THAT(List(request_), ElementsAre("20", "1", "30"));
  request_.set_sort("-cpu");
  EXPECT_THAT(List(request_), ElementsAre("1", "20", "30"));
}

TEST_F(ListTasksTest, RedactedValuesTellNothingByOrderOrFilter) {
  request_.set_sort("read");
  EXPECT_THAT(List(request_, kAlice), ElementsAre("20", "1", "30")) << "her own first, the rest as they were";
  request_.set_sort("-read");
  EXPECT_THAT(List(request_, kAlice), ElementsAre("20", "1", "30"));
  for (const char* guess : {"read >= 0", "total(read) < 1M", "!(total(read) == 30)", "total(read) != 5"}) {
    request_.mutable_selection()->set_expression(guess);
    EXPECT_THAT(List(request_, kAlice), testing::Not(testing::Contains("30"))) << guess;
  }
}

TEST_F(ListTasksTest, ListsRedactedMetrics) {
  request_.mutable_selection()->add_metrics(v1::TASK_READ_BYTES);
  List(request_, kAlice);
  EXPECT_THAT(last_.samples(0).redacted(), ElementsAre(v1::TASK_READ_BYTES));
  EXPECT_THAT(last_.samples(0).values(), ElementsAre(0));
  EXPECT_THAT(last_.samples(1).redacted(), IsEmpty());
  EXPECT_THAT(last_.samples(1).values(), ElementsAre(20));
}

TEST_F(ListTasksTest, PagesAreBounded) {
  std::vector<TaskBuilder> many;
  for (int32_t tid = 1; tid <= 2500; ++tid) many.emplace_back(tid);
  Live(World(1, many));
  EXPECT_EQ(List(request_).size(), 2500u);
  EXPECT_EQ(batches_, 3);
  EXPECT_TRUE(last_.last());
  EXPECT_EQ(last_.samples_size(), 500);
}

TEST_F(ListTasksTest, RefusesWhatItDoesNotKnow) {
  request_.set_sort("cpv");
  EXPECT_EQ(ListError(request_), "INVALID_ARGUMENT: cannot sort by unknown field 'cpv'; did you mean 'cpu'?");
  request_.set_sort("-");
  EXPECT_EQ(ListError(request_), "INVALID_ARGUMENT: cannot sort by unknown field ''");
  request_.clear_sort();
  request_.mutable_selection()->set_expression("cmm == a");
  EXPECT_EQ(ListError(request_), "INVALID_ARGUMENT: column 1: unknown field 'cmm'; did you mean 'comm'?");
  request_.mutable_selection()->clear_expression();
  request_.mutable_selection()->add_metrics(9999);
  EXPECT_EQ(ListError(request_), "INVALID_ARGUMENT: there is no metric number 9999");
  request_.mutable_selection()->set_metrics(0, 0);
  EXPECT_EQ(ListError(request_), "INVALID_ARGUMENT: there is no metric number 0");
  request_.mutable_selection()->set_metrics(0, 4294967295u);
  EXPECT_EQ(ListError(request_), "INVALID_ARGUMENT: there is no metric number 4294967295");
  request_.mutable_selection()->clear_metrics();
  request_.mutable_selection()->set_tid(-4);
  EXPECT_EQ(ListError(request_), "INVALID_ARGUMENT: bad tid -4: a tid is positive");
  request_.mutable_selection()->clear_tid();
  request_.set_at("soon");
  EXPECT_THAT(ListError(request_), HasSubstr("INVALID_ARGUMENT: bad time 'soon'"));
}

TEST_F(ListTasksTest, EndsWhenTheReceiverIsGone) {
  listening_ = false;
  EXPECT_EQ(ListError(request_), "CANCELLED: the receiver is gone");
}

TEST_F(ListTasksTest, SaysThatTheFirstTickIsStillToCome) {
  live_ = nullptr;
  EXPECT_THAT(ListError(request_), HasSubstr("UNAVAILABLE"));
}

// ---- --at

TEST_F(ListTasksTest, LooksBackIntoTheRing) {
  ring_.ticks = {World(1, {TaskBuilder(5)}), World(2, {TaskBuilder(6)}), World(3, {TaskBuilder(7)})};
  request_.set_at("@1700000001");
  EXPECT_THAT(List(request_), ElementsAre("5"));
  request_.set_at("@1700000002.5");
  EXPECT_THAT(List(request_), ElementsAre("6"));
  request_.set_at("@1600000000");
  EXPECT_EQ(ListError(request_), "OUT_OF_RANGE: outside of the fake");
}

TEST_F(ListTasksTest, TheLiveTickIsCurrentUntilTheNextOne) {
  now_ = kStart + 12 * kSecond;
  request_.set_at("now");
  EXPECT_THAT(List(request_), ElementsAre("1", "20", "30"));
  request_.set_at("2s");
  EXPECT_THAT(List(request_), ElementsAre("1", "20", "30"));
  request_.set_at("@1700000500");
  EXPECT_THAT(ListError(request_), HasSubstr("OUT_OF_RANGE")) << "the future";
}

TEST_F(ListTasksTest, ATimeBetweenTheLastStoredAndTheLiveTickIsTheStoredOnes) {
  ring_.ticks = {World(8, {TaskBuilder(5)}), World(9, {TaskBuilder(6)})};
  now_ = kStart + 12 * kSecond;
  request_.set_at("2.5s");
  EXPECT_THAT(List(request_), ElementsAre("6"));
  ring_.ticks.pop_back();  // the writer is behind: what was current then is not known here
  EXPECT_THAT(ListError(request_), HasSubstr("OUT_OF_RANGE"));
}

TEST_F(ListTasksTest, AFileAnswersWithItsNewestTick) {
  use_live_ = false;
  ring_.ticks = {World(1, {TaskBuilder(5)}), World(200, {TaskBuilder(6)})};
  EXPECT_THAT(List(request_), ElementsAre("6"));
  request_.set_at("3m");  // three minutes before the newest
  EXPECT_THAT(List(request_), ElementsAre("5"));
  ring_.ticks.clear();
  request_.clear_at();
  EXPECT_EQ(ListError(request_), "OUT_OF_RANGE: nothing is stored yet");
  has_ring_ = false;
  EXPECT_EQ(ListError(request_), "NOT_FOUND: no history is kept here");
}

// ---- watch

TEST_F(ListTasksTest, SelectMakesOneBatchOfOneTick) {
  v1::Selection selection;
  selection.set_expression("comm == zed");
  selection.add_metrics(v1::TASK_READ_BYTES);
  absl::StatusOr<v1::TaskBatch> batch = Engine::Select(*live_, selection, kAlice);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_TRUE(batch->last());
  EXPECT_EQ(batch->samples_size(), 1);
  EXPECT_THAT(batch->samples(0).redacted(), ElementsAre(v1::TASK_READ_BYTES));
  selection.set_expression("(");
  EXPECT_EQ(Engine::Select(*live_, selection, kAlice).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ListTasksTest, SelectPagesMarksTheFinalOne) {
  std::vector<TaskBuilder> many;
  for (int32_t tid = 1; tid <= 1001; ++tid) many.emplace_back(tid);
  absl::StatusOr<Plan> plan = Plan::Make(v1::Selection());
  const std::vector<v1::TaskBatch> pages = Engine::SelectPages(World(1, many), *plan, kRoot);
  ASSERT_EQ(pages.size(), 2u);
  EXPECT_FALSE(pages[0].last());
  EXPECT_TRUE(pages[1].last());
}

TEST(RingColumns, StoresEverythingButWhatIsDerivedAtReading) {
  const std::vector<storage::ColumnSpec> columns = RingColumns();
  EXPECT_EQ(columns.size(), AllMetrics().size());
  for (const storage::ColumnSpec& column : columns) {
    const bool derived = column.id == v1::TASK_CPU_PERCENT || column.id == v1::TASK_MEM_PERCENT;
    EXPECT_EQ(column.stored, !derived) << column.id;
    EXPECT_LT(column.id, kMetricSlots);
  }
  EXPECT_EQ(columns[v1::TASK_RUNTIME_NS - 1].kind, storage::ColumnKind::kCounter);
  EXPECT_EQ(columns[v1::TASK_PM_SIZE - 1].kind, storage::ColumnKind::kGauge);
  EXPECT_EQ(columns[v1::TASK_IO_WAIT_TIME_MAX - 1].kind, storage::ColumnKind::kWindowMax);
}

}  // namespace
}  // namespace taskmon::query

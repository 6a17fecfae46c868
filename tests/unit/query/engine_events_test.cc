// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/query/event_selector.h"
#include "tests/unit/query/engine_fixture.h"

namespace taskmon::query {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class ReadEventsTest : public EngineTest {
 protected:
  void SetUp() override {
    ring_.ticks = {World(1, {}), World(100, {})};
    Live(ring_.ticks.back());
    Happened(EventType::kFork, TaskBuilder(5, "sh"));
    Happened(EventType::kFork, TaskBuilder(6, "pool").Thread(5));
    Happened(EventType::kExec, TaskBuilder(5, "burn").Uid(1000));
    Happened(EventType::kExit, TaskBuilder(6, "pool").Thread(5));
    Event& exit = Happened(EventType::kExit, TaskBuilder(5, "burn").Uid(1000));
    exit.wait_status = 3 << 8;
    exit.duration_ns = 2 * kSecond;
    exit.final_sample = TaskBuilder(5, "burn")
                            .Set(v1::TASK_RUNTIME_NS, 1500 * kMs)
                            .Set(v1::TASK_READ_BYTES, 4000)
                            .Set(v1::TASK_PEAK_PM_SIZE, 1 << 20)
                            .Set(v1::TASK_OFFCPU_TIME, 500 * kMs)
                            .Set(v1::TASK_OFFCPU_SINCE, 1)
                            .Build(50);
    Event& gap = Happened(EventType::kGap, TaskBuilder(1));
    gap.task = nullptr;
    gap.lost = 17;
    gap.detail = "ring buffer full";
  }

  Event& Happened(EventType type, const TaskBuilder& task) {
    Event event;
    event.id = ring_.events.size() + 1;
    event.type = type;
    event.wall_ns = kStart + static_cast<int64_t>(event.id) * kSecond;
    event.boot_ns = kBoot + event.id * kSecond;
    event.task = task.Build(1)->info;
    ring_.events.push_back(event);
    return ring_.events.back();
  }

  absl::Status Run(const Caller& caller = kRoot) {
    ids_.clear();
    events_.clear();
    return MakeEngine().ReadEvents(request_, caller, [this](const v1::EventBatch& batch) {
      for (const v1::Event& event : batch.events()) {
        ids_.push_back(event.id());
        events_.push_back(event);
      }
      return listening_;
    });
  }

  std::vector<uint64_t> Ids() {
    const absl::Status status = Run();
    EXPECT_TRUE(status.ok()) << status;
    return ids_;
  }

  v1::EventsRequest request_;
  std::vector<uint64_t> ids_;
  std::vector<v1::Event> events_;
};

TEST_F(ReadEventsTest, WhatIsStoredLaterThanAMomentIsLeftOut) {
  const Engine engine = MakeEngine();
  const auto end = engine.EndOfHistory();
  ASSERT_TRUE(end.ok() && end->has_value());
  EXPECT_EQ((*end)->tick_seq, 100u);
  EXPECT_EQ((*end)->event_id, 6u);
  Happened(EventType::kExec, TaskBuilder(5, "burn"));
  std::vector<uint64_t> ids;
  const auto sink = [&ids](const v1::EventBatch& batch) {
    for (const v1::Event& event : batch.events()) ids.push_back(event.id());
    return true;
  };
  ASSERT_TRUE(engine.ReadEvents(request_, kRoot, sink, *end).ok());
  EXPECT_THAT(ids, ElementsAre(1, 3, 5, 6));
  has_ring_ = false;
  EXPECT_FALSE((*MakeEngine().EndOfHistory()).has_value());
}

TEST_F(ReadEventsTest, HidesTheLivesOfThreadsUnlessAsked) {
  EXPECT_THAT(Ids(), ElementsAre(1, 3, 5, 6));
  request_.set_threads(true);
  EXPECT_THAT(Ids(), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST_F(ReadEventsTest, FiltersByType) {
  request_.add_types(v1::EXIT);
  request_.add_types(v1::EXEC);
  EXPECT_THAT(Ids(), ElementsAre(3, 5));
  request_.add_types(static_cast<v1::EventType>(99));
  EXPECT_EQ(Run().ToString(), "INVALID_ARGUMENT: there is no event type 99");
}

TEST_F(ReadEventsTest, FiltersByTaskAndByWhatItsWholeLifeWas) {
  request_.set_expression("comm == burn");
  EXPECT_THAT(Ids(), ElementsAre(3, 5));
  request_.set_expression("total(runtime) > 1s");
  EXPECT_THAT(Ids(), ElementsAre(5));
  request_.set_expression("cpu == 75%");
  EXPECT_THAT(Ids(), ElementsAre(5)) << "1.5 s in a life of 2 s";
  request_.set_expression("cpu != 75%");
  EXPECT_THAT(Ids(), IsEmpty()) << "unknown for what has no numbers";
  request_.set_expression("age > 1s && uid == 1000");
  EXPECT_THAT(Ids(), ElementsAre(3, 5));
}

TEST_F(ReadEventsTest, GapsComeWithoutAFilterOrWhenAskedFor) {
  request_.set_expression("comm == burn");
  EXPECT_THAT(Ids(), Not(Contains(6u)));
  request_.add_types(v1::GAP);
  EXPECT_THAT(Ids(), ElementsAre(6));
  EXPECT_EQ(events_[0].lost(), 17u);
  EXPECT_EQ(events_[0].detail(), "ring buffer full");
  EXPECT_FALSE(events_[0].has_task());
}

TEST_F(ReadEventsTest, KeepsToTheRange) {
  request_.set_begin("@1700000003");
  request_.set_end("@1700000005");
  EXPECT_THAT(Ids(), ElementsAre(3, 5));
  request_.set_begin("@1600000000");
  request_.set_end("@1600000001");
  EXPECT_THAT(Run().ToString(), HasSubstr("OUT_OF_RANGE: no data from"));
  request_.set_follow(true);
  EXPECT_THAT(Ids(), IsEmpty()) << "a follower can wait";
}

TEST_F(ReadEventsTest, AFollowerNeedsNoFileYet) {
  has_ring_ = false;
  EXPECT_EQ(Run().code(), absl::StatusCode::kNotFound);
  request_.set_follow(true);
  EXPECT_TRUE(Run().ok());
}

TEST_F(ReadEventsTest, EndsWhenTheReceiverIsGone) {
  listening_ = false;
  EXPECT_EQ(Run().ToString(), "CANCELLED: the receiver is gone");
}

TEST_F(ReadEventsTest, RefusesABadExpression) {
  request_.set_expression("comm ==");
  EXPECT_EQ(Run().ToString(), "INVALID_ARGUMENT: column 8: expected text, found the end");
}

TEST_F(ReadEventsTest, ASelectorServesFollowersTheSameWay) {
  request_.set_expression("comm == burn");
  request_.set_begin("nonsense");  // not the selector's business
  absl::StatusOr<EventSelector> selector = EventSelector::Make(request_);
  ASSERT_TRUE(selector.ok()) << selector.status();
  EXPECT_FALSE(selector->Matches(ring_.events[0], kRoot));
  EXPECT_TRUE(selector->Matches(ring_.events[2], kRoot));
  EXPECT_FALSE(selector->Matches(ring_.events[5], kRoot)) << "a gap";
  request_.set_expression("burn");
  EXPECT_FALSE(EventSelector::Make(request_).ok());
}

int64_t ValueOf(const v1::Event& event, v1::Metric metric) {
  for (int i = 0; i < event.metrics_size(); ++i) {
    if (event.metrics(i) == static_cast<uint32_t>(metric)) return event.values(i);
  }
  return -1;
}

TEST_F(ReadEventsTest, AnExitCarriesItsStatusAndItsTotals) {
  const v1::Event exit = EncodeEvent(ring_.events[4], kRoot);
  EXPECT_EQ(exit.type(), v1::EXIT);
  EXPECT_EQ(exit.exit_code(), 3);
  EXPECT_EQ(exit.exit_signal(), 0);
  EXPECT_EQ(exit.duration_ns(), 2u * kSecond);
  EXPECT_EQ(ValueOf(exit, v1::TASK_RUNTIME_NS), 1500 * kMs);
  EXPECT_EQ(ValueOf(exit, v1::TASK_READ_BYTES), 4000);
  EXPECT_EQ(ValueOf(exit, v1::TASK_PEAK_PM_SIZE), 1 << 20);
  EXPECT_EQ(ValueOf(exit, v1::TASK_OFFCPU_TIME), 500 * kMs) << "the dead wait for nothing";
  EXPECT_EQ(exit.metrics_size(), exit.values_size());
  EXPECT_THAT(exit.unavailable(), Contains(v1::TASK_SIGNAL_COUNT)) << "a counter that is missing is seen to be";
  EXPECT_THAT(exit.redacted(), IsEmpty());
}

TEST_F(ReadEventsTest, AnExitIsRedactedLikeEveryRow) {
  const Caller bob{.uid = 1001};
  const v1::Event exit = EncodeEvent(ring_.events[4], bob);
  EXPECT_THAT(exit.redacted(), Contains(v1::TASK_READ_BYTES));
  EXPECT_EQ(ValueOf(exit, v1::TASK_READ_BYTES), 0);
  EXPECT_EQ(ValueOf(exit, v1::TASK_RUNTIME_NS), 1500 * kMs);
  EXPECT_THAT(EncodeEvent(ring_.events[4], kAlice).redacted(), IsEmpty());
  request_.set_expression("total(read) == 4000 || total(read) != 4000");
  EXPECT_TRUE(Run(bob).ok());
  EXPECT_THAT(ids_, IsEmpty());
}

TEST_F(ReadEventsTest, AKillCarriesItsSignal) {
  Event event = ring_.events[4];
  event.wait_status = 11 | 0x80;
  const v1::Event exit = EncodeEvent(event, kRoot);
  EXPECT_EQ(exit.exit_signal(), 11);
  EXPECT_EQ(exit.exit_code(), 0);
  EXPECT_TRUE(exit.core_dumped());
}

}  // namespace
}  // namespace taskmon::query

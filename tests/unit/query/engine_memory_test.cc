// SPDX-License-Identifier: Apache-2.0
//
// "for" and anomaly() in questions: what was before is looked up in the ring, the same way for every question.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/query/event_follower.h"
#include "tests/unit/query/engine_fixture.h"

namespace taskmon::query {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TaskBuilder Cpu(int percent, int32_t tid = 7) {
  return TaskBuilder(tid).Set(v1::TASK_RUNTIME_NS, kSecond, percent * 10 * kMs);
}

class EngineMemoryTest : public EngineTest {
 protected:
  // One task, a tick for each percentage; the last is the live one, and stored unless said otherwise.
  void Ticks(const std::vector<int>& percents, bool last_stored = true) {
    ring_.ticks.clear();
    for (int percent : percents) {
      const uint64_t seq = ring_.ticks.size() + 1;
      ring_.ticks.push_back(World(seq, {Cpu(percent), Cpu(percent).Thread(7), Cpu(percent, 8).Thread(7)}));
    }
    Live(ring_.ticks.back());
    if (!last_stored) ring_.ticks.pop_back();
  }

  v1::ListTasksRequest Asking(const std::string& expression) {
    v1::ListTasksRequest request;
    request.mutable_selection()->set_expression(expression);
    return request;
  }
};

TEST_F(EngineMemoryTest, PsLooksBack) {
  for (bool stored : {true, false}) {
    Ticks({10, 90, 90, 90}, stored);
    EXPECT_THAT(List(Asking("cpu > 80% for 3s")), ElementsAre("7"));
    EXPECT_THAT(List(Asking("cpu > 80% for 4s")), IsEmpty());
    EXPECT_THAT(List(Asking("!(cpu > 80% for 4s)")), ElementsAre("7")) << "it is known not to have held";
  }
  Ticks({90, 90, 90, 10});
  EXPECT_THAT(List(Asking("cpu > 80% for 2s")), IsEmpty());
}

TEST_F(EngineMemoryTest, LateTicksAreLookedBackOver) {
  Ticks({10, 10, 59 * 90, 90});  // 90 % of 59 s
  for (size_t i = 0; i < 4; ++i) {
    Tick& tick = ring_.ticks[i].tick;
    tick.wall_ns = kStart + (i < 2 ? i : 58 + i) * kSecond;  // 58 s late
    tick.boot_ns = kBoot + (i < 2 ? i : 58 + i) * kSecond;
    tick.elapsed_ns = i == 2 ? 59 * kSecond : kSecond;
  }
  Live(ring_.ticks.back());
  EXPECT_THAT(List(Asking("cpu > 80% for 60s")), ElementsAre("7"));
  EXPECT_THAT(List(Asking("!(cpu > 80% for 61s)")), ElementsAre("7"));
}

TEST_F(EngineMemoryTest, PsLooksBackForThreadsToo) {
  Ticks({10, 90, 90, 90});
  v1::ListTasksRequest request = Asking("cpu > 80% for 3s");
  request.mutable_selection()->set_threads(true);
  EXPECT_THAT(List(request), ElementsAre("7t", "8t"));
  request.mutable_selection()->set_tid(8);
  EXPECT_THAT(List(request), ElementsAre("8t"));
}

TEST_F(EngineMemoryTest, PsAtLooksBackFromThere) {
  Ticks({10, 90, 90, 90, 10, 10});
  v1::ListTasksRequest request = Asking("cpu > 80% for 3s");
  request.set_at("@1700000004");
  EXPECT_THAT(List(request), ElementsAre("7"));
  request.set_at("@1700000003");
  EXPECT_THAT(List(request), IsEmpty());
}

TEST_F(EngineMemoryTest, WithoutHistoryNobodyKnows) {
  Ticks({90, 90, 90, 90});
  has_ring_ = false;
  for (const char* text : {"cpu > 80% for 3s", "!(cpu > 80% for 3s)", "anomaly(cpu)", "!anomaly(cpu)"}) {
    EXPECT_THAT(List(Asking(text)), IsEmpty()) << text;
  }
  EXPECT_THAT(List(Asking("cpu > 80% for 3s || comm == worker")), ElementsAre("7"));
}

TEST_F(EngineMemoryTest, AWriterThatIsBehindIsWaitedFor) {
  Ticks({10, 90, 90, 90}, false);
  std::vector<Snapshot> all = std::move(ring_.ticks);
  ring_.ticks = {all[0], all[1]};
  EngineOptions options;
  options.newest = [this] { return live_; };
  options.open_ring = [this]() -> absl::StatusOr<std::unique_ptr<storage::RingReader>> {
    return std::make_unique<FakeRingReader>(&ring_);
  };
  int64_t waited_for = 0;
  options.wait_until_stored = [&](int64_t wall_ns) {
    waited_for = wall_ns;
    ring_.ticks.push_back(all[2]);
  };
  int rows = 0;
  EXPECT_TRUE(Engine(options)
                  .ListTasks(Asking("cpu > 80% for 3s"), kRoot,
                             [&](const v1::TaskBatch& batch) {
                               rows += batch.samples_size();
                               return true;
                             })
                  .ok());
  EXPECT_EQ(rows, 1);
  EXPECT_EQ(waited_for, kStart + 3 * kSecond) << "the tick before the live one";
}

TEST_F(EngineMemoryTest, AnAnomalyIsMeasuredFromTheLastMinutes) {
  std::vector<int> percents(200, 10);
  percents.push_back(90);
  Ticks(percents, false);
  EXPECT_THAT(List(Asking("anomaly(cpu)")), ElementsAre("7"));
  EXPECT_THAT(List(Asking("anomaly(cpu) for 2s")), IsEmpty());
  percents.back() = 11;
  Ticks(percents, false);
  EXPECT_THAT(List(Asking("anomaly(cpu)")), IsEmpty());
  EXPECT_THAT(List(Asking("!anomaly(cpu)")), ElementsAre("7"));
}

TEST_F(EngineMemoryTest, HistoryWarmsUpBeforeItBegins) {
  Ticks({10, 90, 90, 90, 90, 10, 90});
  v1::HistoryRequest request;
  request.mutable_selection()->set_expression("cpu > 80% for 3s");
  request.set_begin("@1700000001");
  EXPECT_THAT(History(request), ElementsAre("7@4", "7@5"));
  request.set_begin("@1700000004");
  EXPECT_THAT(History(request), ElementsAre("7@4", "7@5")) << "no matter where it begins";
  request.set_begin("@1700000005");
  EXPECT_THAT(History(request), ElementsAre("7@5"));
}

TEST_F(EngineMemoryTest, HistoryWarmsUpByStepsWhenItAnswersBySteps) {
  Ticks({10, 10, 90, 90, 90, 90, 90, 90, 10});
  v1::HistoryRequest request;
  request.mutable_selection()->set_expression("cpu > 80% for 4s");
  request.set_step_ns(2 * kSecond);  // steps end at ticks 1, 3, 5, 7 and 9, and have 10, 50, 90, 90 and 50 %
  request.set_begin("@1700000000");
  EXPECT_THAT(History(request), ElementsAre("7@7"));
  request.set_begin("@1700000006");
  EXPECT_THAT(History(request), ElementsAre("7@7"));
}

TEST_F(EngineMemoryTest, RedactedValuesStayUnknownOverTime) {
  ring_.ticks.clear();
  for (uint64_t seq = 1; seq <= 5; ++seq) {
    ring_.ticks.push_back(World(seq, {TaskBuilder(7).Set(v1::TASK_READ_BYTES, 1, 5000)}));
  }
  Live(ring_.ticks.back());
  EXPECT_THAT(List(Asking("read > 1k for 3s")), ElementsAre("7"));
  for (const char* text : {"read > 1k for 3s", "!(read > 1k for 3s)", "!(read > 1M for 3s)"}) {
    EXPECT_THAT(List(Asking(text), kAlice), IsEmpty()) << text;
  }
}

class EventMemoryTest : public EngineMemoryTest {
 protected:
  Event ExecAt(double second, uint64_t id) {
    Event event;
    event.id = id;
    event.type = EventType::kExec;
    event.wall_ns = kStart + static_cast<int64_t>(second * 1e9);
    event.boot_ns = kBoot + static_cast<uint64_t>(second * 1e9);
    event.task = Cpu(1).Build(1)->info;
    return event;
  }

  std::vector<uint64_t> Ids(const std::string& expression, const std::string& begin = "@1700000001") {
    v1::EventsRequest request;
    request.set_expression(expression);
    request.set_begin(begin);
    std::vector<uint64_t> ids;
    status_ = MakeEngine().ReadEvents(request, kRoot, [&](const v1::EventBatch& batch) {
      for (const v1::Event& event : batch.events()) ids.push_back(event.id());
      return true;
    });
    EXPECT_TRUE(status_.ok()) << status_;
    return ids;
  }
};

TEST_F(EventMemoryTest, AnEventIsJudgedByWhatWasTrueOfItsTaskThen) {
  Ticks({10, 90, 90, 90, 10, 10});
  ring_.events = {ExecAt(3.5, 1), ExecAt(4.2, 2), ExecAt(4.9, 3), ExecAt(5.1, 4)};
  EXPECT_THAT(Ids("cpu > 80% for 3s"), ElementsAre(2, 3));
  EXPECT_THAT(Ids("cpu > 80% for 3s", "@1700000004.5"), ElementsAre(3)) << "looks back before it begins";
  EXPECT_THAT(Ids("!(cpu > 80% for 3s)"), ElementsAre(1, 4));
  EXPECT_THAT(Ids("comm == worker && cpu > 80% for 3s"), ElementsAre(2, 3));
  EXPECT_THAT(Ids("comm == other && cpu > 80% for 3s"), IsEmpty());
}

TEST_F(EventMemoryTest, AnExitTellsOfTheLastThatWasKnown) {
  ring_.ticks.clear();
  for (uint64_t seq = 1; seq <= 5; ++seq) {
    TaskBuilder task(7);
    if (seq < 5) task.Set(v1::TASK_PM_SIZE, 2ll << 30);  // the dying have given back their memory
    ring_.ticks.push_back(World(seq, {task}));
  }
  Live(ring_.ticks.back());
  ring_.events = {ExecAt(4.5, 1), ExecAt(5.5, 2), ExecAt(5.6, 3)};
  ring_.events[2].type = EventType::kExit;
  v1::EventsRequest request;
  request.set_expression("rss > 1GiB for 2s");
  absl::StatusOr<EventFollower> follower = MakeEngine().Follow(request, kRoot, live_.get(), Patience());
  ASSERT_TRUE(follower.ok()) << follower.status();
  EXPECT_FALSE(follower->Matches(ring_.events[1]));
  EXPECT_TRUE(follower->Matches(ring_.events[2]));
  Live(World(6, {}));
  ring_.ticks.push_back(*live_);
  EXPECT_THAT(Ids("rss > 1GiB for 2s"), ElementsAre(1, 3));
  EXPECT_THAT(Ids("!(rss > 1GiB for 60s)"), IsEmpty()) << "the memory is too young";
}

TEST_F(EventMemoryTest, WhatIsToBeKnownOfARangeHasNoMoreRoomThanThereIs) {
  Ticks({10, 90, 90, 90, 10, 10});
  answer_bytes_ = 10;
  v1::EventsRequest request;
  request.set_expression("cpu > 80% for 3s");
  request.set_begin("@1700000001");
  const auto sink = [](const v1::EventBatch&) { return true; };
  EXPECT_TRUE(absl::IsResourceExhausted(MakeEngine().ReadEvents(request, kRoot, sink)));
}

TEST_F(EngineMemoryTest, LookingBackEndsWhenItTakesTooLong) {
  Ticks({10, 90, 90, 90});
  longest_ = std::chrono::seconds(0);
  EXPECT_THAT(ListError(Asking("cpu > 80% for 3s")), testing::HasSubstr("shorter time, step or 'for'"));
  EXPECT_THAT(MakeEngine().Follow(v1::EventsRequest(), kRoot, live_.get(), Patience()).status().ToString(), "OK");
}

TEST_F(EventMemoryTest, NothingIsKnownOfATaskThatWasInNoTick) {
  Ticks({10, 10, 10});
  ring_.events = {ExecAt(2, 1)};
  ring_.events[0].task = Cpu(1, 99).Build(1)->info;
  EXPECT_THAT(Ids("!(cpu > 80% for 1s)"), IsEmpty());
}

TEST_F(EventMemoryTest, AFollowerThatWasBusyCatchesUpTickByTick) {
  Ticks({10, 90, 90, 90, 90, 10});
  v1::EventsRequest request;
  request.set_expression("cpu > 80% for 3s");
  request.set_follow(true);
  const Engine engine = MakeEngine();
  absl::StatusOr<EventFollower> follower = engine.Follow(request, kRoot, &ring_.ticks[1], Patience());
  ASSERT_TRUE(follower.ok()) << follower.status();
  std::vector<std::pair<uint64_t, bool>> matched;
  const absl::Status status = engine.CatchUp(ring_.ticks[5], Patience(), &*follower, [&](const Tick& tick) {
    matched.emplace_back(tick.seq, follower->Matches(ExecAt(static_cast<double>(tick.seq) + 0.5, tick.seq)));
  });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(matched, ElementsAre(std::pair(3, false), std::pair(4, true), std::pair(5, true)));
}

TEST_F(EngineMemoryTest, AMemoryThatWasBusyHasNoGap) {
  Ticks({10, 90, 90, 90, 90});
  const Plan plan = *Plan::Make(Asking("cpu > 80% for 3s").selection());
  const Engine engine = MakeEngine();
  for (const bool catches_up : {false, true}) {
    auto memory = engine.Remember(ring_.ticks[1], plan, kRoot, Patience());
    ASSERT_TRUE(memory.ok() && memory->has_value());
    plan.Rows(ring_.ticks[1], kRoot, &**memory);
    if (catches_up) {
      ASSERT_TRUE(engine.CatchUp(ring_.ticks[1].tick, ring_.ticks[4], plan, kRoot, Patience(), &**memory).ok());
    }
    EXPECT_EQ(plan.Rows(ring_.ticks[4], kRoot, &**memory).size(), catches_up ? 1u : 0u);
  }
}

TEST_F(EventMemoryTest, AFollowerLooksBackAndGoesOn) {
  Ticks({10, 90, 90});
  v1::EventsRequest request;
  request.set_expression("cpu > 80% for 3s");
  request.set_follow(true);
  absl::StatusOr<EventFollower> follower = MakeEngine().Follow(request, kRoot, live_.get(), Patience());
  ASSERT_TRUE(follower.ok()) << follower.status();
  EXPECT_FALSE(follower->Matches(ExecAt(3.5, 1)));
  follower->Observe(World(4, {Cpu(90)}));
  EXPECT_TRUE(follower->Matches(ExecAt(4.5, 2)));
  follower->Observe(World(5, {Cpu(1, 9)}));
  EXPECT_TRUE(follower->Matches(ExecAt(4.7, 3))) << "its exit comes with the tick that it is no longer in";
  follower->Observe(World(6, {Cpu(1, 9)}));
  EXPECT_FALSE(follower->Matches(ExecAt(6, 4)));
  request.set_expression("cpu >");
  EXPECT_FALSE(MakeEngine().Follow(request, kRoot, nullptr, Patience()).ok());
}

}  // namespace
}  // namespace taskmon::query

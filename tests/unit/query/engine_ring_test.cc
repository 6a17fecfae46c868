// SPDX-License-Identifier: Apache-2.0
//
// The engine over a history file as the ring writer really leaves it.
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/ring_writer.h"
#include "tests/unit/query/engine_fixture.h"

namespace taskmon::query {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class EngineRingTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::path(testing::TempDir()) / ("engine_ring_" + std::to_string(getpid()));
    std::filesystem::create_directories(directory_);
    storage::RingOptions options;
    options.path = Path();
    options.chunk_ticks = 4;
    options.columns = RingColumns();
    absl::StatusOr<std::unique_ptr<storage::RingWriter>> writer = storage::RingWriter::Open(options);
    ASSERT_TRUE(writer.ok()) << writer.status();
    for (uint64_t seq = 1; seq <= 10; ++seq) Write(writer->get(), seq);
    ASSERT_TRUE((*writer)->Close().ok());
  }

  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string Path() const { return directory_ / "history.db"; }

  // A process with two threads that works in every tick, and one that sleeps since tick 1.
  void Write(storage::RingWriter* writer, uint64_t seq) {
    const auto n = static_cast<int64_t>(seq);
    Snapshot world = World(seq, {TaskBuilder(20, "busy").Set(v1::TASK_RUNTIME_NS, n * 250 * kMs, 250 * kMs),
                                 TaskBuilder(20, "busy").Thread(20).Set(v1::TASK_RUNTIME_NS, n * 50 * kMs, 50 * kMs),
                                 TaskBuilder(21, "pool").Thread(20).Set(v1::TASK_RUNTIME_NS, n * 200 * kMs, 200 * kMs),
                                 TaskBuilder(30, "sleeper")
                                     .IdleSince(seq == 1 ? 0 : 1)
                                     .Set(v1::TASK_RUNTIME_NS, 5, 5)
                                     .Set(v1::TASK_SWITCH_OFFCPU_TIME_MAX, 77)
                                     .Set(v1::TASK_OFFCPU_SINCE, static_cast<int64_t>(kBoot) + kSecond)});
    std::vector<Event> events;
    if (seq == 5) {
      events.emplace_back();
      events[0].type = EventType::kExec;
      events[0].wall_ns = world.tick.wall_ns;
      events[0].boot_ns = world.tick.boot_ns;
      events[0].task = world.tasks[0]->info;
    }
    const absl::Status status = writer->Append(world, &events);
    ASSERT_TRUE(status.ok()) << status;
  }

  Engine FileEngine() { return Engine({.ring_path = Path()}); }

  // "tid@tick=value" of the only metric asked for.
  Engine::TaskSink Collect() {
    return [this](const v1::TaskBatch& batch) {
      for (const v1::Sample& sample : batch.samples()) {
        rows_.push_back(std::to_string(batch.tasks(static_cast<int>(sample.task())).tid()) + "@" +
                        std::to_string(batch.ticks(static_cast<int>(sample.tick())).seq()) + "=" +
                        (sample.unavailable_size() > 0 ? "?" : std::to_string(sample.values(0))));
      }
      return true;
    };
  }

  std::filesystem::path directory_;
  std::vector<std::string> rows_;
};

TEST_F(EngineRingTest, ListsTheNewestTickAndAnyOther) {
  v1::ListTasksRequest request;
  request.mutable_selection()->add_metrics(v1::TASK_CPU_PERCENT);
  EXPECT_EQ(FileEngine().ListTasks(request, kRoot, Collect()), absl::OkStatus());
  EXPECT_THAT(rows_, ElementsAre("20@10=25000", "30@10=0"));
  rows_.clear();
  request.set_at("4s");
  request.mutable_selection()->set_threads(true);
  EXPECT_EQ(FileEngine().ListTasks(request, kRoot, Collect()), absl::OkStatus());
  EXPECT_THAT(rows_, ElementsAre("20@6=5000", "21@6=20000", "30@6=0"));
  request.set_at("1h");
  EXPECT_EQ(FileEngine().ListTasks(request, kRoot, Collect()).code(), absl::StatusCode::kOutOfRange);
}

TEST_F(EngineRingTest, AnIdleTasksOpenWaitGrowsInHistory) {
  v1::HistoryRequest request;
  request.mutable_selection()->set_expression("offcpu_max > 7.5s");
  request.mutable_selection()->add_metrics(v1::TASK_SWITCH_OFFCPU_TIME_MAX);
  EXPECT_EQ(FileEngine().ReadHistory(request, kRoot, Collect()), absl::OkStatus());
  EXPECT_THAT(rows_, ElementsAre("30@9=8000000000", "30@10=9000000000"));
}

TEST_F(EngineRingTest, OneThreadByStep) {
  v1::HistoryRequest request;
  request.mutable_selection()->set_tid(21);
  request.mutable_selection()->add_metrics(v1::TASK_CPU_PERCENT);
  request.set_step_ns(5 * kSecond);
  EXPECT_EQ(FileEngine().ReadHistory(request, kRoot, Collect()), absl::OkStatus());
  EXPECT_THAT(rows_, ElementsAre("21@4=20000", "21@9=20000", "21@10=20000"));
}

TEST_F(EngineRingTest, ReadsEventsBack) {
  std::vector<std::string> names;
  EXPECT_EQ(FileEngine().ReadEvents(v1::EventsRequest(), kRoot,
                                    [&](const v1::EventBatch& batch) {
                                      for (const v1::Event& event : batch.events())
                                        names.push_back(event.task().comm());
                                      return true;
                                    }),
            absl::OkStatus());
  EXPECT_THAT(names, ElementsAre("busy"));
}

TEST_F(EngineRingTest, AMissingFileIsNotFound) {
  const Engine engine({.ring_path = directory_ / "none.db"});
  EXPECT_EQ(engine.ReadHistory(v1::HistoryRequest(), kRoot, Collect()).code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace taskmon::query

// SPDX-License-Identifier: Apache-2.0
#include "daemon/writer.h"

#include <gtest/gtest.h>

#include <absl/synchronization/notification.h>

namespace taskmon::daemon {
namespace {

// A ring in memory that can be slow or refuse.
struct Log {
  absl::Mutex mutex;
  std::vector<uint64_t> stored ABSL_GUARDED_BY(mutex);
  std::vector<Event> events ABSL_GUARDED_BY(mutex);
  int refuse ABSL_GUARDED_BY(mutex) = 0;
  bool closed ABSL_GUARDED_BY(mutex) = false;
  absl::Notification* gate = nullptr;
};

class FakeRing final : public storage::RingWriter {
 public:
  explicit FakeRing(Log* log) : log_(log) {}
  uint64_t last_tick_seq() const override { return 0; }
  absl::Status Append(const Snapshot& snapshot, std::vector<Event>* events) override {
    if (log_->gate != nullptr) log_->gate->WaitForNotification();
    absl::MutexLock lock(&log_->mutex);
    if (log_->refuse > 0) {
      --log_->refuse;
      return absl::ResourceExhaustedError("database or disk is full");
    }
    log_->stored.push_back(snapshot.tick.seq);
    log_->events.insert(log_->events.end(), events->begin(), events->end());
    return absl::OkStatus();
  }
  absl::Status AddPast(const std::vector<storage::PastTick>&) override { return absl::OkStatus(); }
  absl::Status Close() override {
    absl::MutexLock lock(&log_->mutex);
    log_->closed = true;
    return absl::OkStatus();
  }
  storage::RingStats stats() const override { return {}; }

 private:
  Log* const log_;
};

void Post(Writer& writer, uint64_t seq) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->tick.seq = seq;
  snapshot->tick.wall_ns = static_cast<int64_t>(seq) * 1'000'000'000;
  writer.Post(snapshot, std::make_shared<const std::vector<Event>>());
}

TEST(Writer, StopStoresWhatIsQueuedAndClosesTheRing) {
  Log log;
  Writer writer(std::make_unique<FakeRing>(&log));
  writer.Start();
  for (uint64_t seq = 1; seq <= 10; ++seq) Post(writer, seq);
  writer.Stop();
  absl::MutexLock lock(&log.mutex);
  EXPECT_EQ(log.stored.size(), 10u);
  EXPECT_EQ(log.stored.back(), 10u);
  EXPECT_TRUE(log.closed);
}

TEST(Writer, FullQueueTurnsTicksAwayAndCountsThem) {
  Log log;
  absl::Notification gate;
  log.gate = &gate;
  Writer writer(std::make_unique<FakeRing>(&log));
  writer.Start();
  for (uint64_t seq = 1; seq <= 40; ++seq) Post(writer, seq);
  const uint64_t turned_away = writer.stats().ticks_turned_away;
  EXPECT_GT(turned_away, 0u);
  gate.Notify();
  writer.Stop();
  absl::MutexLock lock(&log.mutex);
  EXPECT_EQ(log.stored.size() + turned_away, 40u);
}

TEST(Writer, QueueIsBoundedByItsEventsToo) {
  Log log;
  absl::Notification gate;
  log.gate = &gate;
  Writer writer(std::make_unique<FakeRing>(&log));
  const auto events = std::make_shared<const std::vector<Event>>(90'000);
  for (uint64_t seq = 1; seq <= 3; ++seq) {
    auto snapshot = std::make_shared<Snapshot>();
    snapshot->tick.seq = seq;
    writer.Post(snapshot, events);
  }
  EXPECT_EQ(writer.stats().ticks_turned_away, 2u) << "the first has room whatever it holds";
  EXPECT_EQ(writer.stats().events_lost, 180'000u);
  gate.Notify();
  writer.Start();
  writer.Stop();
  absl::MutexLock lock(&log.mutex);
  EXPECT_EQ(log.stored, (std::vector<uint64_t>{1}));
}

TEST(Writer, RefusedTicksBecomeAGapWhenWritingResumes) {
  Log log;
  log.refuse = 3;
  Writer writer(std::make_unique<FakeRing>(&log));
  writer.Start();
  for (uint64_t seq = 1; seq <= 5; ++seq) Post(writer, seq);
  writer.Stop();
  EXPECT_EQ(writer.stats().ticks_not_stored, 3u);
  EXPECT_EQ(writer.stats().error, "");
  absl::MutexLock lock(&log.mutex);
  EXPECT_EQ(log.stored, (std::vector<uint64_t>{4, 5}));
  ASSERT_EQ(log.events.size(), 1u);
  EXPECT_EQ(log.events[0].type, EventType::kGap);
  EXPECT_EQ(log.events[0].lost, 3u);
  EXPECT_EQ(log.events[0].duration_ns, 3'000'000'000u);
}

}  // namespace
}  // namespace taskmon::daemon

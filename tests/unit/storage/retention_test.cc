// SPDX-License-Identifier: Apache-2.0
#include "storage/retention.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "tests/unit/storage/fake_world.h"

namespace taskmon::storage {
namespace {

// Looks at the file sizes all the time, from outside.
class SizeWatch {
 public:
  explicit SizeWatch(std::string path) : path_(std::move(path)), thread_([this] { Run(); }) {}
  ~SizeWatch() { Stop(); }
  uint64_t Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    return largest_;
  }

 private:
  void Run() {
    while (!stop_) largest_ = std::max(largest_, FileBytes(path_));
  }
  const std::string path_;
  std::atomic<bool> stop_ = false;
  uint64_t largest_ = 0;
  std::thread thread_;
};

void ExpectCapHolds(uint64_t cap, const WorldOptions& world_options, int ticks, int64_t skip_ns) {
  TempDir dir;
  RingOptions options = TestOptions(dir.Path("h.db"));
  options.cap_bytes = cap;
  options.max_age_ns = INT64_MAX / 4;
  auto writer = OpenWriter(options);
  FakeWorld world(world_options);
  SizeWatch watch(options.path);
  Recorded recorded;
  for (int i = 0; i < ticks; ++i) {
    Record(writer.get(), &world, 1, &recorded);
    ASSERT_LE(FileBytes(options.path), cap) << "after tick " << i;
    world.Skip(skip_ns);
    if (recorded.snapshots.size() > 200) recorded.snapshots.erase(recorded.snapshots.begin());
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_LE(watch.Stop(), cap);
  EXPECT_GT(writer->stats().chunks_dropped, 0u);
  EXPECT_EQ(IntegrityCheck(options.path), "ok");
  // What is left as sampled is the newest of it, complete, and makes use of the room.
  std::vector<Snapshot> left = ReadAll(options.path);
  auto db = Database::Open(options.path, Database::Mode::kReadOnly);
  const auto finest = static_cast<uint64_t>(*db->QueryInt(
      "SELECT min(s) FROM (SELECT min(first_seq) s FROM chunk WHERE tier = 0 UNION ALL SELECT min(seq) FROM journal)"));
  std::erase_if(left, [&](const Snapshot& s) { return s.tick.seq < finest; });
  ASSERT_GE(left.size(), 5u);
  EXPECT_GT(FileBytes(options.path), cap / 3);
  for (size_t i = 1; i <= std::min(left.size(), recorded.snapshots.size()); ++i) {
    ExpectSameSnapshot(recorded.snapshots[recorded.snapshots.size() - i], left[left.size() - i]);
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(Retention, TheCapHoldsAtEveryMomentOverWeeksOfChurn) {
  // A tick every half hour: 1,500 ticks are a month.
  ExpectCapHolds(2u << 20, {.seed = 70, .tasks = 40, .churn = 0.1}, 1500, 1800 * kSecondNs);
}

TEST(Retention, TheCapHoldsAtItsSmallest) {
  ExpectCapHolds(1u << 20, {.seed = 71, .tasks = 30, .churn = 0.05}, 800, 0);
}

TEST(Retention, TheCapHoldsWhenShortLivesAreMostOfIt) {
  ExpectCapHolds(2u << 20, {.seed = 72, .tasks = 200, .activity = 0.05, .churn = 0.8}, 150, 0);
}

TEST(Retention, TheCapHoldsWithLargeTicks) {
  ExpectCapHolds(8u << 20, {.seed = 73, .tasks = 3000, .activity = 0.2, .churn = 0.02}, 100, 0);
}

TEST(Retention, DropsChunksOlderThanTheAgeLimitWithTheirTasksAndEvents) {
  TempDir dir;
  RingOptions options = TestOptions(dir.Path("h.db"));
  options.max_age_ns = 50 * kSecondNs;
  auto writer = OpenWriter(options);
  FakeWorld world({.seed = 74, .churn = 0.2});
  Recorded recorded;
  Record(writer.get(), &world, 300, &recorded);
  const std::vector<Snapshot> left = ReadAll(options.path);
  EXPECT_LE(left.size(), 70u);
  EXPECT_GE(left.size(), 50u);
  EXPECT_EQ(left.back().tick.seq, 300u);
  EXPECT_EQ(writer->stats().oldest_wall_ns, left.front().tick.wall_ns);
  EXPECT_EQ(writer->stats().newest_wall_ns, left.back().tick.wall_ns);
  auto db = Database::Open(options.path, Database::Mode::kReadOnly);
  const auto first = static_cast<int64_t>(left.front().tick.seq);
  EXPECT_EQ(*db->QueryInt("SELECT count(*) FROM task WHERE names NOT IN (SELECT id FROM names)"), 0);
  EXPECT_EQ(*db->QueryInt("SELECT count(*) FROM event WHERE names NOT IN (SELECT id FROM names)"), 0);
  EXPECT_EQ(*db->QueryInt("SELECT count(*) FROM names WHERE comm NOT IN (SELECT id FROM text)"), 0);
  EXPECT_EQ(*db->QueryInt("SELECT count(*) FROM event_data WHERE id NOT IN (SELECT id FROM event_block)"), 0);
  EXPECT_GE(*db->QueryInt("SELECT min(last_seq) FROM task"), first);
  EXPECT_GE(*db->QueryInt("SELECT min(seq) FROM event"), first - 1);
  EXPECT_GE(*db->QueryInt("SELECT min(last_seq) FROM event_block"), first);
}

// Two ticks in between are of a clock that is a year ahead.
void RecordOverAJump(RingWriter* writer, FakeWorld* world, int before, int after) {
  constexpr int64_t kYearNs = 365 * 86400 * kSecondNs;
  Recorded recorded;
  Record(writer, world, before, &recorded);
  world->StepClock(kYearNs);
  Record(writer, world, 2, &recorded);
  world->StepClock(-kYearNs);
  Record(writer, world, after, &recorded);
}

TEST(Retention, AClockThatJumpsAheadForAMomentCostsLittle) {
  TempDir dir;
  RingOptions options = TestOptions(dir.Path("h.db"));
  options.max_age_ns = 86400 * kSecondNs;
  auto writer = OpenWriter(options);
  FakeWorld world({.seed = 75});
  RecordOverAJump(writer.get(), &world, 200, 2);
  EXPECT_LE(writer->stats().chunks_dropped, 2u);
}

TEST(Retention, AClockThatJumpedAheadForAMomentLeavesTheAgeLimitInForce) {
  TempDir dir;
  RingOptions options = TestOptions(dir.Path("h.db"));
  options.max_age_ns = 60 * kSecondNs;
  auto writer = OpenWriter(options);
  FakeWorld world({.seed = 76, .tasks = 6});
  RecordOverAJump(writer.get(), &world, 20, 400);
  EXPECT_LE(ReadAll(options.path).size(), 90u);
}

TEST(Retention, BringsAFileBelowACapThatWasLowered) {
  TempDir dir;
  RingOptions options = TestOptions(dir.Path("h.db"));
  FakeWorld world({.seed = 76, .tasks = 200});
  Recorded recorded;
  {
    auto writer = OpenWriter(options);
    Record(writer.get(), &world, 200, &recorded);
  }
  ASSERT_GT(FileBytes(options.path), 3u << 20);
  options.cap_bytes = 2u << 20;
  auto writer = OpenWriter(options);
  EXPECT_LE(FileBytes(options.path), options.cap_bytes);
  Record(writer.get(), &world, 30, &recorded);
  EXPECT_LE(FileBytes(options.path), options.cap_bytes);
  EXPECT_EQ(ReadAll(options.path).back().tick.seq, 230u);
}

TEST(Retention, TheCapHoldsThoughAForeignReaderPinsTheLog) {
  TempDir dir;
  RingOptions options = TestOptions(dir.Path("h.db"));
  options.cap_bytes = 2u << 20;
  auto writer = OpenWriter(options);
  FakeWorld world({.seed = 77, .tasks = 100});
  Recorded recorded;
  Record(writer.get(), &world, 5, &recorded);
  auto db = Database::Open(options.path, Database::Mode::kReadOnly);
  auto pin = Transaction::Begin(&*db, Transaction::Kind::kRead);
  ASSERT_TRUE(db->QueryInt("SELECT count(*) FROM task").ok());
  int refused = 0;
  for (int i = 0; i < 40; ++i) {
    const Snapshot& snapshot = world.Next();
    std::vector<Event> events = world.TakeEvents();
    const absl::Status status = writer->Append(snapshot, &events);
    if (!status.ok()) {
      EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
      ++refused;
    }
    EXPECT_LE(FileBytes(options.path), options.cap_bytes);
  }
  EXPECT_GT(refused, 0);
  ASSERT_TRUE(pin->Commit().ok());
  Record(writer.get(), &world, 20, &recorded);
}

TEST(Retention, ReadersSeeAWholeWorldWhileChunksAreDroppedUnderThem) {
  TempDir dir;
  RingOptions options = TestOptions(dir.Path("h.db"));
  options.cap_bytes = 1u << 20;
  auto writer = OpenWriter(options);
  FakeWorld world({.seed = 78, .tasks = 30});
  Recorded recorded;
  Record(writer.get(), &world, 100, &recorded);
  std::atomic<bool> stop = false;
  std::atomic<int> scans = 0;
  std::thread thread([&] {
    auto reader = OpenReader(options.path);
    while (!stop || scans == 0) {
      uint64_t last = 0;
      const absl::Status status = reader->Scan(INT64_MIN, INT64_MAX, {}, [&](const Snapshot& snapshot) {
        EXPECT_GT(snapshot.tick.seq, last);
        EXPECT_EQ(snapshot.tasks.size(), 30u);
        last = snapshot.tick.seq;
        return true;
      });
      EXPECT_TRUE(status.ok()) << status;
      ++scans;
    }
  });
  Record(writer.get(), &world, 400, &recorded);
  stop = true;
  thread.join();
  EXPECT_GT(writer->stats().chunks_dropped, 0u);
}

}  // namespace
}  // namespace taskmon::storage

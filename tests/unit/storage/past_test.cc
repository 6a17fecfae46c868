// SPDX-License-Identifier: Apache-2.0
//
// Rows that are added to ticks after these were stored.
#include <algorithm>

#include <gtest/gtest.h>

#include "storage/sqlite_db.h"
#include "storage/tick_source.h"
#include "tests/unit/storage/fake_world.h"

namespace taskmon::storage {
namespace {

std::shared_ptr<const TaskSample> ThreadRow(const Snapshot& tick, int32_t tid, int64_t value) {
  auto info = std::make_shared<TaskInfo>(*tick.tasks.front()->info);
  info->key = {777, tid, true};
  info->comm = "worker";
  auto sample = std::make_shared<TaskSample>();
  sample->info = info;
  sample->tick_seq = tick.tick.seq;
  for (MetricId m : {1, 2, 3, 4}) {
    sample->valid.set(m);
    sample->values.Set(m, value * m);
    if (m % 3 == 0) sample->deltas.Set(m, m);
  }
  return sample;
}

// Adds the rows to the oracle as a reader should see them.
void Merge(const std::vector<PastTick>& past, std::vector<Snapshot>* snapshots) {
  for (const PastTick& tick : past) {
    for (Snapshot& snapshot : *snapshots) {
      if (snapshot.tick.seq != tick.seq) continue;
      for (const auto& row : tick.tasks) {
        std::erase_if(snapshot.tasks, [&](const auto& old) { return old->info->key == row->info->key; });
        snapshot.tasks.push_back(row);
      }
      std::sort(snapshot.tasks.begin(), snapshot.tasks.end(),
                [](const auto& a, const auto& b) { return InSnapshotOrder(*a->info, *b->info); });
    }
  }
}

class Past : public ::testing::Test {
 protected:
  void SetUp() override { Record(writer_.get(), &world_, 25, &recorded_); }

  // Two threads in ticks 5 … 22, which lie in two closed chunks and the open one; one is missing for a while, one idle.
  std::vector<PastTick> Threads() const {
    std::vector<PastTick> past;
    std::shared_ptr<const TaskSample> idle;
    for (uint64_t seq = 5; seq <= 22; ++seq) {
      const Snapshot& tick = recorded_.snapshots[seq - 1];
      PastTick& added = past.emplace_back(PastTick{seq, {}});
      added.tasks.push_back(ThreadRow(tick, 9001, static_cast<int64_t>(seq)));
      if (idle == nullptr || seq % 4 == 0) idle = ThreadRow(tick, 9000, static_cast<int64_t>(100 * seq));
      if (seq < 10 || seq > 12) added.tasks.push_back(idle);
    }
    return past;
  }

  TempDir dir_;
  const RingOptions options_ = TestOptions(dir_.Path("h.db"));
  std::unique_ptr<RingWriter> writer_ = OpenWriter(options_);
  FakeWorld world_{{.seed = 95, .tasks = 12, .churn = 0}};
  Recorded recorded_;
};

TEST_F(Past, RowsAppearInTheTicksTheyWereAddedTo) {
  const std::vector<PastTick> past = Threads();
  const absl::Status status = writer_->AddPast(past);
  ASSERT_TRUE(status.ok()) << status;
  Merge(past, &recorded_.snapshots);
  ExpectHolds(options_.path, recorded_.snapshots);
  auto reader = OpenReader(options_.path);
  EXPECT_EQ((*reader->Range())->begin_wall_ns, recorded_.snapshots.front().tick.wall_ns);
  for (const Snapshot& want : recorded_.snapshots) {
    auto got = reader->At(want.tick.wall_ns);
    ASSERT_TRUE(got.ok()) << got.status();
    ExpectSameSnapshot(want, **got);
  }
}

TEST_F(Past, RowsStayWhenTheChunkIsClosedAndTheFileOpenedAnew) {
  const std::vector<PastTick> past = Threads();
  ASSERT_TRUE(writer_->AddPast(past).ok());
  Record(writer_.get(), &world_, 20, &recorded_);
  writer_ = nullptr;
  writer_ = OpenWriter(options_);
  Record(writer_.get(), &world_, 5, &recorded_);
  Merge(past, &recorded_.snapshots);
  ExpectHolds(options_.path, recorded_.snapshots);
  EXPECT_EQ(IntegrityCheck(options_.path), "ok");
}

TEST_F(Past, OneTaskIsFollowedThroughThem) {
  const std::vector<PastTick> past = Threads();
  ASSERT_TRUE(writer_->AddPast(past).ok());
  ScanFilter filter;
  filter.tid = 9001;
  std::vector<uint64_t> seqs;
  ASSERT_TRUE(OpenReader(options_.path)
                  ->Scan(INT64_MIN, INT64_MAX, filter,
                         [&](const Snapshot& snapshot) {
                           for (const auto& row : snapshot.tasks) {
                             EXPECT_EQ(row->info->comm, "worker");
                             seqs.push_back(snapshot.tick.seq);
                           }
                           return true;
                         })
                  .ok());
  ASSERT_EQ(seqs.size(), 18u);
  EXPECT_EQ(seqs.front(), 5u);
  EXPECT_EQ(seqs.back(), 22u);
}

TEST_F(Past, ARowReplacesTheOneThatIsThere) {
  auto changed = std::make_shared<TaskSample>(*recorded_.snapshots[6].tasks[3]);
  changed->tick_seq = 7;
  changed->valid.set(1);
  changed->values.Set(1, 123456789);
  const std::vector<PastTick> past = {{7, {changed}}};
  ASSERT_TRUE(writer_->AddPast(past).ok());
  Merge(past, &recorded_.snapshots);
  ExpectHolds(options_.path, recorded_.snapshots);
  Record(writer_.get(), &world_, 5, &recorded_);
  ExpectHolds(options_.path, recorded_.snapshots);
}

TEST_F(Past, WhatWasAddedLaterWins) {
  const Snapshot& tick = recorded_.snapshots[9];
  ASSERT_TRUE(writer_->AddPast({{10, {ThreadRow(tick, 9000, 1)}}}).ok());
  const std::vector<PastTick> past = {{10, {ThreadRow(tick, 9000, 2)}}};
  ASSERT_TRUE(writer_->AddPast(past).ok());
  Merge(past, &recorded_.snapshots);
  ExpectHolds(options_.path, recorded_.snapshots);
}

TEST_F(Past, RefusesWhatCannotBe) {
  const Snapshot& tick = recorded_.snapshots.back();
  EXPECT_TRUE(absl::IsInvalidArgument(writer_->AddPast({{26, {ThreadRow(tick, 9000, 1)}}})));
  EXPECT_TRUE(absl::IsInvalidArgument(writer_->AddPast({{8, {}}, {8, {}}})));
  EXPECT_TRUE(absl::IsInvalidArgument(writer_->AddPast({{8, {ThreadRow(tick, 9, 1), ThreadRow(tick, 9, 2)}}})));
  EXPECT_TRUE(absl::IsInvalidArgument(writer_->AddPast(std::vector<PastTick>(RingWriter::kMaxPastTicks + 1))));
  EXPECT_TRUE(writer_->AddPast({}).ok());
  Record(writer_.get(), &world_, 5, &recorded_);
  ExpectHolds(options_.path, recorded_.snapshots);
}

TEST(PastRetention, RowsGoWithTheTicksTheyWereAddedTo) {
  TempDir dir;
  RingOptions options = TestOptions(dir.Path("h.db"));
  options.max_age_ns = 40 * kSecondNs;
  options.coarser = false;
  auto writer = OpenWriter(options);
  FakeWorld world({.seed = 96, .tasks = 12});
  Recorded recorded;
  std::vector<PastTick> last;
  for (int round = 0; round < 40; ++round) {
    Record(writer.get(), &world, 5, &recorded);
    const Snapshot& tick = recorded.snapshots.back();
    last = {{tick.tick.seq, {ThreadRow(tick, 9000 + round, 1)}}};
    ASSERT_TRUE(writer->AddPast(last).ok());
    // Ticks that are gone are nobody's loss.
    ASSERT_TRUE(writer->AddPast({{1, {ThreadRow(tick, 8000, 1)}}}).ok());
  }
  Merge(last, &recorded.snapshots);
  const std::vector<Snapshot> left = ReadAll(options.path);
  ASSERT_LE(left.size(), 60u);
  ExpectSameSnapshot(recorded.snapshots.back(), left.back());
  auto db = Database::Open(options.path, Database::Mode::kReadOnly);
  EXPECT_LE(*db->QueryInt("SELECT count(*) FROM chunk WHERE tier = 3"), 14);
  EXPECT_LE(*db->QueryInt("SELECT count(*) FROM task WHERE tid >= 9000"), 14);
  EXPECT_EQ(*db->QueryInt("SELECT count(*) FROM part WHERE key >> 16 NOT IN (SELECT id FROM chunk)"), 0);
}

// A thread that had ended long before the promotion is told of by the supplement alone.
TEST(PastRetention, RowsKeepTheirNamesAsLongAsTheyAreThere) {
  TempDir dir;
  RingOptions options = TestOptions(dir.Path("h.db"));
  options.max_age_ns = 40 * kSecondNs;
  auto writer = OpenWriter(options);
  FakeWorld world({.seed = 97, .tasks = 6, .churn = 0});
  Recorded recorded;
  for (int round = 0; round < 30; ++round) {
    Record(writer.get(), &world, round == 0 ? 20 : 7, &recorded);
    std::vector<PastTick> past;
    for (size_t ago = 15; ago > 0; --ago) {
      const Snapshot& tick = recorded.snapshots[recorded.snapshots.size() - ago];
      past.push_back({tick.tick.seq, {ThreadRow(tick, 9000 + round, 1)}});
      if (ago > 12) past.back().tasks.push_back(ThreadRow(tick, 9500 + round, 1));
    }
    ASSERT_TRUE(writer->AddPast(past).ok());
    auto reader = OpenReader(options.path);
    const absl::Status status = reader->Scan(INT64_MIN, INT64_MAX, {}, [](const Snapshot&) { return true; });
    ASSERT_TRUE(status.ok()) << "round " << round << ": " << status;
  }
}

}  // namespace
}  // namespace taskmon::storage

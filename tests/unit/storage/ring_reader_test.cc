// SPDX-License-Identifier: Apache-2.0
#include "storage/ring_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/sqlite_db.h"
#include "tests/unit/storage/fake_world.h"

namespace taskmon::storage {
namespace {

TEST(RingReader, GivesBackEveryTickOfClosedAndOpenChunksAsItWas) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    TempDir dir;
    auto writer = OpenWriter(TestOptions(dir.Path("h.db")));
    FakeWorld world({.seed = seed, .tasks = 5 * seed * (seed % 5 == 0 ? 6 : 1)});
    Recorded recorded;
    Record(writer.get(), &world, 37, &recorded);
    ExpectHolds(dir.Path("h.db"), recorded.snapshots);
    if (HasFailure()) return;
  }
}

TEST(RingReader, ShowsTheWorldAtAnyTick) {
  TempDir dir;
  auto writer = OpenWriter(TestOptions(dir.Path("h.db")));
  FakeWorld world({.seed = 7, .tasks = 300});
  Recorded recorded;
  Record(writer.get(), &world, 35, &recorded);
  auto reader = OpenReader(dir.Path("h.db"));
  for (const Snapshot& want : recorded.snapshots) {
    auto got = reader->At(want.tick.wall_ns + kSecondNs / 2);
    ASSERT_TRUE(got.ok()) << got.status();
    ExpectSameSnapshot(want, **got);
  }
}

TEST(RingReader, FollowsOneTaskThroughChunks) {
  TempDir dir;
  auto writer = OpenWriter(TestOptions(dir.Path("h.db")));
  FakeWorld world({.seed = 8, .tasks = 60});
  Recorded recorded;
  Record(writer.get(), &world, 45, &recorded);
  auto reader = OpenReader(dir.Path("h.db"));
  ScanFilter filter;
  filter.metrics.reset().set(3).set(7);
  for (size_t i = 0; i < 60; i += 7) {
    filter.tid = recorded.snapshots[20].tasks[i]->info->key.tid;
    size_t next = 0;
    absl::Status status = reader->Scan(INT64_MIN, INT64_MAX, filter, [&](const Snapshot& got) {
      Snapshot want = recorded.snapshots.at(next++);
      std::erase_if(want.tasks, [&](const auto& s) { return s->info->key.tid != filter.tid; });
      ExpectSameSnapshot(want, got, filter.metrics);
      return true;
    });
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(next, recorded.snapshots.size());
  }
}

TEST(RingReader, TellsThreadsFromProcesses) {
  TempDir dir;
  auto writer = OpenWriter(TestOptions(dir.Path("h.db")));
  FakeWorld world({.seed = 9, .tasks = 40});
  Recorded recorded;
  Record(writer.get(), &world, 15, &recorded);
  auto reader = OpenReader(dir.Path("h.db"));
  ScanFilter filter;
  for (bool thread : {false, true}) {
    filter.thread = thread;
    size_t next = 0;
    absl::Status status = reader->Scan(INT64_MIN, INT64_MAX, filter, [&](const Snapshot& got) {
      Snapshot want = recorded.snapshots.at(next++);
      std::erase_if(want.tasks, [&](const auto& s) { return s->info->key.thread != thread; });
      ExpectSameSnapshot(want, got);
      return true;
    });
    EXPECT_TRUE(status.ok()) << status;
  }
}

TEST(RingReader, ScansOnlyTheTimesAskedForAndStopsWhenTold) {
  TempDir dir;
  auto writer = OpenWriter(TestOptions(dir.Path("h.db")));
  FakeWorld world({.seed = 10});
  Recorded recorded;
  Record(writer.get(), &world, 35, &recorded);
  auto reader = OpenReader(dir.Path("h.db"));
  std::vector<uint64_t> seqs;
  ASSERT_TRUE(reader
                  ->Scan(recorded.snapshots[7].tick.wall_ns, recorded.snapshots[32].tick.wall_ns, {},
                         [&](const Snapshot& s) { return seqs.push_back(s.tick.seq), true; })
                  .ok());
  ASSERT_EQ(seqs.size(), 26u);
  EXPECT_EQ(seqs.front(), 8u);
  EXPECT_EQ(seqs.back(), 33u);
  seqs.clear();
  ASSERT_TRUE(reader
                  ->Scan(INT64_MIN, INT64_MAX, {},
                         [&](const Snapshot& s) { return seqs.push_back(s.tick.seq), seqs.size() < 12; })
                  .ok());
  EXPECT_EQ(seqs.size(), 12u);
}

TEST(RingReader, NamesTheRangeWhenAskedForATimeOutsideOfIt) {
  TempDir dir;
  auto writer = OpenWriter(TestOptions(dir.Path("h.db")));
  auto reader = OpenReader(dir.Path("h.db"));
  EXPECT_TRUE(absl::IsOutOfRange(reader->At(kWorldStartNs).status()));
  EXPECT_FALSE(reader->Range()->has_value());
  FakeWorld world({.seed = 11});
  Recorded recorded;
  Record(writer.get(), &world, 15, &recorded);
  const int64_t first = recorded.snapshots.front().tick.wall_ns, last = recorded.snapshots.back().tick.wall_ns;
  EXPECT_EQ((*reader->Range())->begin_wall_ns, first);
  EXPECT_EQ((*reader->Range())->end_wall_ns, last);
  for (int64_t outside : {first - 1, last + 6 * kSecondNs}) {
    const absl::Status status = reader->At(outside).status();
    EXPECT_TRUE(absl::IsOutOfRange(status)) << status;
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("2026-01-01T00:00:01Z to 2026-01-01T00:00:1"));
  }
  auto newest = reader->At(last + 4 * kSecondNs);
  ASSERT_TRUE(newest.ok()) << newest.status();
  EXPECT_EQ((*newest)->tick.seq, 15u);
}

TEST(RingReader, NamesTheGapWhenAskedForATimeInsideOne) {
  TempDir dir;
  auto writer = OpenWriter(TestOptions(dir.Path("h.db")));
  FakeWorld world({.seed = 12});
  Recorded recorded;
  Record(writer.get(), &world, 14, &recorded);
  world.Skip(3600 * kSecondNs);
  Record(writer.get(), &world, 3, &recorded);
  auto reader = OpenReader(dir.Path("h.db"));
  const absl::Status status = reader->At(recorded.snapshots[13].tick.wall_ns + 600 * kSecondNs).status();
  EXPECT_TRUE(absl::IsOutOfRange(status)) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("nothing was recorded from 2026-01-01T00:00:1"));
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("to 2026-01-01T01:00:1"));
}

TEST(RingReader, TakesTheLaterAccountAfterTheClockWasSetBack) {
  TempDir dir;
  auto writer = OpenWriter(TestOptions(dir.Path("h.db")));
  FakeWorld world({.seed = 13});
  Recorded recorded;
  Record(writer.get(), &world, 14, &recorded);
  world.StepClock(-10 * kSecondNs);
  Record(writer.get(), &world, 3, &recorded);
  auto reader = OpenReader(dir.Path("h.db"));
  auto got = reader->At(recorded.snapshots[15].tick.wall_ns);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ((*got)->tick.seq, 16u);
  EXPECT_EQ((*reader->Range())->end_wall_ns, recorded.snapshots[13].tick.wall_ns);
  ExpectHolds(dir.Path("h.db"), recorded.snapshots);
}

// A machine without a clock of its own: it begins in 1970, until somebody tells it the time.
TEST(RingReader, FindsWhatWasRecordedBeforeTheClockWasWrongForAMoment) {
  TempDir dir;
  auto writer = OpenWriter(TestOptions(dir.Path("h.db")));
  FakeWorld before({.seed = 14, .tasks = 6}), after({.seed = 15, .tasks = 6, .first_seq = 101, .boot_id = "boot-b"});
  Recorded recorded;
  Record(writer.get(), &before, 100, &recorded);
  after.StepClock(-kWorldStartNs + 100 * kSecondNs);
  Record(writer.get(), &after, 5, &recorded);
  after.StepClock(kWorldStartNs + 3600 * kSecondNs);
  for (int round = 0; round < 4; ++round) {
    auto reader = OpenReader(dir.Path("h.db"));
    for (const Snapshot& want : recorded.snapshots) {
      auto got = reader->At(want.tick.wall_ns);
      ASSERT_TRUE(got.ok()) << "tick " << want.tick.seq << ": " << got.status();
      EXPECT_EQ((*got)->tick.seq, want.tick.seq);
    }
    Record(writer.get(), &after, 1 + 40 * round, &recorded);
  }
}

// Its chunk is not joined with others, and those before and behind it are not joined over it.
TEST(RingReader, FindsEveryTickAroundAStretchThatMakesALargeChunk) {
  for (bool coarser : {false, true}) {
    TempDir dir;
    RingOptions options = TestOptions(dir.Path("h.db"));
    options.coarser = coarser;
    options.cap_bytes = 512u << 20;
    auto writer = OpenWriter(options);
    FakeWorld world({.seed = 16, .tasks = 2500, .activity = 1, .churn = 0, .oddity = 0, .lost = false});
    std::vector<Snapshot> all;
    for (int tick = 0; tick < 60; ++tick) {
      Snapshot snapshot = world.Next();
      if (tick < 12 || tick >= 24) snapshot.tasks.resize(5);
      std::vector<Event> none;
      ASSERT_TRUE(writer->Append(snapshot, &none).ok());
      all.push_back(std::move(snapshot));
    }
    auto db = Database::Open(options.path, Database::Mode::kReadOnly);
    EXPECT_GE(*db->QueryInt("SELECT count(*) FROM chunk WHERE tier = 0 AND bytes > 1000000"), 1);
    EXPECT_GE(*db->QueryInt("SELECT count(*) FROM chunk WHERE tier = 0 AND merged AND tick_count > 12"), 1);
    ExpectHolds(options.path, all);
    auto reader = OpenReader(options.path);
    for (const Snapshot& want : all) EXPECT_EQ((*reader->At(want.tick.wall_ns))->tick.seq, want.tick.seq);
  }
}

TEST(RingReader, GivesBackEventsWithTheNamesAndTotalsOfTheirTime) {
  TempDir dir;
  auto writer = OpenWriter(TestOptions(dir.Path("h.db")));
  FakeWorld world({.seed = 14, .tasks = 50, .churn = 0.3});
  Recorded recorded;
  Record(writer.get(), &world, 40, &recorded);
  ASSERT_GT(recorded.events.size(), 600u);
  auto reader = OpenReader(dir.Path("h.db"));
  size_t next = 0;
  absl::Status status = reader->ScanEvents(INT64_MIN, INT64_MAX, {}, [&](const Event& got) {
    ExpectSameEvent(recorded.events.at(next++), got);
    return true;
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(next, recorded.events.size());
}

TEST(RingReader, ChoosesEventsByTimeTypeAndId) {
  TempDir dir;
  auto writer = OpenWriter(TestOptions(dir.Path("h.db")));
  FakeWorld world({.seed = 15, .tasks = 50, .churn = 0.2});
  Recorded recorded;
  Record(writer.get(), &world, 20, &recorded);
  const int64_t begin = recorded.snapshots[5].tick.wall_ns, end = recorded.snapshots[15].tick.wall_ns;
  EventFilter filter;
  filter.types = 1u << static_cast<int>(EventType::kExit);
  filter.after_id = recorded.events[recorded.events.size() / 2].id;
  std::vector<uint64_t> want, got;
  for (const Event& e : recorded.events) {
    if (e.type == EventType::kExit && e.wall_ns >= begin && e.wall_ns <= end && e.id > filter.after_id)
      want.push_back(e.id);
  }
  auto reader = OpenReader(dir.Path("h.db"));
  ASSERT_TRUE(reader->ScanEvents(begin, end, filter, [&](const Event& e) { return got.push_back(e.id), true; }).ok());
  EXPECT_EQ(got, want);
  EXPECT_FALSE(want.empty());
}

TEST(RingReader, TellsHowFarItHasComeAndGivesNoEventsBeyond) {
  TempDir dir;
  auto writer = OpenWriter(TestOptions(dir.Path("h.db")));
  auto reader = OpenReader(dir.Path("h.db"));
  EXPECT_FALSE((*reader->End()).has_value());
  FakeWorld world({.seed = 15, .tasks = 50, .churn = 0.2});
  Recorded recorded;
  for (int ticks = 1; ticks <= 30; ++ticks) {
    Record(writer.get(), &world, 1, &recorded);
    const auto end = reader->End();
    ASSERT_TRUE(end.ok() && end->has_value());
    EXPECT_EQ((*end)->tick_seq, recorded.snapshots.back().tick.seq);
    EXPECT_EQ((*end)->event_id, recorded.events.empty() ? 0 : recorded.events.back().id);
  }
  EventFilter filter;
  filter.until_id = recorded.events[recorded.events.size() / 2].id;
  uint64_t last = 0;
  ASSERT_TRUE(reader->ScanEvents(INT64_MIN, INT64_MAX, filter, [&](const Event& e) { return last = e.id, true; }).ok());
  EXPECT_EQ(last, filter.until_id);
}

TEST(RingReader, NeitherLosesNorDoublesTicksWhileTheChunkItReadsIsClosed) {
  TempDir dir;
  auto writer = OpenWriter(TestOptions(dir.Path("h.db")));
  FakeWorld world({.seed = 16});
  Recorded recorded;
  Record(writer.get(), &world, 25, &recorded);
  auto reader = OpenReader(dir.Path("h.db"));
  std::vector<uint64_t> seqs;
  ASSERT_TRUE(reader
                  ->Scan(INT64_MIN, INT64_MAX, {},
                         [&](const Snapshot& s) {
                           seqs.push_back(s.tick.seq);
                           Record(writer.get(), &world, 3, &recorded);
                           return true;
                         })
                  .ok());
  // Those that were there when the scan began, once each.
  ASSERT_EQ(seqs.size(), 25u);
  for (size_t i = 0; i < seqs.size(); ++i) EXPECT_EQ(seqs[i], i + 1);
}

TEST(RingReader, GoesOnWhereAnEarlierScanStopped) {
  TempDir dir;
  auto writer = OpenWriter(TestOptions(dir.Path("h.db")));
  FakeWorld world({.seed = 17});
  Recorded recorded;
  Record(writer.get(), &world, 35, &recorded);
  auto reader = OpenReader(dir.Path("h.db"));
  ScanFilter filter;
  size_t next = 0;
  while (next < recorded.snapshots.size()) {
    int left = 4;
    ASSERT_TRUE(reader
                    ->Scan(INT64_MIN, INT64_MAX, filter,
                           [&](const Snapshot& got) {
                             ExpectSameSnapshot(recorded.snapshots.at(next++), got);
                             filter.after_seq = got.tick.seq;
                             return --left > 0;
                           })
                    .ok());
    ASSERT_FALSE(HasFailure());
  }
}

TEST(RingReader, AReaderThatStopsInTheMiddlePinsNothing) {
  TempDir dir;
  RingOptions options = TestOptions(dir.Path("h.db"));
  options.cap_bytes = 2u << 20;
  auto writer = OpenWriter(options);
  FakeWorld world({.seed = 18, .tasks = 40});
  Recorded recorded;
  Record(writer.get(), &world, 25, &recorded);
  auto reader = OpenReader(options.path);
  auto other = Database::Open(options.path, Database::Mode::kReadWriteCreate);
  const auto expect_free = [&] {
    // As many ticks as fill the log several times over; none would be taken if it could not be emptied.
    Record(writer.get(), &world, 300, &recorded);
    EXPECT_LE(FileBytes(options.path), options.cap_bytes);
    EXPECT_EQ(*other->QueryInt("PRAGMA wal_checkpoint(TRUNCATE)"), 0) << "a reader is in the way";
  };
  int ticks = 0;
  ASSERT_TRUE(reader
                  ->Scan(INT64_MIN, INT64_MAX, {},
                         [&](const Snapshot&) {
                           if (++ticks == 5) expect_free();
                           return ticks < 5;
                         })
                  .ok());
  expect_free();
  int events = 0;
  ASSERT_TRUE(reader
                  ->ScanEvents(INT64_MIN, INT64_MAX, {},
                               [&](const Event&) {
                                 if (++events == 3) expect_free();
                                 return events < 3;
                               })
                  .ok());
  ASSERT_TRUE(reader->At(recorded.snapshots.back().tick.wall_ns).ok());
  expect_free();
}

struct GapsAndTicks {
  std::vector<Gap> gaps;
  size_t ticks = 0;
};

GapsAndTicks ScanGaps(const std::string& path, int64_t step_ns) {
  GapsAndTicks found;
  ScanFilter filter;
  filter.step_ns = step_ns;
  filter.on_gap = [&](const Gap& gap) { found.gaps.push_back(gap); };
  EXPECT_TRUE(
      OpenReader(path)->Scan(INT64_MIN, INT64_MAX, filter, [&](const Snapshot&) { return ++found.ticks; }).ok());
  return found;
}

TEST(RingReader, TellsTheGapsBetweenTicks) {
  TempDir dir;
  RingOptions options = TestOptions(dir.Path("h.db"));
  options.chunk_ticks = 30;
  Recorded recorded;
  {
    auto writer = OpenWriter(options);
    FakeWorld world({.seed = 19, .lost = false});
    Record(writer.get(), &world, 65, &recorded);
    for (int missed = 0; missed < 20; ++missed) world.Next();  // taken, but not stored
    Record(writer.get(), &world, 65, &recorded);
  }
  auto writer = OpenWriter(options);
  FakeWorld world({.seed = 20, .first_seq = writer->last_tick_seq() + 1, .lost = false});
  world.Skip(1000 * kSecondNs);
  Record(writer.get(), &world, 65, &recorded);
  for (int64_t step : {int64_t{0}, 10 * kSecondNs}) {
    const GapsAndTicks found = ScanGaps(options.path, step);
    ASSERT_EQ(found.gaps.size(), 2u) << step;
    EXPECT_EQ(found.gaps[0].reason, Gap::Reason::kNotStored);
    EXPECT_EQ(found.gaps[0].begin_wall_ns, recorded.snapshots[64].tick.wall_ns);
    EXPECT_NEAR(static_cast<double>(found.gaps[0].end_wall_ns - found.gaps[0].begin_wall_ns), 20e9, 1e9);
    EXPECT_EQ(found.gaps[0].lost, step == 0 ? 20u : 0u);
    EXPECT_EQ(found.gaps[1].reason, Gap::Reason::kNotRunning);
    EXPECT_EQ(found.gaps[1].begin_wall_ns, recorded.snapshots[129].tick.wall_ns);
  }
}

TEST(RingReader, TellsOfTicksThatLostRecords) {
  TempDir dir;
  auto writer = OpenWriter(TestOptions(dir.Path("h.db")));
  FakeWorld world({.seed = 21});
  Recorded recorded;
  Record(writer.get(), &world, 40, &recorded);
  uint64_t lost = 0, found = 0;
  for (const Snapshot& tick : recorded.snapshots) lost += tick.tick.lost_records;
  for (const Gap& gap : ScanGaps(dir.Path("h.db"), 0).gaps) {
    EXPECT_EQ(gap.reason, Gap::Reason::kLost);
    found += gap.lost;
  }
  EXPECT_GT(lost, 0u);
  EXPECT_EQ(found, lost);
}

TEST(RingReader, PeopleFindTasksLivesEventsAndRulesInPlainViews) {
  TempDir dir;
  auto writer = OpenWriter(TestOptions(dir.Path("h.db")));
  FakeWorld world({.seed = 22, .churn = 0.1});
  Recorded recorded;
  Record(writer.get(), &world, 30, &recorded);
  auto db = Database::Open(dir.Path("h.db"), Database::Mode::kReadOnly);
  EXPECT_EQ(
      *db->QueryInt("SELECT count(*) FROM tasks WHERE alive AND comm <> '' AND started LIKE '2026-01-01T00:00:%Z'"),
      20);
  EXPECT_EQ(*db->QueryInt("SELECT count(*) FROM events"), static_cast<int64_t>(recorded.events.size()));
  EXPECT_EQ(*db->QueryInt("SELECT count(*) FROM events WHERE type = 'exit'"),
            *db->QueryInt("SELECT count(*) FROM lives WHERE exit_code BETWEEN 0 AND 255 AND seconds >= 0"));
  // At every fifth tick a decision and a crossing.
  EXPECT_EQ(*db->QueryInt("SELECT events FROM rules WHERE rule = 'database'"), 12);
}

TEST(RingReader, RefusesWhatIsNotAHistoryFile) {
  TempDir dir;
  EXPECT_TRUE(absl::IsNotFound(RingReader::Open(dir.Path("none.db"), TestColumns()).status()));
  auto db = Database::Open(dir.Path("other.db"), Database::Mode::kReadWriteCreate);
  ASSERT_TRUE(db.ok() && db->Exec("CREATE TABLE t(x)").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(RingReader::Open(dir.Path("other.db"), TestColumns()).status()));
  ASSERT_TRUE(db->Exec("PRAGMA application_id=0x544b4d4e; PRAGMA user_version=1000").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(RingReader::Open(dir.Path("other.db"), TestColumns()).status()));
}

}  // namespace
}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
//
// What may happen to a history file while it is written: see also ring_writer_test.cc for full disks and damage that is
// found at the start.
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include <gtest/gtest.h>

#include "storage/sqlite_db.h"
#include "storage/tick_source.h"
#include "tests/unit/storage/fake_world.h"

namespace taskmon::storage {
namespace {

constexpr uint64_t kSeed = 200;

// A thread row for every fifth tick, as of the tick before it.
std::vector<PastTick> PastOf(const Snapshot& tick) {
  auto info = std::make_shared<TaskInfo>(*tick.tasks.front()->info);
  info->key = {5, 7777, true};
  auto sample = std::make_shared<TaskSample>();
  sample->info = info;
  sample->tick_seq = tick.tick.seq;
  sample->valid.set(1);
  sample->values.Set(1, static_cast<int64_t>(tick.tick.seq));
  return {{tick.tick.seq, {sample}}};
}

bool HasPast(uint64_t seq) { return seq % 5 == 4; }

// Appends the ticks of one world, from where the file ends, and says after each that it is stored.
[[noreturn]] void WriteUntilKilled(const RingOptions& options, int report_fd) {
  auto writer = RingWriter::Open(options);
  if (!writer.ok()) _exit(1);
  FakeWorld world({.seed = kSeed, .tasks = 15, .churn = 0.1});
  const uint64_t stored = (*writer)->last_tick_seq();
  for (uint64_t seq = 1; seq <= stored; ++seq) world.Next();
  for (;;) {
    const Snapshot& snapshot = world.Next();
    std::vector<Event> events = world.TakeEvents();
    if (!(*writer)->Append(snapshot, &events).ok()) _exit(2);
    if (HasPast(snapshot.tick.seq) && !(*writer)->AddPast(PastOf(snapshot)).ok()) _exit(4);
    if (write(report_fd, &snapshot.tick.seq, sizeof snapshot.tick.seq) != sizeof snapshot.tick.seq) _exit(3);
  }
}

// Returns the last tick that was reported as stored.
uint64_t RunAndKill(const RingOptions& options, std::mt19937_64* random) {
  int fds[2];
  EXPECT_EQ(pipe(fds), 0);
  const pid_t child = fork();
  if (child == 0) WriteUntilKilled(options, fds[1]);
  close(fds[1]);
  uint64_t reported = 0;
  for (uint64_t reports = (*random)() % 6 + 1; reports > 0; --reports) {
    EXPECT_EQ(read(fds[0], &reported, sizeof reported), static_cast<ssize_t>(sizeof reported));
  }
  // Some way into the next tick, wherever that may be.
  for (volatile uint64_t spin = (*random)() % 400000; spin > 0;) spin = spin - 1;
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  while (read(fds[0], &reported, sizeof reported) == static_cast<ssize_t>(sizeof reported)) {
  }
  close(fds[0]);
  return reported;
}

TEST(Survival, KilledHundredsOfTimesItLosesNoTickThatItHadStored) {
  TempDir dir;
  RingOptions options = TestOptions(dir.Path("h.db"));
  options.chunk_ticks = 5;
  std::mt19937_64 random(201);
  uint64_t reported = 0;
  for (int round = 0; round < 300; ++round) {
    reported = RunAndKill(options, &random);
    if (round % 10 != 0) continue;
    ASSERT_EQ(IntegrityCheck(options.path), "ok") << round;
  }
  auto writer = OpenWriter(options);
  ASSERT_NE(writer, nullptr);
  EXPECT_EQ(writer->stats().set_aside, "");
  EXPECT_GE(writer->last_tick_seq(), reported);
  EXPECT_LE(writer->last_tick_seq(), reported + 1);
  FakeWorld world({.seed = kSeed, .tasks = 15, .churn = 0.1});
  const std::vector<Snapshot> got = ReadAll(options.path);
  ASSERT_EQ(got.size(), writer->last_tick_seq());
  size_t past = 0;
  for (const Snapshot& tick : got) {
    const Snapshot& want = world.Next();
    Snapshot rest = tick;
    past += std::erase_if(rest.tasks, [](const auto& row) { return row->info->key.tid == 7777; });
    ExpectSameSnapshot(want, rest);
    ASSERT_FALSE(HasFailure());
  }
  // The kill may come between a tick and what supplements it, once a round at most.
  EXPECT_GE(past + 300, got.size() / 5);
  EXPECT_GT(past, 0u);
}

TEST(Survival, AVanishedDirectoryCostsOnlyTheTicksUntilItIsBack) {
  TempDir dir;
  const std::filesystem::path home = dir.Path("state");
  std::filesystem::create_directory(home);
  auto writer = OpenWriter(TestOptions(home / "h.db"));
  FakeWorld world({.seed = 202});
  Recorded recorded;
  Record(writer.get(), &world, 25, &recorded);
  std::filesystem::remove_all(home);
  for (int tick = 0; tick < 5; ++tick) {
    const Snapshot& snapshot = world.Next();
    std::vector<Event> events = world.TakeEvents();
    EXPECT_FALSE(writer->Append(snapshot, &events).ok());
    EXPECT_TRUE(writer->AddPast(PastOf(snapshot)).ok());
  }
  std::filesystem::create_directory(home);
  recorded = Recorded();
  Record(writer.get(), &world, 25, &recorded);
  ExpectHolds(home / "h.db", recorded.snapshots);
  EXPECT_TRUE(writer->Close().ok());
}

TEST(Survival, AFileThatWasRemovedOrReplacedIsBegunAnew) {
  TempDir dir;
  const RingOptions options = TestOptions(dir.Path("h.db"));
  auto writer = OpenWriter(options);
  FakeWorld world({.seed = 203});
  for (int round = 0; round < 3; ++round) {
    Recorded recorded;
    Record(writer.get(), &world, 15, &recorded);
    ExpectHolds(options.path, recorded.snapshots);
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(options.path + suffix);
    if (round == 1) std::ofstream(options.path) << "something else";
  }
  EXPECT_NE(writer->stats().set_aside, "");
}

// As a backup that is put back, or another machine's file.
TEST(Survival, AFileWhoseTicksAreNumberedHigherIsSetAsideAndBegunAnew) {
  TempDir dir;
  const RingOptions options = TestOptions(dir.Path("h.db")), other = TestOptions(dir.Path("other.db"));
  Recorded elsewhere, first, second;
  {
    auto writer = OpenWriter(other);
    FakeWorld world({.seed = 204, .tasks = 4, .first_seq = 500});
    Record(writer.get(), &world, 5, &elsewhere);
    ASSERT_TRUE(writer->Close().ok());
  }
  auto writer = OpenWriter(options);
  FakeWorld world({.seed = 205, .tasks = 4});
  Record(writer.get(), &world, 5, &first);
  for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(options.path + suffix);
  std::filesystem::rename(other.path, options.path);
  Record(writer.get(), &world, 15, &second);
  ExpectHolds(options.path, second.snapshots);
  ExpectHolds(writer->stats().set_aside, elsewhere.snapshots);
}

// As a full disk or an exhausted quota, for this process alone.
class NoMoreBytes {
 public:
  explicit NoMoreBytes(uint64_t largest_file) {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{largest_file, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~NoMoreBytes() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST(Survival, WritesThatFailLoseTheirTicksAndNothingElse) {
  TempDir dir;
  const RingOptions options = TestOptions(dir.Path("h.db"));
  auto writer = OpenWriter(options);
  FakeWorld world({.seed = 204, .tasks = 60});
  Recorded recorded;
  Record(writer.get(), &world, 25, &recorded);
  int refused = 0;
  for (int round = 0; round < 10; ++round) {
    {
      NoMoreBytes limit(FileBytes(options.path) / 3 + static_cast<uint64_t>(round) * 5000);
      for (int tick = 0; tick < 6; ++tick) {
        const Snapshot snapshot = world.Next();
        std::vector<Event> events = world.TakeEvents();
        if (writer->Append(snapshot, &events).ok()) {
          recorded.snapshots.push_back(snapshot);
        } else {
          ++refused;
        }
      }
    }
    Record(writer.get(), &world, 6, &recorded);
  }
  EXPECT_GT(refused, 0);
  EXPECT_EQ(writer->stats().set_aside, "");
  ExpectHolds(options.path, recorded.snapshots);
  EXPECT_EQ(IntegrityCheck(options.path), "ok");
}

TEST(Survival, ClockStepsInBothDirectionsLeaveEveryTickInItsPlace) {
  TempDir dir;
  const RingOptions options = TestOptions(dir.Path("h.db"));
  auto writer = OpenWriter(options);
  FakeWorld world({.seed = 205});
  Recorded recorded;
  for (int64_t step : {int64_t{0}, 3600 * kSecondNs, -7200 * kSecondNs, 90 * kSecondNs, -45 * kSecondNs}) {
    world.StepClock(step);
    Record(writer.get(), &world, 70, &recorded);
  }
  ExpectHolds(options.path, recorded.snapshots);
  // Coarser ticks are in the order of the ticks they are made of, each of which is in one of them.
  auto reader = OpenReader(options.path);
  ScanFilter filter;
  filter.step_ns = 10 * kSecondNs;
  uint64_t seq = 0, elapsed = 0;
  ASSERT_TRUE(reader
                  ->Scan(INT64_MIN, INT64_MAX, filter,
                         [&](const Snapshot& tick) {
                           EXPECT_GT(tick.tick.seq, seq);
                           seq = tick.tick.seq;
                           elapsed += tick.tick.elapsed_ns;
                           return true;
                         })
                  .ok());
  EXPECT_EQ(seq, 350u);
  EXPECT_EQ(elapsed, 349 * static_cast<uint64_t>(kSecondNs));
}

TEST(Survival, AReaderOfADamagedFileFailsOrReadsOnButNeverCrashes) {
  TempDir dir;
  const RingOptions options = TestOptions(dir.Path("h.db"));
  {
    auto writer = OpenWriter(options);
    FakeWorld world({.seed = 206, .tasks = 30});
    Recorded recorded;
    Record(writer.get(), &world, 125, &recorded);
    ASSERT_TRUE(writer->AddPast(PastOf(recorded.snapshots[3])).ok());
    ASSERT_TRUE(writer->Close().ok());
  }
  std::ifstream file(options.path, std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(file)), {});
  std::mt19937_64 random(207);
  for (int round = 0; round < 200; ++round) {
    std::string bad = whole;
    for (int flips = 0; flips < 20; ++flips) bad[random() % bad.size()] ^= static_cast<char>(1 << random() % 8);
    const std::string path = dir.Path("bad.db");
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bad;
    auto reader = RingReader::Open(path, TestColumns());
    if (!reader.ok()) continue;
    ScanFilter filter;
    filter.step_ns = round % 2 == 0 ? 0 : 10 * kSecondNs;
    uint64_t ticks = 0;
    (void)(*reader)->Scan(INT64_MIN, INT64_MAX, filter, [&](const Snapshot&) { return ++ticks < 1000; });
    (void)(*reader)->At(kWorldStartNs + 60 * kSecondNs);
    (void)(*reader)->ScanEvents(INT64_MIN, INT64_MAX, {}, [](const Event&) { return true; });
  }
}

// A short tick has no checksum.
TEST(Survival, AReaderOfADamagedJournalFailsOrReadsOnButNeverCrashes) {
  TempDir dir;
  const RingOptions options = TestOptions(dir.Path("h.db"));
  Recorded recorded;
  auto writer = OpenWriter(options);
  FakeWorld world({.seed = 206, .tasks = 2, .churn = 0, .oddity = 0});
  Record(writer.get(), &world, 2, &recorded);
  writer = nullptr;
  auto db = Database::Open(options.path, Database::Mode::kReadWriteCreate);
  std::string tick;
  {
    auto select = db->Prepare("SELECT data FROM journal ORDER BY seq LIMIT 1");
    ASSERT_TRUE(*select->Step());
    tick = std::string(select->Blob(0));
  }
  auto update = db->Prepare("UPDATE journal SET data = ? WHERE seq = (SELECT min(seq) FROM journal)");
  for (size_t at = 1; at < tick.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = tick;
      bad[at] = static_cast<char>(bad[at] ^ 1 << bit);
      ASSERT_TRUE(update->BindBlob(bad).Run().ok());
      auto reader = RingReader::Open(options.path, TestColumns());
      ASSERT_TRUE(reader.ok()) << reader.status();
      (void)(*reader)->Scan(INT64_MIN, INT64_MAX, {}, [](const Snapshot& snapshot) {
        for (const auto& task : snapshot.tasks) EXPECT_FALSE(task->info->comm.empty());
        return true;
      });
    }
  }
}

// SQLite takes any text for more than any number.
TEST(Survival, AReaderOfAFileWithoutEndComesToAnEnd) {
  for (const char* damage : {"UPDATE chunk SET last_seq = last_seq || 'x'",
                             "UPDATE event_block SET last_id = 'x', min_wall_ns = 0, max_wall_ns = 9e18"}) {
    TempDir dir;
    const RingOptions options = TestOptions(dir.Path("h.db"));
    Recorded recorded;
    auto writer = OpenWriter(options);
    FakeWorld world({.seed = 207, .tasks = 4, .churn = 0.3});
    Record(writer.get(), &world, 60, &recorded);
    ASSERT_TRUE(writer->Close().ok());
    writer = nullptr;
    auto db = Database::Open(options.path, Database::Mode::kReadWriteCreate);
    ASSERT_TRUE(db->Exec(damage).ok());
    auto reader = OpenReader(options.path);
    bool refused = !reader->Scan(INT64_MIN, INT64_MAX, {}, [](const Snapshot&) { return true; }).ok();
    (void)reader->ScanEvents(INT64_MIN, INT64_MAX, {}, [](const Event&) { return true; });
    for (const Event& event : recorded.events) {
      if (event.type == EventType::kExit) refused = !reader->Lives(event.task->key.tid).ok() || refused;
    }
    EXPECT_TRUE(refused) << damage;
  }
}

}  // namespace
}  // namespace taskmon::storage

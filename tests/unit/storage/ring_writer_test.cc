// SPDX-License-Identifier: Apache-2.0
#include "storage/ring_writer.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include <gtest/gtest.h>

#include "storage/sqlite_db.h"
#include "tests/unit/storage/fake_world.h"

namespace taskmon::storage {
namespace {

TEST(RingWriter, GoesOnWhereTheLastRunEnded) {
  TempDir dir;
  const RingOptions options = TestOptions(dir.Path("h.db"));
  Recorded recorded;
  for (uint64_t run = 0; run < 4; ++run) {
    auto writer = OpenWriter(options);
    EXPECT_EQ(writer->last_tick_seq(), recorded.snapshots.size());
    FakeWorld world({.seed = 20 + run, .first_seq = writer->last_tick_seq() + 1});
    world.Skip(static_cast<int64_t>(run) * 1000 * kSecondNs);
    Record(writer.get(), &world, 13, &recorded);
    const bool orderly = run % 2 == 0;
    EXPECT_TRUE(!orderly || writer->Close().ok());
  }
  ExpectHolds(options.path, recorded.snapshots);
}

TEST(RingWriter, KeepsTwoBootsApartInOneFile) {
  TempDir dir;
  const RingOptions options = TestOptions(dir.Path("h.db"));
  Recorded recorded;
  auto writer = OpenWriter(options);
  // The same tids and start times in both.
  FakeWorld first({.seed = 30, .boot_id = "boot-a"});
  Record(writer.get(), &first, 7, &recorded);
  FakeWorld second({.seed = 30, .first_seq = 8, .boot_id = "boot-b"});
  second.StepClock(1000 * kSecondNs);
  Record(writer.get(), &second, 7, &recorded);
  ExpectHolds(options.path, recorded.snapshots);
}

TEST(RingWriter, RecognizesTheTasksOfItsOwnBootAfterARestart) {
  TempDir dir;
  const RingOptions options = TestOptions(dir.Path("h.db"));
  FakeWorld world({.seed = 31, .churn = 0});
  Recorded recorded;
  for (int run = 0; run < 3; ++run) {
    auto writer = OpenWriter(options);
    Record(writer.get(), &world, 4, &recorded);
  }
  auto db = Database::Open(options.path, Database::Mode::kReadOnly);
  EXPECT_EQ(*db->QueryInt("SELECT count(*) FROM task"), 20);
  EXPECT_EQ(*db->QueryInt("SELECT count(*) FROM task WHERE last_seq IS NOT NULL"), 0);
}

TEST(RingWriter, RefusesATickThatDoesNotFollow) {
  TempDir dir;
  auto writer = OpenWriter(TestOptions(dir.Path("h.db")));
  FakeWorld world({.seed = 32});
  const Snapshot first = world.Next();
  const Snapshot second = world.Next();
  std::vector<Event> events;
  EXPECT_TRUE(writer->Append(second, &events).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(writer->Append(first, &events)));
  EXPECT_TRUE(absl::IsInvalidArgument(writer->Append(second, &events)));
}

TEST(RingWriter, StoresATickThatIsNotSorted) {
  TempDir dir;
  auto writer = OpenWriter(TestOptions(dir.Path("h.db")));
  FakeWorld world({.seed = 33});
  std::mt19937_64 random(1);
  std::vector<Snapshot> want;
  for (int tick = 0; tick < 25; ++tick) {
    Snapshot snapshot = world.Next();
    want.push_back(snapshot);
    std::shuffle(snapshot.tasks.begin(), snapshot.tasks.end(), random);
    std::vector<Event> events = world.TakeEvents();
    ASSERT_TRUE(writer->Append(snapshot, &events).ok());
  }
  ExpectHolds(dir.Path("h.db"), want);
}

TEST(RingWriter, GivesEventsIdsThatGrowOverRuns) {
  TempDir dir;
  const RingOptions options = TestOptions(dir.Path("h.db"));
  uint64_t last = 0;
  for (uint64_t run = 0; run < 2; ++run) {
    auto writer = OpenWriter(options);
    FakeWorld world({.seed = 34, .churn = 0.3, .first_seq = writer->last_tick_seq() + 1});
    Recorded recorded;
    Record(writer.get(), &world, 12, &recorded);
    ASSERT_FALSE(recorded.events.empty());
    for (const Event& event : recorded.events) {
      EXPECT_GT(event.id, last);
      last = event.id;
    }
  }
}

TEST(RingWriter, KeepsTheExitRecordOfATask) {
  TempDir dir;
  auto writer = OpenWriter(TestOptions(dir.Path("h.db")));
  FakeWorld world({.seed = 35, .churn = 0.1});
  Recorded recorded;
  Record(writer.get(), &world, 12, &recorded);
  auto db = Database::Open(dir.Path("h.db"), Database::Mode::kReadOnly);
  for (const Event& event : recorded.events) {
    if (event.type != EventType::kExit) continue;
    auto row = db->Prepare(
        "SELECT wait_status, duration_ns, start_ns + wall_offset_ns + start_skew_ns + duration_ns +"
        " exit_skew_ns, last_seq IS NOT NULL FROM task JOIN boot ON boot.id = boot WHERE tid = ?");
    ASSERT_TRUE(*row->Bind(event.task->key.tid).Step());
    EXPECT_EQ(row->Int(0), event.wait_status);
    EXPECT_EQ(static_cast<uint64_t>(row->Int(1)), event.duration_ns);
    EXPECT_EQ(row->Int(2), event.wall_ns);
    EXPECT_EQ(row->Int(3), 1);
  }
}

TEST(RingWriter, RefusesASecondWriter) {
  TempDir dir;
  auto writer = OpenWriter(TestOptions(dir.Path("h.db")));
  EXPECT_TRUE(absl::IsFailedPrecondition(RingWriter::Open(TestOptions(dir.Path("h.db"))).status()));
  writer.reset();
  EXPECT_TRUE(RingWriter::Open(TestOptions(dir.Path("h.db"))).ok());
}

TEST(RingWriter, MakesTheFileItsOwnersAlone) {
  TempDir dir;
  auto writer = OpenWriter(TestOptions(dir.Path("h.db")));
  FakeWorld world({.seed = 36});
  Recorded recorded;
  Record(writer.get(), &world, 1, &recorded);
  for (const char* suffix : {"", "-wal", "-shm"}) {
    EXPECT_EQ(std::filesystem::status(dir.Path("h.db") + suffix).permissions(), std::filesystem::perms(0600)) << suffix;
  }
}

TEST(RingWriter, RefusesANewerFormatAndLeavesItAlone) {
  TempDir dir;
  const RingOptions options = TestOptions(dir.Path("h.db"));
  OpenWriter(options).reset();
  {
    auto db = Database::Open(options.path, Database::Mode::kReadWriteCreate);
    ASSERT_TRUE(db->Exec("PRAGMA user_version = 99").ok());
  }
  EXPECT_TRUE(absl::IsFailedPrecondition(RingWriter::Open(options).status()));
  auto db = Database::Open(options.path, Database::Mode::kReadOnly);
  EXPECT_EQ(*db->QueryInt("PRAGMA user_version"), 99);
}

void ExpectSetAside(const RingOptions& options) {
  auto writer = OpenWriter(options);
  ASSERT_NE(writer, nullptr);
  const std::string aside = writer->stats().set_aside;
  EXPECT_EQ(aside.rfind(options.path + ".damaged-", 0), 0u) << aside;
  EXPECT_TRUE(std::filesystem::exists(aside));
  FakeWorld world({.seed = 40});
  Recorded recorded;
  Record(writer.get(), &world, 12, &recorded);
  ExpectHolds(options.path, recorded.snapshots);
}

TEST(RingWriter, SetsAsideAFileThatIsNotADatabase) {
  TempDir dir;
  const RingOptions options = TestOptions(dir.Path("h.db"));
  std::ofstream(options.path) << std::string(10000, 'x');
  ExpectSetAside(options);
}

TEST(RingWriter, SetsAsideTheDatabaseOfAnotherProgram) {
  TempDir dir;
  const RingOptions options = TestOptions(dir.Path("h.db"));
  {
    auto db = Database::Open(options.path, Database::Mode::kReadWriteCreate);
    ASSERT_TRUE(db->Exec("CREATE TABLE t(x); INSERT INTO t VALUES(1)").ok());
  }
  ExpectSetAside(options);
}

TEST(RingWriter, SetsAsideAFileCutOffInTheMiddle) {
  TempDir dir;
  const RingOptions options = TestOptions(dir.Path("h.db"));
  {
    auto writer = OpenWriter(options);
    FakeWorld world({.seed = 41, .tasks = 100});
    Recorded recorded;
    Record(writer.get(), &world, 40, &recorded);
    ASSERT_TRUE(writer->Close().ok());
  }
  std::filesystem::resize_file(options.path, 5000);
  ExpectSetAside(options);
}

TEST(RingWriter, NeverFailsForGoodOnAFileWithFlippedBytes) {
  TempDir dir;
  const RingOptions options = TestOptions(dir.Path("h.db"));
  std::mt19937_64 random(42);
  for (int round = 0; round < 60; ++round) {
    for (const auto& file : std::filesystem::directory_iterator(std::filesystem::path(options.path).parent_path())) {
      std::filesystem::remove(file);
    }
    {
      auto writer = OpenWriter(options);
      FakeWorld world({.seed = 43, .tasks = 30});
      Recorded recorded;
      Record(writer.get(), &world, 25, &recorded);
      ASSERT_TRUE(writer->Close().ok());
    }
    {
      std::fstream file(options.path, std::ios::in | std::ios::out | std::ios::binary);
      const auto size = std::filesystem::file_size(options.path);
      for (int flips = 0; flips < 50; ++flips) {
        file.seekp(static_cast<std::streamoff>(random() % size));
        file.put(static_cast<char>(random()));
      }
    }
    auto writer = RingWriter::Open(options);
    if (absl::IsFailedPrecondition(writer.status())) continue;  // the flip made the version newer
    ASSERT_TRUE(writer.ok()) << writer.status();
    FakeWorld world({.seed = 44, .tasks = 30, .first_seq = (*writer)->last_tick_seq() + 1});
    const bool absurd_seq = (*writer)->last_tick_seq() > 1u << 30;
    for (int tick = 0; tick < 25 && !absurd_seq; ++tick) {
      const Snapshot& snapshot = world.Next();
      std::vector<Event> events = world.TakeEvents();
      const absl::Status status = (*writer)->Append(snapshot, &events);
      ASSERT_TRUE(status.ok()) << status;
    }
  }
}

// Appends ticks of the round's world without end and says after each that it is stored.
[[noreturn]] void WriteUntilKilled(const RingOptions& options, uint64_t seed, int report_fd) {
  auto writer = RingWriter::Open(options);
  if (!writer.ok()) _exit(1);
  FakeWorld world({.seed = seed, .churn = 0.1, .first_seq = (*writer)->last_tick_seq() + 1});
  for (;;) {
    const Snapshot& snapshot = world.Next();
    std::vector<Event> events = world.TakeEvents();
    if (!(*writer)->Append(snapshot, &events).ok()) _exit(2);
    if (write(report_fd, &snapshot.tick.seq, sizeof snapshot.tick.seq) != sizeof snapshot.tick.seq) _exit(3);
  }
}

TEST(RingWriter, LosesNoStoredTickWhenKilledAtAnyMoment) {
  TempDir dir;
  RingOptions options = TestOptions(dir.Path("h.db"));
  options.chunk_ticks = 4;
  std::mt19937_64 random(50);
  uint64_t stored_before = 0;
  for (uint64_t round = 0; round < 100; ++round) {
    SCOPED_TRACE(round);
    int fds[2];
    ASSERT_EQ(pipe(fds), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) WriteUntilKilled(options, round, fds[1]);
    close(fds[1]);
    uint64_t reported = 0;
    for (uint64_t reports = random() % 20 + 1; reports > 0; --reports) {
      ASSERT_EQ(read(fds[0], &reported, sizeof reported), static_cast<ssize_t>(sizeof reported));
    }
    // Some way into the next tick, wherever that may be.
    for (volatile uint64_t spin = random() % 400000; spin > 0;) spin = spin - 1;
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    while (read(fds[0], &reported, sizeof reported) == static_cast<ssize_t>(sizeof reported)) {
    }
    close(fds[0]);
    auto writer = OpenWriter(options);
    ASSERT_NE(writer, nullptr);
    EXPECT_GE(writer->last_tick_seq(), reported);
    EXPECT_LE(writer->last_tick_seq(), reported + 1);
    EXPECT_EQ(writer->stats().set_aside, "");
    EXPECT_EQ(IntegrityCheck(options.path), "ok");
    FakeWorld world({.seed = round, .churn = 0.1, .first_seq = stored_before + 1});
    const std::vector<Snapshot> got = ReadAll(options.path);
    ASSERT_EQ(got.size(), writer->last_tick_seq());
    for (uint64_t seq = stored_before + 1; seq <= writer->last_tick_seq(); ++seq) {
      ExpectSameSnapshot(world.Next(), got[seq - 1]);
    }
    stored_before = writer->last_tick_seq();
    if (HasFailure()) return;
  }
}

// A file system of its own that is as small as the test wants it.
class SmallDisk {
 public:
  SmallDisk() { mounted_ = mount("tmpfs", dir_.Path("").c_str(), "tmpfs", 0, "size=2m") == 0; }
  ~SmallDisk() {
    if (mounted_) umount2(dir_.Path("").c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  std::string Path(const std::string& name) const { return dir_.Path(name); }

 private:
  TempDir dir_;
  bool mounted_ = false;
};

TEST(RingWriter, LosesNothingStoredOnAFullDiskAndGoesOnWhenThereIsRoomAgain) {
  SmallDisk disk;
  if (!disk.mounted()) GTEST_SKIP() << "mounting a small file system needs root";
  RingOptions options = TestOptions(disk.Path("h.db"));
  auto writer = OpenWriter(options);
  FakeWorld world({.seed = 60, .tasks = 60});
  Recorded recorded;
  Record(writer.get(), &world, 15, &recorded);
  {
    std::ofstream filler(disk.Path("filler"));
    const std::string block(4096, 'x');
    while (filler.write(block.data(), 4096) && filler.flush()) {
    }
  }
  int refused = 0;
  for (int tick = 0; tick < 60; ++tick) {
    const Snapshot& snapshot = world.Next();
    std::vector<Event> events = world.TakeEvents();
    const absl::Status status = writer->Append(snapshot, &events);
    if (status.ok()) {
      recorded.snapshots.push_back(snapshot);
    } else {
      EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
      ++refused;
      for (const Event& event : events) EXPECT_EQ(event.id, 0u);
    }
  }
  EXPECT_GT(refused, 0);
  EXPECT_EQ(writer->stats().chunks_dropped, 0u);
  std::filesystem::remove(disk.Path("filler"));
  Record(writer.get(), &world, 15, &recorded);
  ExpectHolds(options.path, recorded.snapshots);
  EXPECT_EQ(IntegrityCheck(options.path), "ok");
}

}  // namespace
}  // namespace taskmon::storage

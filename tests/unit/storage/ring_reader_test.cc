// SPDX-License-Identifier: Apache-2.0
#include "storage/ring_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/storage/fake_world.h"

namespace taskmon::storage {
namespace {

struct Recorded {
  std::vector<Snapshot> snapshots;
  std::vector<Event> events;
};

// Appends ticks of the world and keeps them as the oracle.
void Record(RingWriter* writer, FakeWorld* world, int ticks, Recorded* out) {
  for (int i = 0; i < ticks; ++i) {
    out->snapshots.push_back(world->Next());
    std::vector<Event> events = world->TakeEvents();
    absl::Status status = writer->Append(out->snapshots.back(), &events);
    ASSERT_TRUE(status.ok()) << status;
    for (Event& event : events) out->events.push_back(event);
  }
}

std::unique_ptr<RingWriter> OpenWriter(const RingOptions& options) {
  auto writer = RingWriter::Open(options);
  EXPECT_TRUE(writer.ok()) << writer.status();
  return writer.ok() ? *std::move(writer) : nullptr;
}

std::unique_ptr<RingReader> OpenReader(const std::string& path) {
  auto reader = RingReader::Open(path, TestColumns());
  EXPECT_TRUE(reader.ok()) << reader.status();
  return reader.ok() ? *std::move(reader) : nullptr;
}

TEST(RingReader, GivesBackEveryTickOfClosedAndOpenChunksAsItWas) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    TempDir dir;
    auto writer = OpenWriter(TestOptions(dir.Path("h.db")));
    FakeWorld world({.seed = seed, .tasks = 5 * seed * (seed % 5 == 0 ? 6 : 1)});
    Recorded recorded;
    Record(writer.get(), &world, 37, &recorded);
    auto reader = OpenReader(dir.Path("h.db"));
    size_t next = 0;
    absl::Status status = reader->Scan(INT64_MIN, INT64_MAX, {}, [&](const Snapshot& snapshot) {
      ExpectSameSnapshot(recorded.snapshots.at(next++), snapshot);
      return !::testing::Test::HasFailure();
    });
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(next, recorded.snapshots.size());
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

}  // namespace
}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
//
// testdata/format_N.db are files as the last program of format N wrote them: the world of seed 90, 5 tasks, churn 0.1,
// 19 ticks in chunks of 8, killed before it closed the last.
#include <filesystem>

#include <gtest/gtest.h>

#include "storage/schema.h"
#include "storage/sqlite_db.h"
#include "tests/unit/storage/fake_world.h"

namespace taskmon::storage {
namespace {

constexpr int kFixtureTicks = 19;

Recorded WhatTheFixtureHolds(FakeWorld* world, int version) {
  Recorded recorded;
  for (int tick = 0; tick < kFixtureTicks; ++tick) {
    recorded.snapshots.push_back(world->Next());
    for (Event& event : world->TakeEvents()) {
      // Later worlds decide things that the first format did not have yet.
      const bool decision = event.type == EventType::kRule || event.type == EventType::kThreshold;
      if (version == 1 && decision) continue;
      event.id = recorded.events.size() + 1;
      recorded.events.push_back(event);
    }
  }
  return recorded;
}

std::string CopyOfFixture(const TempDir& dir, int version) {
  const std::string path = dir.Path("h.db");
  std::filesystem::copy_file(std::string(TESTDATA "/format_") + std::to_string(version) + ".db", path);
  std::filesystem::permissions(path, std::filesystem::perms(0600));
  return path;
}

void ExpectHoldsEvents(const std::string& path, const std::vector<Event>& want) {
  size_t next = 0;
  absl::Status status = OpenReader(path)->ScanEvents(INT64_MIN, INT64_MAX, {}, [&](const Event& got) {
    if (next < want.size()) ExpectSameEvent(want[next], got);
    ++next;
    return true;
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(next, want.size());
}

class Upgrade : public ::testing::TestWithParam<int> {
 protected:
  FakeWorld world_{{.seed = 90, .tasks = 5, .churn = 0.1}};
  Recorded recorded_ = WhatTheFixtureHolds(&world_, GetParam());
  TempDir dir_;
  const std::string path_ = CopyOfFixture(dir_, GetParam());
};

TEST_P(Upgrade, ReadersReadAnOlderFormatAsItIs) {
  ExpectHolds(path_, recorded_.snapshots);
  ExpectHoldsEvents(path_, recorded_.events);
  EXPECT_EQ(*Database::Open(path_, Database::Mode::kReadOnly)->QueryInt("PRAGMA user_version"), GetParam());
}

TEST_P(Upgrade, TheWriterBringsAnOlderFormatUpToDateAndGoesOnInIt) {
  RingOptions options = TestOptions(path_);
  auto writer = OpenWriter(options);
  EXPECT_EQ(writer->last_tick_seq(), static_cast<uint64_t>(kFixtureTicks));
  EXPECT_EQ(writer->stats().set_aside, "");
  Record(writer.get(), &world_, 21, &recorded_);
  ASSERT_TRUE(writer->Close().ok());
  ExpectHolds(path_, recorded_.snapshots);
  ExpectHoldsEvents(path_, recorded_.events);
  EXPECT_EQ(*Database::Open(path_, Database::Mode::kReadOnly)->QueryInt("PRAGMA user_version"), kFormatVersion);
  EXPECT_EQ(IntegrityCheck(path_), "ok");
}

INSTANTIATE_TEST_SUITE_P(Formats, Upgrade, ::testing::Values(1, 2));

}  // namespace
}  // namespace taskmon::storage

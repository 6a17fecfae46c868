// SPDX-License-Identifier: Apache-2.0
#include "daemon/snapshot_hub.h"

#include <gtest/gtest.h>

#include <thread>

namespace taskmon::daemon {
namespace {

Publication At(uint64_t seq, size_t events) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->tick.seq = seq;
  return {snapshot, std::make_shared<const std::vector<Event>>(events)};
}

TEST(SnapshotHub, NewestIsNullBeforeTheFirstTick) {
  SnapshotHub hub;
  EXPECT_EQ(hub.Newest(), nullptr);
  hub.Publish(At(1, 0));
  EXPECT_EQ(hub.Newest()->tick.seq, 1u);
}

TEST(SnapshotHub, WaiterWakesOnANewerTick) {
  SnapshotHub hub;
  hub.Publish(At(1, 0));
  std::thread publisher([&hub] { hub.Publish(At(2, 0)); });
  const Publication got = hub.WaitAfter(1, absl::InfiniteDuration());
  publisher.join();
  ASSERT_NE(got.snapshot, nullptr);
  EXPECT_EQ(got.snapshot->tick.seq, 2u);
}

TEST(SnapshotHub, CloseWakesWaitersWithNothing) {
  SnapshotHub hub;
  std::thread closer([&hub] { hub.Close(); });
  EXPECT_EQ(hub.WaitAfter(0, absl::InfiniteDuration()).snapshot, nullptr);
  closer.join();
}

TEST(SnapshotHub, FollowerGetsEveryTicksEventsOnce) {
  SnapshotHub hub;
  for (uint64_t seq = 1; seq <= 3; ++seq) hub.Publish(At(seq, seq));
  uint64_t after = 1;
  uint64_t missed = 99;
  const std::vector<EventsOfTick> got = hub.EventsAfter(&after, &missed);
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].events->size(), 2u);
  EXPECT_EQ(got[0].seq, 2u);
  EXPECT_EQ(missed, 0u);
  EXPECT_EQ(after, 3u);
  EXPECT_TRUE(hub.EventsAfter(&after, &missed).empty());
}

TEST(SnapshotHub, InAStormOfEventsTheOldestGoAndAreMissed) {
  SnapshotHub hub;
  for (uint64_t seq = 1; seq <= 10; ++seq) hub.Publish(At(seq, 10'000));
  uint64_t after = 0;
  uint64_t missed = 0;
  EXPECT_EQ(hub.EventsAfter(&after, &missed).size() + missed, 10u);
  EXPECT_GT(missed, 0u);
  for (uint64_t seq = 11; seq <= 12; ++seq) hub.Publish(At(seq, 100'000));
  EXPECT_EQ(hub.EventsAfter(&after, &missed).size(), 2u) << "two ticks are kept however large they are";
}

TEST(SnapshotHub, SlowFollowerIsToldWhatItMissed) {
  SnapshotHub hub;
  for (uint64_t seq = 1; seq <= 100; ++seq) hub.Publish(At(seq, 1));
  uint64_t after = 1;
  uint64_t missed = 0;
  const std::vector<EventsOfTick> got = hub.EventsAfter(&after, &missed);
  EXPECT_EQ(got.size() + missed, 99u);
  EXPECT_GT(missed, 0u);
}

}  // namespace
}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/end_feed.h"

#include <gtest/gtest.h>

#include "tests/unit/query/world.h"

namespace taskmon::query {
namespace {

class EndFeedTest : public testing::Test {
 protected:
  // A tick, before which so many tasks were born and ended that ran for 1 ms each.
  void AddTick(uint64_t ends) {
    const uint64_t seq = ring_.ticks.size() + 1;
    ring_.ticks.push_back(World(seq, {TaskBuilder(1).Set(v1::TASK_RUNTIME_NS, 0, 0)}));
    for (uint64_t i = 0; i < ends; ++i) {
      Event end = End(next_tid_++, seq, kMs, 5 * kMs);
      end.id = ring_.events.size() + 1;
      ring_.events.push_back(std::move(end));
    }
  }

  // What the window of the tick at this index has of ends, ns.
  int64_t Step(size_t index, EndFeed* ends) {
    const Snapshot& tick = ring_.ticks[index];
    EXPECT_TRUE(folder_.AddTick(tick, nullptr).ok());
    EXPECT_TRUE(ends->Feed(tick.tick.wall_ns, &folder_).ok());
    const WindowResult result = folder_.Take();
    int64_t ran_ns = 0;
    for (const WindowRow& row : result.rows) {
      ran_ns += ResolveValue(RowOf(row, result.moment), v1::TASK_RUNTIME_NS).value_or(0);
    }
    return ran_ns;
  }

  storage::TimeRange All() const { return {kStart, kStart + 1000 * static_cast<int64_t>(kSecond)}; }

  FakeRing ring_;
  FakeRingReader reader_{&ring_};
  Plan plan_ = *Plan::Make(v1::Selection());
  WindowFolder folder_{plan_, kRoot, GroupBy::kComm};
  int32_t next_tid_ = 100;
};

TEST_F(EndFeedTest, EachEndIsReadOnceHoweverManyStepsThereAre) {
  constexpr size_t kTicks = 60;
  for (size_t i = 0; i < kTicks; ++i) AddTick(100 + i);
  AddTick(2 * storage::EventFeed::kReadAhead + 1);  // more at once than are read ahead
  EndFeed ends(&reader_, All());
  for (size_t i = 0; i < kTicks; ++i) EXPECT_EQ(Step(i, &ends), static_cast<int64_t>(100 + i) * kMs) << i;
  EXPECT_EQ(Step(kTicks, &ends), static_cast<int64_t>(2 * storage::EventFeed::kReadAhead + 1) * kMs);
  EXPECT_EQ(ring_.events_read, ring_.events.size());
}

TEST_F(EndFeedTest, WhatIsStoredWhileItIsAtWorkIsReadToo) {
  AddTick(3);
  AddTick(0);
  EndFeed ends(&reader_, All());
  EXPECT_EQ(Step(0, &ends), 3 * kMs);
  EXPECT_EQ(Step(1, &ends), 0);
  AddTick(4);
  EXPECT_EQ(Step(2, &ends), 4 * kMs);
}

TEST_F(EndFeedTest, LeavesOutWhatEndedBeforeTheRangeOrAfterIt) {
  for (size_t i = 0; i < 4; ++i) AddTick(1);
  EndFeed ends(&reader_, {ring_.ticks[0].tick.wall_ns, ring_.ticks[2].tick.wall_ns});
  EXPECT_EQ(Step(0, &ends), 0);
  EXPECT_EQ(Step(1, &ends), kMs);
  EXPECT_EQ(Step(2, &ends), kMs);
  EXPECT_EQ(Step(3, &ends), 0);
}

}  // namespace
}  // namespace taskmon::query

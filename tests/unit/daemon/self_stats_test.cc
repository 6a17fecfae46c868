// SPDX-License-Identifier: Apache-2.0
#include "daemon/self_stats.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace taskmon::daemon {
namespace {

TEST(SelfStats, TaskCpuIsUserNiceAndSystemOfTheFirstLine) {
  const uint64_t tick = 1'000'000'000ull / static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  EXPECT_EQ(TaskCpuFromProcStat("cpu  10 20 30 400 5 6 7 0 1 0\ncpu0 1 1 1 1\n"), 60 * tick);
  EXPECT_FALSE(TaskCpuFromProcStat("intr 5").has_value());
  EXPECT_FALSE(TaskCpuFromProcStat("").has_value());
}

TEST(SelfStats, BooksAreUnknownBeforeThereIsEnoughToCompare) {
  SelfStats stats;
  EXPECT_FALSE(stats.Read().accounted_percent.has_value());
  stats.OnTick(1, {}, 0);
  EXPECT_FALSE(stats.Read().accounted_percent.has_value());
  EXPECT_GT(stats.Read().rss_bytes, 0u);
}

TEST(SelfStats, WhatIsNoRecordingIsServing) {
  SelfStats stats;
  stats.OnTick(1'000'000'000, {.all_ns = 500, .recording_ns = 400}, 0);
  stats.OnTick(11'000'000'000, {.all_ns = 3'000'000'500, .recording_ns = 1'000'000'400}, 0);
  EXPECT_DOUBLE_EQ(stats.Read().cpu_percent, 30);
  EXPECT_DOUBLE_EQ(stats.Read().serving_cpu_percent, 20);
}

}  // namespace
}  // namespace taskmon::daemon

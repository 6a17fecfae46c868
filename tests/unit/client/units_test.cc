// SPDX-License-Identifier: Apache-2.0
#include "client/output/units.h"

#include <gtest/gtest.h>

#include "client/output/number.h"

namespace taskmon::client {
namespace {

TEST(HumanBytes, KeepsThreeDigits) {
  EXPECT_EQ(HumanBytes(0), "0");
  EXPECT_EQ(HumanBytes(512), "512B");
  EXPECT_EQ(HumanBytes(1024), "1.0K");
  EXPECT_EQ(HumanBytes(1024 * 1024 - 1), "1.0M");
  EXPECT_EQ(HumanBytes(1.2 * (1 << 30)), "1.2G");
  EXPECT_EQ(HumanBytes(345.6 * (1 << 20)), "346M");
}

TEST(HumanDuration, ChoosesTheUnit) {
  EXPECT_EQ(HumanDuration(0), "0");
  EXPECT_EQ(HumanDuration(850), "850ns");
  EXPECT_EQ(HumanDuration(51'200), "51.2us");
  EXPECT_EQ(HumanDuration(3'400'000), "3.4ms");
  EXPECT_EQ(HumanDuration(999'600'000), "1.0s");
  EXPECT_EQ(HumanDuration(65e9), "1m05s");
  EXPECT_EQ(HumanDuration(7500e9), "2h05m");
  EXPECT_EQ(HumanDuration(274000e9), "3d04h");
}

TEST(HumanCount, StaysExactWhileItIsShort) {
  EXPECT_EQ(HumanCount(99999), "99999");
  EXPECT_EQ(HumanCount(123456), "123k");
  EXPECT_EQ(HumanCount(4.5e6), "4.5M");
}

TEST(HumanValue, FollowsTheCatalogue) {
  EXPECT_EQ(HumanValue(Describe(v1::TASK_CPU_PERCENT), 12'345), "12.3");
  EXPECT_EQ(HumanValue(Describe(v1::TASK_UTIME_JIFFIES), 1'500'000'000), "1.5s");
  EXPECT_EQ(HumanValue(Describe(v1::TASK_STATE), 'D'), "D");
  EXPECT_EQ(HumanValue(Describe(v1::TASK_TCP_USED), 1), "yes");
  EXPECT_EQ(HumanValue(Describe(v1::TASK_NICE), -20), "-20");
}

TEST(HumanRate, DividesByTheElapsedTime) {
  EXPECT_EQ(HumanRate(Describe(v1::TASK_READ_BYTES), 8192, 2'000'000'000), "4.0K/s");
  EXPECT_EQ(HumanRate(Describe(v1::TASK_RUNTIME_NS), 500'000'000, 1'000'000'000), "500ms/s");
  EXPECT_EQ(HumanRate(Describe(v1::TASK_FORK_COUNT), 1, 2'000'000'000), "0.5/s");
}

TEST(PlainNumber, IsInCatalogueUnits) {
  EXPECT_EQ(PlainNumber(Describe(v1::TASK_CPU_PERCENT), 12'345), "12.345");
  EXPECT_EQ(PlainNumber(Describe(v1::TASK_CPU_PERCENT), 3'000), "3.0");
  EXPECT_EQ(PlainNumber(Describe(v1::TASK_CPU_PERCENT), 50), "0.05");
  EXPECT_EQ(PlainNumber(Describe(v1::TASK_UTIME_JIFFIES), 19'999'999), "1");
  EXPECT_EQ(PlainNumber(Describe(v1::TASK_RUNTIME_NS), 9'007'199'254'740'993), "9007199254740993");
  EXPECT_EQ(PlainNumber(Describe(v1::TASK_STATE), 'S'), "S");
  EXPECT_EQ(PlainNumber(Describe(v1::TASK_STATE), 0), "?");
  EXPECT_EQ(PlainNumber(Describe(v1::TASK_UDP_USED), 1), "1");
}

}  // namespace
}  // namespace taskmon::client

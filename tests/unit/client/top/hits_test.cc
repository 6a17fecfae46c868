// SPDX-License-Identifier: Apache-2.0
#include "client/top/hits.h"

#include <gtest/gtest.h>

namespace taskmon::client::top {
namespace {

TotalsPoint At(int64_t time_ns, double cpu) {
  TotalsPoint point{.time_ns = time_ns};
  point.values[static_cast<size_t>(Total::kCpu)] = cpu;
  return point;
}

TEST(Hits, AreMarksAndTheBeginningsOfActivity) {
  const std::vector<TotalsPoint> points = {At(10, 5), At(20, 6), At(30, 90), At(40, 95), At(50, 4), At(60, 5)};
  const std::vector<Mark> marks = {{.kind = Mark::Kind::kOom, .begin_ns = 55, .end_ns = 55},
                                   {.kind = Mark::Kind::kGap, .begin_ns = 12, .end_ns = 18}};
  EXPECT_EQ(NextHit(points, marks, 0, 1), 18);
  EXPECT_EQ(NextHit(points, marks, 18, 1), 30);
  EXPECT_EQ(NextHit(points, marks, 30, 1), 55);
  EXPECT_EQ(NextHit(points, marks, 55, 1), std::nullopt);
  EXPECT_EQ(NextHit(points, marks, 54, -1), 30);
  EXPECT_EQ(NextHit(points, marks, 17, -1), std::nullopt);
}

TEST(Hits, QuietBarsHaveNone) {
  EXPECT_EQ(NextHit({}, {}, 0, 1), std::nullopt);
  EXPECT_EQ(NextHit({At(1, 0), At(2, 0.5), At(3, 1)}, {}, 0, 1), std::nullopt);
}

}  // namespace
}  // namespace taskmon::client::top

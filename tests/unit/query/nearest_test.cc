// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/nearest.h"

#include <gtest/gtest.h>

namespace taskmon::query {
namespace {

const std::vector<std::string> kCommands = {"status", "doctor", "ps", "history", "events", "watch"};

TEST(Nearest, CountsEdits) {
  EXPECT_EQ(EditDistance("comm", "comm", 3), 0);
  EXPECT_EQ(EditDistance("cmm", "comm", 3), 1);
  EXPECT_EQ(EditDistance("cmom", "comm", 3), 1) << "a swap of neighbours is one slip";
  EXPECT_EQ(EditDistance("", "abc", 3), 3);
  EXPECT_EQ(EditDistance("kitten", "sitting", 5), 3);
  EXPECT_EQ(EditDistance("abc", "xyz", 1), 2) << "counted no further than the limit";
}

TEST(Nearest, FindsWhatWasMeant) {
  EXPECT_EQ(Nearest("histroy", kCommands), "history");
  EXPECT_EQ(Nearest("event", kCommands), "events");
  EXPECT_EQ(Nearest("pss", kCommands), "ps");
  EXPECT_EQ(DidYouMean("stats", kCommands), "; did you mean 'status'?");
}

TEST(Nearest, StaysSilentWhenNothingIsNear) {
  EXPECT_EQ(Nearest("frobnicate", kCommands), std::nullopt);
  EXPECT_EQ(Nearest("", kCommands), std::nullopt);
  EXPECT_EQ(Nearest(std::string(1 << 20, 'h'), kCommands), std::nullopt);
  EXPECT_EQ(DidYouMean("zzz", kCommands), "");
}

}  // namespace
}  // namespace taskmon::query

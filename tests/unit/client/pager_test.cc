// SPDX-License-Identifier: Apache-2.0
#include "client/pager.h"

#include <gtest/gtest.h>

namespace taskmon::client {
namespace {

TEST(Pager, IsForTablesThatEnd) {
  EXPECT_TRUE(WantsPager({.command = Command::kPs}));
  EXPECT_TRUE(WantsPager({.command = Command::kHistory, .format = Format::kWide}));
  EXPECT_FALSE(WantsPager({.command = Command::kPs, .format = Format::kJson}));
  EXPECT_FALSE(WantsPager({.command = Command::kWatch}));
  EXPECT_FALSE(WantsPager({.command = Command::kTop}));
  EXPECT_FALSE(WantsPager({.command = Command::kEvents, .follow = true}));
}

TEST(Pager, IsWhatThePersonChose) {
  EXPECT_EQ(PagerCommand("most", "more"), "most");
  EXPECT_EQ(PagerCommand(nullptr, "more"), "more");
  EXPECT_EQ(PagerCommand(nullptr, "cat"), "");
  EXPECT_EQ(PagerCommand("", "more"), "");
  EXPECT_NE(PagerCommand(nullptr, nullptr).find("less"), std::string::npos);
}

}  // namespace
}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
#include "daemon/shares.h"

#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace taskmon::daemon {
namespace {

constexpr query::Caller kRoot = {.uid = 0, .sees_everything = true, .admin = true};

std::vector<Shares::Share> TakeAll(Shares* shares, const query::Caller& caller) {
  std::vector<Shares::Share> taken;
  while (shares->WouldGrant(caller)) taken.push_back(shares->Take(caller));
  return taken;
}

// Ten ordinary users, one after the other.
std::vector<Shares::Share> TakeAllAsMany(Shares* shares) {
  std::vector<Shares::Share> taken;
  for (uint32_t uid = 1000; uid < 1010; ++uid) {
    for (Shares::Share& share : TakeAll(shares, {.uid = uid})) taken.push_back(std::move(share));
  }
  return taken;
}

TEST(Shares, OneUserGetsAQuarter) {
  Shares shares(64);
  const auto of_one = TakeAll(&shares, {.uid = 1000});
  EXPECT_EQ(of_one.size(), 16u);
  EXPECT_FALSE(shares.Take({.uid = 1000}).granted());
  EXPECT_EQ(shares.refused(), 1u);
  EXPECT_TRUE(shares.Take({.uid = 1001}).granted());
}

TEST(Shares, ManyUsersLeaveAnEighthToAdministrators) {
  Shares shares(64);
  const auto taken = TakeAllAsMany(&shares);
  EXPECT_EQ(taken.size(), 56u);
  EXPECT_EQ(TakeAll(&shares, kRoot).size(), 8u);
}

TEST(Shares, OfAFewOneIsKeptForAdministrators) {
  Shares shares(4);
  const auto taken = TakeAllAsMany(&shares);
  EXPECT_EQ(taken.size(), 3u);
  EXPECT_EQ(TakeAll(&shares, kRoot).size(), 1u);
}

TEST(Shares, WhatIsGivenBackIsGrantedAgain) {
  Shares shares(4);
  { const auto share = shares.Take({.uid = 1000}); }
  EXPECT_TRUE(shares.Take({.uid = 1000}).granted());
  EXPECT_EQ(TakeAll(&shares, kRoot).size(), 4u);
  EXPECT_EQ(TakeAll(&shares, kRoot).size(), 4u);
}

}  // namespace
}  // namespace taskmon::daemon

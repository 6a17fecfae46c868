// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/user_budgets.h"

#include <gtest/gtest.h>

namespace taskmon::query {
namespace {

constexpr Caller kOne{.uid = 1000}, kOther{.uid = 1001}, kThird{.uid = 1002};
constexpr Caller kRoot{.uid = 0, .sees_everything = true, .admin = true};

TEST(UserBudgetsTest, OneUserHasHalfHoweverManyQuestionsHeAsks) {
  UserBudgets budgets(80, 800);
  BudgetShare first(budgets.Of(kOne).bytes), second(budgets.Of(kOne).bytes), tests(budgets.Of(kOne).tests);
  EXPECT_TRUE(first.Take(300));
  EXPECT_FALSE(second.Take(101));
  EXPECT_TRUE(second.Take(100));
  EXPECT_TRUE(tests.Take(40)) << "each of the two is shared out for itself";
  EXPECT_FALSE(tests.Take(1));
  EXPECT_EQ(budgets.turned_away(), 2);
}

TEST(UserBudgetsTest, OthersHaveWhatHeCannotTakeAndAdministratorsWhatNobodyElseCan) {
  UserBudgets budgets(80, 800);
  BudgetShare one(budgets.Of(kOne).bytes), other(budgets.Of(kOther).bytes), third(budgets.Of(kThird).bytes);
  BudgetShare root(budgets.Of(kRoot).bytes);
  EXPECT_TRUE(one.Take(400));
  EXPECT_TRUE(other.Take(300));
  EXPECT_FALSE(other.Take(1)) << "an eighth is kept";
  EXPECT_FALSE(third.Take(1));
  EXPECT_TRUE(root.Take(100));
  EXPECT_FALSE(root.Take(1));
  one.ReturnAll();
  EXPECT_TRUE(root.Take(400));
  EXPECT_EQ(budgets.turned_away(), 3);
}

TEST(UserBudgetsTest, WhatIsGivenBackCanBeTakenAgain) {
  UserBudgets budgets(80, 800);
  for (int round = 0; round < 5; ++round) {
    for (const Caller& caller : {kOne, kOther, kThird, kRoot}) {
      BudgetShare share(budgets.Of(caller).bytes);
      EXPECT_TRUE(share.Take(400));
      EXPECT_FALSE(share.Take(401)) << "is given back as well";
    }
  }
}

}  // namespace
}  // namespace taskmon::query

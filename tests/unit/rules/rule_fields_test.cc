// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/rule_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/catalogue.h"

namespace taskmon::rules {
namespace {

using ::testing::HasSubstr;

template <typename Value>
std::string Refused(const absl::StatusOr<Value>& value) {
  EXPECT_TRUE(absl::IsInvalidArgument(value.status()));
  const std::string message(value.status().message());
  EXPECT_EQ(message.find('\n'), std::string::npos);
  return message;
}

TEST(RuleFields, NamesAreShortWordsAndNoNumbers) {
  for (const char* good : {"web", "5xx", "key-kernel.threads_2", "A"}) EXPECT_TRUE(CheckName(good).ok()) << good;
  EXPECT_TRUE(CheckName(std::string(64, 'a')).ok());
  for (const char* bad : {"", "12", "-a", ".a", "a b", "a/b", "ä", "a\n"}) EXPECT_FALSE(CheckName(bad).ok()) << bad;
  EXPECT_FALSE(CheckName(std::string(65, 'a')).ok());
}

TEST(RuleFields, GroupsAddUpFromTheLeft) {
  EXPECT_EQ(*ParseGroups("all"), AllGroups());
  EXPECT_EQ(*ParseGroups("all,-syscall"), DefaultGroups());
  EXPECT_EQ(*ParseGroups("cpu, io"), MetricGroups().set(v1::CPU).set(v1::IO));
  EXPECT_EQ(*ParseGroups("cpu,io,-cpu"), MetricGroups().set(v1::IO));
  EXPECT_THAT(Refused(ParseGroups("cpuu")), HasSubstr("did you mean 'cpu'?"));
  EXPECT_THAT(Refused(ParseGroups("cpu,-cpu")), HasSubstr("name at least one"));
  EXPECT_THAT(Refused(ParseGroups("")), HasSubstr("metric group"));
  EXPECT_THAT(Refused(ParseGroups("cpu,,io")), HasSubstr("metric group"));
}

TEST(RuleFields, EveryGroupOfTheCatalogueHasABit) {
  for (const MetricDesc& metric : AllMetrics()) EXPECT_TRUE(AllGroups().test(metric.group)) << metric.name;
  EXPECT_FALSE(AllGroups().test(v1::GROUP_UNSPECIFIED));
}

TEST(RuleFields, GroupsAreWrittenInTheShorterForm) {
  EXPECT_EQ(GroupsText(AllGroups()), "all");
  EXPECT_EQ(GroupsText(DefaultGroups()), "all,-syscall");
  EXPECT_EQ(GroupsText(MetricGroups().set(v1::CPU).set(v1::IO)), "cpu,io");
}

TEST(RuleFields, ThreadsAreNoneSomeOrAll) {
  EXPECT_EQ(ParseThreads("none")->mode, ThreadDetail::Mode::kNone);
  EXPECT_EQ(ParseThreads("all")->mode, ThreadDetail::Mode::kAll);
  EXPECT_EQ(*ParseThreads("top:10000"), (ThreadDetail{.mode = ThreadDetail::Mode::kTop, .top = 10'000}));
  for (const char* bad : {"", "some", "top", "top:", "top:0", "top:10001", "top:-1", "top:3x", "top:99999999999"}) {
    EXPECT_THAT(Refused(ParseThreads(bad)), HasSubstr("'none', 'all' or 'top:N'")) << bad;
  }
}

TEST(RuleFields, HoldIsBounded) {
  EXPECT_EQ(*ParseHold("0"), 0u);
  EXPECT_EQ(*ParseHold("0s"), 0u);
  EXPECT_EQ(*ParseHold("7d"), kMaxHoldNs);
  for (const char* bad : {"", "soon", "7d1s", "-1s", "5"}) {
    EXPECT_THAT(Refused(ParseHold(bad)), HasSubstr("a duration from 0 to 7d")) << bad;
  }
}

TEST(RuleFields, WhatIsWrittenReadsBackAsTheSame) {
  for (const uint64_t hold : {0ull, 1ull, 1'500ull, 250'000'000ull, 90'000'000'000ull, 3'600'000'000'000ull}) {
    EXPECT_EQ(*ParseHold(HoldText(hold)), hold);
  }
  EXPECT_EQ(HoldText(90'000'000'000), "90s");
  EXPECT_EQ(HoldText(60'000'000'000), "1m");
  for (uint64_t bits = 2; bits < 1u << (v1::Group_MAX + 1); bits += 2 * 7) {
    EXPECT_EQ(*ParseGroups(GroupsText(MetricGroups(bits))), MetricGroups(bits));
  }
  for (const ThreadDetail& threads : {ThreadDetail{.mode = ThreadDetail::Mode::kNone}, ThreadDetail{},
                                      ThreadDetail{.mode = ThreadDetail::Mode::kTop, .top = 7}}) {
    EXPECT_EQ(*ParseThreads(ThreadsText(threads)), threads);
  }
  for (const Action action : {Action::kTrack, Action::kDrop}) EXPECT_EQ(*ParseAction(ActionText(action)), action);
}

TEST(RuleFields, LongNonsenseIsQuotedInPart) {
  EXPECT_LT(Refused(ParseAction(std::string(100'000, 'x'))).size(), 200u);
}

}  // namespace
}  // namespace taskmon::rules

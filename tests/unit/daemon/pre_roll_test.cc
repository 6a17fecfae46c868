// SPDX-License-Identifier: Apache-2.0
#include "daemon/pre_roll.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace taskmon::daemon {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr uint64_t kSecond = 1'000'000'000;

std::shared_ptr<const TaskSample> Row(int32_t tgid, int32_t tid, uint64_t tick_seq) {
  auto info = std::make_shared<TaskInfo>();
  info->key = {.start_ns = 1, .tid = tid, .thread = true};
  info->tgid = tgid;
  info->process_start_ns = 7;
  auto sample = std::make_shared<TaskSample>();
  sample->info = info;
  sample->tick_seq = tick_seq;
  return sample;
}

Tick At(uint64_t seq) { return {.seq = seq, .boot_ns = seq * kSecond}; }

// "seq: tid(tick of its news) …" for each tick.
std::vector<std::string> Said(const std::vector<storage::PastTick>& past) {
  std::vector<std::string> lines;
  for (const storage::PastTick& tick : past) {
    std::string line = std::to_string(tick.seq) + ":";
    for (const auto& row : tick.tasks) {
      line += " " + std::to_string(row->info->key.tid) + "(" + std::to_string(row->tick_seq) + ")";
    }
    lines.push_back(line);
  }
  return lines;
}

TEST(PreRollTest, PastOfAProcessIsWhatItsThreadsDidIdleTicksIncluded) {
  PreRoll pre_roll({});
  const auto leader = Row(10, 10, 1);
  pre_roll.Add(At(1), {leader, Row(20, 21, 1)});
  pre_roll.Add(At(2), {leader, Row(10, 11, 2), Row(20, 21, 2)});
  pre_roll.Add(At(3), {Row(10, 10, 3)});
  EXPECT_THAT(Said(pre_roll.Take({{10, 7}})), ElementsAre("1: 10(1)", "2: 10(1) 11(2)", "3: 10(3)"));
  EXPECT_EQ(pre_roll.stats().rows_taken, 4u);
}

TEST(PreRollTest, SameNumberOfAnotherStartIsAnotherProcess) {
  PreRoll pre_roll({});
  pre_roll.Add(At(1), {Row(10, 10, 1)});
  EXPECT_THAT(pre_roll.Take({{10, 8}}), IsEmpty());
  EXPECT_THAT(pre_roll.Take({{11, 7}}), IsEmpty());
  EXPECT_THAT(pre_roll.Take({}), IsEmpty());
}

TEST(PreRollTest, SeveralProcessesShareTheirTicks) {
  PreRoll pre_roll({});
  pre_roll.Add(At(1), {Row(10, 10, 1), Row(20, 20, 1)});
  pre_roll.Add(At(2), {Row(20, 20, 2)});
  EXPECT_THAT(Said(pre_roll.Take({{20, 7}, {10, 7}})), ElementsAre("1: 10(1) 20(1)", "2: 20(2)"));
  EXPECT_EQ(pre_roll.stats().promotions, 2u);
}

TEST(PreRollTest, OldTicksGoAndAreNoLoss) {
  PreRoll pre_roll({.max_age_ns = 2 * kSecond});
  for (uint64_t seq = 1; seq <= 5; ++seq) pre_roll.Add(At(seq), {Row(10, 10, seq)});
  EXPECT_THAT(Said(pre_roll.Take({{10, 7}})), ElementsAre("3: 10(3)", "4: 10(4)", "5: 10(5)"));
  EXPECT_EQ(pre_roll.stats().rows_given_up, 0u);
}

TEST(PreRollTest, BytesAreCappedAndWhatGoesEarlyIsCounted) {
  PreRoll pre_roll({.max_bytes = 3 * (sizeof(TaskSample) + 64)});
  for (uint64_t seq = 1; seq <= 5; ++seq) pre_roll.Add(At(seq), {Row(10, 10, seq)});
  EXPECT_LE(pre_roll.stats().bytes, 3 * (sizeof(TaskSample) + 64));
  EXPECT_THAT(pre_roll.Take({{10, 7}}), SizeIs(3));
  EXPECT_EQ(pre_roll.stats().rows_given_up, 2u);
}

TEST(PreRollTest, WithoutRoomNothingIsKept) {
  PreRoll pre_roll({.max_bytes = 0});
  pre_roll.Add(At(1), {Row(10, 10, 1)});
  EXPECT_THAT(pre_roll.Take({{10, 7}}), IsEmpty());
}

}  // namespace
}  // namespace taskmon::daemon

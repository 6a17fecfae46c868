// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/smaps_budget.h"
#include "daemon/smaps_reader.h"
#include "daemon/smaps_wanted.h"
#include "taskmon/v1/metric.pb.h"

namespace taskmon::daemon {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kGiB = 1ull << 30;

std::vector<int32_t> Tgids(const std::vector<SmapsTarget>& targets) {
  std::vector<int32_t> tgids;
  for (const SmapsTarget& target : targets) tgids.push_back(target.tgid);
  return tgids;
}

SmapsTarget Target(int32_t tgid, uint64_t rss_bytes, bool wanted = false) {
  return {.tgid = tgid, .start_ns = 1, .rss_bytes = rss_bytes, .wanted = wanted};
}

TEST(SmapsBudget, WantedTasksComeFirstThenTheLargest) {
  SmapsBudget budget({});
  EXPECT_THAT(Tgids(budget.Choose({Target(1, 1000), Target(2, 5000), Target(3, 10, true)}, kSecond)),
              ElementsAre(3, 2, 1));
}

TEST(SmapsBudget, OldestValueComesFirst) {
  SmapsBudget budget({.others_age_ns = kSecond});
  budget.Choose({Target(1, 1000), Target(2, 5000)}, kSecond);
  budget.OnRead(Target(2, 5000), 2 * kSecond, 1000, false);
  budget.OnRead(Target(1, 1000), 3 * kSecond, 1000, false);
  EXPECT_THAT(Tgids(budget.Choose({Target(1, 1000), Target(2, 5000)}, 9 * kSecond)), ElementsAre(2, 1));
}

TEST(SmapsBudget, YoungValuesAreNotReadAgain) {
  SmapsBudget budget({.wanted_age_ns = kSecond, .others_age_ns = 60 * kSecond});
  budget.OnRead(Target(1, 1000), 10 * kSecond, 1000, false);
  budget.OnRead(Target(2, 1000), 10 * kSecond, 1000, false);
  EXPECT_THAT(Tgids(budget.Choose({Target(1, 1000), Target(2, 1000, true)}, 12 * kSecond)), ElementsAre(2));
}

TEST(SmapsBudget, TargetThatWouldBeStalledTooLongIsLeftOutAndCounted) {
  SmapsBudget budget({.per_target_ns = 2'000'000, .per_second_ns = 50'000'000});
  EXPECT_THAT(budget.Choose({Target(1, kGiB, true)}, kSecond), IsEmpty());  // about 5 ms
  EXPECT_EQ(budget.stats().too_large, 1u);
  EXPECT_THAT(Tgids(budget.Choose({Target(1, kGiB / 4, true)}, kSecond)), ElementsAre(1));
  EXPECT_EQ(budget.stats().too_large, 0u);
}

TEST(SmapsBudget, CostPerByteIsLearntAndDearerIsBelievedAtOnce) {
  SmapsBudget budget({});
  budget.OnRead(Target(1, kGiB), kSecond, 40'000'000, false);
  EXPECT_NEAR(static_cast<double>(budget.ExpectedNs(kGiB)), 40e6, 0.1e6);
  budget.OnRead(Target(1, kGiB), kSecond, 20'000'000, false);
  EXPECT_GT(budget.ExpectedNs(kGiB), 30'000'000u);
}

TEST(SmapsBudget, SecondsBudgetIsNeverExceededByWhatIsPlanned) {
  SmapsBudget budget({.per_target_ns = 10'000'000, .per_second_ns = 5'000'000});
  std::vector<SmapsTarget> targets;
  for (int32_t tgid = 1; tgid <= 100; ++tgid) targets.push_back(Target(tgid, kGiB / 8, true));
  uint64_t spent = 0;
  for (uint64_t second = 1; second <= 10; ++second) {
    for (const SmapsTarget& target : budget.Choose(targets, second * kSecond)) {
      const uint64_t cost = budget.ExpectedNs(target.rss_bytes);
      budget.OnRead(target, second * kSecond, cost, false);
      spent += cost;
    }
    EXPECT_GT(budget.stats().no_room, 0u);
  }
  EXPECT_LE(spent, 10u * 5'000'000);
  EXPECT_GT(spent, 9u * 4'000'000);
}

TEST(SmapsBudget, ReadThatTookTooLongIsPaidBackByLaterSeconds) {
  SmapsBudget budget({.per_second_ns = 5'000'000});
  ASSERT_EQ(budget.Choose({Target(1, 1000, true)}, kSecond).size(), 1u);
  budget.OnRead(Target(1, 1000, true), kSecond, 20'000'000, false);
  EXPECT_THAT(budget.Choose({Target(2, 1000, true)}, 2 * kSecond), IsEmpty());
  EXPECT_EQ(budget.Choose({Target(2, 1000, true)}, 9 * kSecond).size(), 1u);
}

TEST(SmapsRollup, IsReadFieldByField) {
  const std::string text =
      "55e4-7fff ---p 00000000 00:00 0    [rollup]\nRss:  1000 kB\nPss:  600 kB\nPss_Dirty: 1 kB\nShared_Clean: 400 "
      "kB\n"
      "Shared_Dirty: 1 kB\nPrivate_Clean: 2 kB\nPrivate_Dirty: 3 kB\nReferenced: 4 kB\nAnonymous: 9 kB\nLazyFree: 5 "
      "kB\n"
      "Swap: 9 kB\nSwapPss: 6 kB\nLocked: 0 kB\n";
  const auto values = ParseSmapsRollup(text);
  ASSERT_TRUE(values.has_value());
  EXPECT_EQ(values->pss, 600u * 1024);
  EXPECT_EQ(values->shared_clean, 400u * 1024);
  EXPECT_EQ(values->shared_dirty, 1u * 1024);
  EXPECT_EQ(values->private_clean, 2u * 1024);
  EXPECT_EQ(values->private_dirty, 3u * 1024);
  EXPECT_EQ(values->referenced, 4u * 1024);
  EXPECT_EQ(values->lazyfree, 5u * 1024);
  EXPECT_EQ(values->swap_pss, 6u * 1024);
}

TEST(SmapsRollup, MissingFieldIsNoValueAtAll) {
  EXPECT_FALSE(ParseSmapsRollup("").has_value());
  EXPECT_FALSE(ParseSmapsRollup("Pss:  600 kB\n").has_value());
}

v1::TaskBatch AnswerAbout(int32_t tgid, bool redacted) {
  v1::TaskBatch batch;
  v1::TaskInfo* task = batch.add_tasks();
  task->set_tid(tgid);
  task->set_tgid(tgid);
  task->set_start_ns(1);
  v1::Sample* sample = batch.add_samples();
  if (redacted) sample->add_redacted(v1::TASK_PSS_SIZE);
  return batch;
}

TEST(SmapsWanted, TasksAreWantedWhenTheirSmapsMetricsAreAskedForByName) {
  SmapsWanted wanted;
  v1::Selection selection;
  wanted.MarkAnswer(selection, AnswerAbout(7, false), kSecond);
  EXPECT_THAT(wanted.Now(kSecond), testing::IsEmpty());
  selection.add_metrics(v1::TASK_PSS_SIZE);
  wanted.MarkAnswer(selection, AnswerAbout(7, false), kSecond);
  EXPECT_THAT(wanted.Now(kSecond), testing::ElementsAre(testing::Pair(7, 1)));
  EXPECT_THAT(wanted.Now(kSecond + SmapsWanted::kRememberNs), testing::IsEmpty());
}

TEST(SmapsWanted, NobodyHasAnotherUsersTaskStalled) {
  SmapsWanted wanted;
  v1::Selection selection;
  selection.add_metrics(v1::TASK_PSS_SIZE);
  wanted.MarkAnswer(selection, AnswerAbout(7, true), kSecond);
  EXPECT_THAT(wanted.Now(kSecond), testing::IsEmpty());
}

}  // namespace
}  // namespace taskmon::daemon

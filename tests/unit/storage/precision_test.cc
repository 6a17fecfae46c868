// SPDX-License-Identifier: Apache-2.0
#include "storage/precision.h"

#include <random>

#include <gtest/gtest.h>

#include "tests/unit/storage/fake_world.h"

namespace taskmon::storage {
namespace {

TEST(Precision, RoundsToTheNearestMultiple) {
  const Precision precision({{.id = 1, .kind = ColumnKind::kCounter, .stored = true, .quantum = 10}});
  for (auto [value, want] :
       {std::pair<int64_t, int64_t>{0, 0}, {4, 0}, {5, 10}, {14, 10}, {-4, 0}, {-5, -10}, {-16, -20}}) {
    EXPECT_EQ(precision.Round(1, value), want) << value;
  }
  EXPECT_EQ(precision.Round(2, 123), 123);
}

TEST(Precision, RoundsInstantsUpSoThatNoWaitIsShownLongerThanItWas) {
  const Precision precision({{.id = 1, .kind = ColumnKind::kGauge, .stored = true, .quantum = 10, .rounds_up = true}});
  for (auto [value, want] : {std::pair<int64_t, int64_t>{0, 0}, {1, 10}, {10, 10}, {11, 20}, {-4, 0}}) {
    EXPECT_EQ(precision.Round(1, value), want) << value;
  }
}

TEST(Precision, KeepsTheLeadingDigitsOfLargeValues) {
  const Precision precision({{.id = 1, .kind = ColumnKind::kWindowMax, .stored = true, .quantum = 100, .digits = 5}});
  std::mt19937_64 random(1);
  for (int i = 0; i < 100000; ++i) {
    const auto value = static_cast<int64_t>(random() >> (1 + random() % 62));
    const int64_t kept = precision.Round(1, value);
    EXPECT_EQ(precision.Round(1, kept), kept);
    EXPECT_LE(std::abs(kept - value), std::max<int64_t>(50, value / 32)) << value;
  }
}

TEST(Precision, DropsTheCircumstancesOfSmallMaximaUnlessTheyTell) {
  const Precision precision(
      {{.id = 1, .kind = ColumnKind::kWindowMax, .stored = true},
       {.id = 2, .kind = ColumnKind::kGauge, .stored = true, .witness_of = 1, .witness_from = 100, .witness_with = 3},
       {.id = 3, .kind = ColumnKind::kGauge, .stored = true, .witness_of = 1, .witness_from = 100, .witness_with = 3}});
  TaskSample sample;
  sample.valid.set(1).set(2).set(3);
  for (auto [maximum, by, kept] : {std::tuple(99, 0, false), {100, 0, true}, {99, 7, true}}) {
    sample.values.Set(1, maximum);
    sample.values.Set(3, by);
    EXPECT_EQ(precision.Kept(sample).test(2), kept);
    EXPECT_EQ(precision.Kept(sample).test(3), kept);
    EXPECT_TRUE(precision.Kept(sample).test(1));
  }
}

// A machine whose counters have the noise of a nanosecond clock, kept in microseconds.
class Noise : public ::testing::Test {
 protected:
  Noise() {
    options_.columns = TestColumns();
    for (ColumnSpec& column : options_.columns) {
      if (column.id == 3) column.quantum = 1000;
      if (column.id == 2) column.quantum = 1000, column.digits = 5;
      if (column.id == 1) column.witness_of = 2, column.witness_from = 50000;
    }
  }
  TempDir dir_;
  RingOptions options_ = TestOptions(dir_.Path("h.db"));
};

TEST_F(Noise, TotalsAndSumsNeverDriftHoweverManyTicksTheyAreRoundedIn) {
  auto writer = OpenWriter(options_);
  FakeWorld world({.seed = 97, .tasks = 20, .activity = 1, .churn = 0.01, .oddity = 0});
  std::vector<Snapshot> exact;
  for (int tick = 0; tick < 300; ++tick) {
    exact.push_back(world.Next());
    std::vector<Event> events = world.TakeEvents();
    ASSERT_TRUE(writer->Append(exact.back(), &events).ok());
  }
  std::map<int32_t, std::pair<int64_t, int64_t>> sums;  // exact, kept
  size_t next = 0;
  for (const Snapshot& got : ReadAll(options_.path)) {
    const Snapshot& want = exact[next++];
    ASSERT_EQ(got.tasks.size(), want.tasks.size());
    for (size_t i = 0; i < got.tasks.size(); ++i) {
      const TaskSample &a = *want.tasks[i], &b = *got.tasks[i];
      EXPECT_LE(std::abs(a.values[3] - b.values[3]), 500);
      EXPECT_EQ(b.values[3] % 1000, 0);
      auto& [sum, kept] = sums[a.info->key.tid];
      sum += a.deltas[3];
      kept += b.deltas[3];
      EXPECT_LE(std::abs(sum - kept), 1000) << "tick " << next;
      EXPECT_LE(std::abs(a.values[2] - b.values[2]), std::max<int64_t>(500, a.values[2] / 32));
      EXPECT_EQ(b.valid[1], a.valid[1] && a.values[2] >= 50000);
    }
    if (HasFailure()) return;
  }
}

TEST_F(Noise, TheEndOfATaskIsKeptExactly) {
  auto writer = OpenWriter(options_);
  FakeWorld world({.seed = 98, .tasks = 20, .churn = 0.2});
  Recorded recorded;
  Record(writer.get(), &world, 30, &recorded);
  size_t next = 0;
  ASSERT_TRUE(OpenReader(options_.path)
                  ->ScanEvents(INT64_MIN, INT64_MAX, {},
                               [&](const Event& got) {
                                 ExpectSameEvent(recorded.events[next++], got);
                                 return true;
                               })
                  .ok());
  EXPECT_EQ(next, recorded.events.size());
}

}  // namespace
}  // namespace taskmon::storage

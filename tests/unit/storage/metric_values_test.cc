// SPDX-License-Identifier: Apache-2.0
#include "storage/metric_values.h"

#include <array>
#include <random>

#include <gtest/gtest.h>

#include "storage/shared_text.h"

namespace taskmon {
namespace {

TEST(MetricValues, WhatWasNeverSetIsZeroAndTakesNoRoom) {
  MetricValues values;
  values.Set(7, 0);
  EXPECT_EQ(values[7], 0);
  EXPECT_TRUE(values.empty());
  EXPECT_EQ(values.heap_bytes(), 0u);
}

TEST(MetricValues, AgreesWithAnArrayWhateverIsDone) {
  std::mt19937 random(1);
  MetricValues values;
  std::array<int64_t, kMetricSlots> want{};
  for (int step = 0; step < 20'000; ++step) {
    const size_t metric = random() % kMetricSlots;
    const auto number = static_cast<int64_t>(random() % 3) - 1;
    if (step % 1000 == 0) {
      values.Clear();
      want.fill(0);
    } else if (step % 2 == 0) {
      values.Add(metric, number);
      want[metric] += number;
    } else {
      values.Set(metric, number);
      want[metric] = number;
    }
    ASSERT_EQ(values[metric], want[metric]);
  }
  std::array<int64_t, kMetricSlots> visited{};
  values.ForEach([&](size_t metric, int64_t value) { visited[metric] = value; });
  EXPECT_EQ(visited, want);
}

TEST(MetricValues, VisitsTwoTogether) {
  std::mt19937 random(2);
  for (int round = 0; round < 200; ++round) {
    MetricValues here, there;
    std::array<std::pair<int64_t, int64_t>, kMetricSlots> want{}, visited{};
    for (int step = 0; step < 60; ++step) {
      const size_t metric = random() % kMetricSlots;
      const auto number = static_cast<int64_t>(random() % 4);
      (step % 2 == 0 ? here : there).Set(metric, number);
      (step % 2 == 0 ? want[metric].first : want[metric].second) = number;
    }
    int last = -1;
    here.ForEachWith(there, [&](size_t metric, int64_t a, int64_t b) {
      EXPECT_GT(static_cast<int>(metric), last);
      EXPECT_TRUE(a != 0 || b != 0);
      last = static_cast<int>(metric);
      visited[metric] = {a, b};
    });
    ASSERT_EQ(visited, want);
  }
}

TEST(MetricValues, NumbersThatBecameZeroMakeNoDifference) {
  MetricValues a, b;
  a.Set(1, 5);
  a.Set(79, 3);
  b = a;
  a.Set(64, 1);
  EXPECT_NE(a, b);
  a.Set(64, 0);
  EXPECT_EQ(a, b);
  EXPECT_EQ(a.count(), 2u);
}

TEST(MetricValues, SumsWrapAround) {
  MetricValues values;
  values.Set(2, INT64_MAX);
  values.Add(2, 1);
  EXPECT_EQ(values[2], INT64_MIN);
}

TEST(SharedText, CopiesAreOneAndTextsCompareByWhatTheySay) {
  const SharedText text("/usr/sbin/taskmond --config /etc/taskmon/taskmond.toml");
  const SharedText copy = text;
  EXPECT_EQ(&copy.str(), &text.str());
  EXPECT_EQ(text, SharedText(text.str()));
  EXPECT_EQ(text, text.str());
  EXPECT_NE(text, "something else");
  EXPECT_TRUE(SharedText("").empty());
  EXPECT_EQ(SharedText(), "");
}

}  // namespace
}  // namespace taskmon

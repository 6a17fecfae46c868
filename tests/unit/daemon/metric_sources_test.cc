// SPDX-License-Identifier: Apache-2.0
#include "daemon/metric_sources.h"

#include <gtest/gtest.h>

#include "proto/catalogue.h"

namespace taskmon::daemon {
namespace {

TEST(CpuSplit, SplitsTheExactRunTimeByTheSampledRatio) {
  CpuSplit split;
  split.Update(1000, 3, 1);
  EXPECT_EQ(split.utime_ns(), 750u);
  EXPECT_EQ(split.stime_ns(), 250u);
}

TEST(CpuSplit, WithoutSamplesAllIsUserTime) {
  CpuSplit split;
  split.Update(1000, 0, 0);
  EXPECT_EQ(split.utime_ns(), 1000u);
  EXPECT_EQ(split.stime_ns(), 0u);
}

TEST(CpuSplit, WithSystemSamplesOnlyAllIsSystemTime) {
  CpuSplit split;
  split.Update(1000, 0, 4);
  EXPECT_EQ(split.stime_ns(), 1000u);
}

TEST(CpuSplit, NeitherPartEverFalls) {
  CpuSplit split;
  split.Update(1000, 1, 1);
  split.Update(1100, 9, 1);  // by the ratio stime would be 110
  EXPECT_EQ(split.utime_ns(), 600u);
  EXPECT_EQ(split.stime_ns(), 500u);
  split.Update(1200, 1, 99);
  EXPECT_EQ(split.utime_ns(), 600u);
  EXPECT_EQ(split.stime_ns(), 600u);
}

TEST(CpuSplit, HoldsForAgesOfCpuTime) {
  CpuSplit split;
  const uint64_t century = 100ull * 365 * 86400 * 1'000'000'000;
  split.Update(century, century / 2, century / 2);
  EXPECT_EQ(split.utime_ns(), century / 2);
}

// The metrics that come from elsewhere than a plain counter, gauge or maximum of a record.
TEST(MetricSources, EveryMetricButTheSmapsGroupAndDerivedOnesIsFilledFromARecord) {
  SampleDraft sample;
  const uint64_t gauges[TM_P_MAX] = {};
  const std::array<tm_max, TM_M_MAX> maxima = {};
  FillCounters(Counters{}, CpuSplit(), ~0u, HookGroups().set(), &sample);
  FillProcessGauges(gauges, ~0u, false, &sample);
  FillMaxima(maxima, HookGroups().set(), &sample);
  for (const MetricDesc& metric : AllMetrics()) {
    const bool by_builder = metric.aggregation == v1::LEADER || metric.aggregation == v1::STATE ||
                            metric.aggregation == v1::MAX || metric.aggregation == v1::OLDEST;
    const bool elsewhere = metric.group == v1::SMAPS || metric.aggregation == v1::DERIVED || by_builder ||
                           metric.witness_of != v1::METRIC_UNSPECIFIED;
    EXPECT_EQ(sample.is_valid(metric.id), !elsewhere) << metric.name;
  }
}

TEST(MetricSources, TasksWithoutAddressSpaceHaveNoMemoryOthersAreUnavailable) {
  const uint64_t gauges[TM_P_MAX] = {};
  SampleDraft kernel_thread;
  FillProcessGauges(gauges, 0, true, &kernel_thread);
  EXPECT_TRUE(kernel_thread.is_valid(v1::TASK_PM_SIZE));
  EXPECT_EQ(kernel_thread.value(v1::TASK_PM_SIZE), 0);
  SampleDraft unread;
  FillProcessGauges(gauges, 0, false, &unread);
  EXPECT_FALSE(unread.is_valid(v1::TASK_PM_SIZE));
}

}  // namespace
}  // namespace taskmon::daemon

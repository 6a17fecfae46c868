// SPDX-License-Identifier: Apache-2.0
#include "client/export/exposition.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/export/metric_family.h"

namespace taskmon::client {
namespace {

using Type = MetricFamily::Type;

TEST(Exposition, WritesCountersAsEachDialectWantsThem) {
  const auto page = [](Dialect dialect) {
    Exposition exposition(dialect);
    exposition.Begin({.name = "taskmon_x_seconds", .type = Type::kCounter, .unit = "seconds", .help = "Says \"x\"."});
    exposition.Add({{"app", "a\"b\\c"}}, 1.5);
    return exposition.Finish();
  };
  EXPECT_EQ(page(Dialect::kOpenMetrics),
            "# HELP taskmon_x_seconds Says \\\"x\\\".\n# TYPE taskmon_x_seconds counter\n"
            "# UNIT taskmon_x_seconds seconds\ntaskmon_x_seconds_total{app=\"a\\\"b\\\\c\"} 1.5\n# EOF\n");
  EXPECT_EQ(page(Dialect::kPrometheus),
            "# HELP taskmon_x_seconds_total Says \"x\".\n# TYPE taskmon_x_seconds_total counter\n"
            "taskmon_x_seconds_total{app=\"a\\\"b\\\\c\"} 1.5\n");
}

TEST(Exposition, AFamilyWithoutValuesLeavesNothing) {
  Exposition exposition(Dialect::kOpenMetrics);
  exposition.Begin({.name = "taskmon_x", .help = "x"});
  EXPECT_EQ(exposition.Finish(), "# EOF\n");
}

TEST(Exposition, LabelsCannotBreakOutOfTheirLine) {
  Exposition exposition(Dialect::kPrometheus);
  exposition.Begin({.name = "taskmon_x", .help = "x"});
  exposition.Add({{"app", "a\nevil_metric 1\x1b[2J"}}, 1);
  const std::string text = exposition.Finish();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(Exposition, LargeCountersKeepEveryDigit) {
  Exposition exposition(Dialect::kPrometheus);
  exposition.Single({.name = "taskmon_x", .help = "x"}, 9007199254740991.0);
  EXPECT_THAT(exposition.Finish(), testing::HasSubstr("taskmon_x 9007199254740991\n"));
}

TEST(MetricFamily, NamesFollowOpenMetrics) {
  const auto name = [](v1::Metric metric) { return FamilyOf(Describe(metric)).name; };
  EXPECT_EQ(name(v1::TASK_UTIME_JIFFIES), "taskmon_task_utime_seconds");
  EXPECT_EQ(name(v1::TASK_RUNTIME_NS), "taskmon_task_runtime_seconds");
  EXPECT_EQ(name(v1::TASK_VM_SIZE), "taskmon_task_vm_size_bytes");
  EXPECT_EQ(name(v1::TASK_RCHAR_BYTES), "taskmon_task_rchar_bytes");
  EXPECT_EQ(name(v1::TASK_FORK_COUNT), "taskmon_task_fork");
  EXPECT_EQ(name(v1::TASK_FD_COUNT), "taskmon_task_fds");
  EXPECT_EQ(name(v1::TASK_IO_WAIT_TIME_MAX), "taskmon_task_io_wait_time_max_seconds");
  EXPECT_DOUBLE_EQ(ExportedValue(Describe(v1::TASK_UTIME_JIFFIES), 2'000'000'000), 2);
}

TEST(MetricFamily, NamesDifferEndInTheirUnitAndInNothingReserved) {
  std::set<std::string> names;
  for (const MetricDesc& metric : AllMetrics()) {
    if (!IsExported(metric)) continue;
    const MetricFamily family = FamilyOf(metric);
    EXPECT_TRUE(names.insert(family.name).second) << family.name;
    EXPECT_TRUE(family.unit.empty() || family.name.ends_with("_" + family.unit)) << family.name;
    for (const char* reserved : {"_total", "_count", "_created", "_sum", "_bucket", "_info"}) {
      EXPECT_FALSE(family.name.ends_with(reserved)) << family.name;
    }
    EXPECT_FALSE(family.help.empty());
  }
  EXPECT_GT(names.size(), 40u);
}

}  // namespace
}  // namespace taskmon::client

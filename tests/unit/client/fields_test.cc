// SPDX-License-Identifier: Apache-2.0
#include "client/fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace taskmon::client {
namespace {

std::vector<std::string> Keys(const std::vector<Field>& fields) {
  std::vector<std::string> keys;
  for (const Field& field : fields) keys.emplace_back(FieldKey(field));
  return keys;
}

std::vector<std::string> Parsed(const std::string& text, RowKind kind = RowKind::kProcesses) {
  const absl::StatusOr<std::vector<Field>> fields = ParseFields(text, kind);
  EXPECT_TRUE(fields.ok()) << fields.status();
  return fields.ok() ? Keys(*fields) : std::vector<std::string>();
}

std::string Complaint(const std::string& text) {
  return std::string(ParseFields(text, RowKind::kProcesses).status().message());
}

TEST(ParseFields, TakesFullAndShortNames) {
  EXPECT_THAT(Parsed("tid,cpu,task_pm_size"), testing::ElementsAre("tid", "task_cpu_percent", "task_pm_size"));
  EXPECT_THAT(Parsed("rss, task_pm_size rss"), testing::ElementsAre("task_pm_size"));
}

TEST(ParseFields, ExpandsGroupsAndDefaults) {
  EXPECT_THAT(Parsed("@io"), testing::Contains("task_read_bytes"));
  EXPECT_THAT(Parsed("@page_cache"), testing::Contains("task_page_cache_count"));
  EXPECT_EQ(Parsed("default"), Keys(DefaultFields(RowKind::kProcesses, false)));
  EXPECT_THAT(Parsed("all"), testing::SizeIs(testing::Gt(AllMetrics().size() + 15)));
  EXPECT_THAT(Parsed("all"), testing::Not(testing::Contains("time")));
  EXPECT_THAT(Parsed("all", RowKind::kHistory), testing::Contains("time"));
}

TEST(ParseFields, SuggestsTheNearest) {
  EXPECT_EQ(Complaint("cmm"), "unknown field 'cmm'; did you mean 'comm'?");
  EXPECT_EQ(Complaint("task_pm_sise"), "unknown field 'task_pm_sise'; did you mean 'task_pm_size'?");
  EXPECT_THAT(Complaint("nosuchthing"), testing::HasSubstr("taskmonctl metrics"));
  EXPECT_EQ(Complaint("@memry"), "unknown field group '@memry'; did you mean 'memory'?");
  EXPECT_THAT(Complaint("@zzz"), testing::HasSubstr("@page_cache"));
  EXPECT_THAT(Complaint(" ,"), testing::HasSubstr("names no field"));
}

TEST(Fields, EveryContractKeyIsAnAttribute) {
  const std::vector<std::string> keys = Keys(AllFields(true));
  for (const char* key : {"time", "time_ns", "tid", "tgid", "ppid", "comm", "cmdline", "exe", "start_time", "start_ns",
                          "user", "uid", "state", "app", "cgroup", "unit", "container", "tracked", "rules"}) {
    EXPECT_THAT(keys, testing::Contains(key));
  }
  for (const MetricDesc& metric : AllMetrics()) EXPECT_THAT(keys, testing::Contains(metric.name));
}

TEST(MetricsFor, AsksForWhatIsShown) {
  EXPECT_THAT(MetricsFor(*ParseFields("tid,cpu,rss", RowKind::kProcesses)),
              testing::ElementsAre(v1::TASK_PM_SIZE, v1::TASK_CPU_PERCENT));
  EXPECT_THAT(MetricsFor(*ParseFields("state", RowKind::kProcesses)), testing::ElementsAre(v1::TASK_STATE));
}

TEST(MetricsFor, NeverMeansAllWhenNoMetricIsShown) {
  EXPECT_THAT(MetricsFor(*ParseFields("tid,comm", RowKind::kProcesses)), testing::SizeIs(1));
  EXPECT_THAT(MetricsFor(AllFields(false)), testing::IsEmpty());
}

}  // namespace
}  // namespace taskmon::client

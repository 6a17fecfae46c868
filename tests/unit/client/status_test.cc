// SPDX-License-Identifier: Apache-2.0
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_backend.h"
#include "json_reader.h"

namespace taskmon::client {
namespace {

FakeAnswers Healthy() {
  FakeAnswers answers;
  v1::Status& status = answers.status;
  status.set_version("0.1.0");
  status.set_uptime_s(7512.25);
  status.set_interval_ms(1000);
  status.set_tasks(1204);
  status.set_ticks(7512);
  status.set_db_bytes(1 << 20);
  status.set_db_cap_bytes(1 << 30);
  status.set_oldest_time_ns(kNow);
  status.set_newest_time_ns(kNow);
  (*status.mutable_dropped())["exit"] = 2;
  v1::HookStatus* hook = status.add_hooks();
  hook->set_name("sched_switch");
  hook->set_attached(true);
  hook->set_runs(123);
  hook->set_reason("always");
  return answers;
}

TEST(StatusJson, HasEveryKeyOfTheContract) {
  FakeAnswers answers = Healthy();
  const auto row = ReadJson(Invoke({"status", "-o", "json"}, &answers).out).struct_value();
  for (const char* key : {"version", "uptime_s", "interval_ms", "tasks", "tracked", "ticks", "late_ticks", "dropped",
                          "db_bytes", "db_cap_bytes", "oldest_time", "cpu_percent", "serving_cpu_percent", "rss_bytes",
                          "hooks", "accounted_cpu_percent"}) {
    EXPECT_TRUE(row.fields().contains(key)) << key;
  }
  EXPECT_EQ(Number(row, "uptime_s"), 7512.25);
  EXPECT_EQ(Text(row, "oldest_time"), "2026-11-22T08:15:30.000000000Z");
  EXPECT_EQ(Number(row.fields().at("dropped").struct_value(), "exit"), 2);
  const auto hook = row.fields().at("hooks").list_value().values(0).struct_value();
  for (const char* key : {"name", "attached", "runs", "ns_per_run", "reason"}) EXPECT_TRUE(hook.fields().contains(key));
}

TEST(StatusJson, IsNullWhereNothingIsKnown) {
  FakeAnswers answers;
  const auto row = ReadJson(Invoke({"status", "-o", "json"}, &answers).out).struct_value();
  for (const char* key : {"oldest_time", "newest_time", "accounted_cpu_percent", "storage_error"}) {
    EXPECT_TRUE(row.fields().at(key).has_null_value()) << key;
  }
}

TEST(StatusText, SaysWhatIsLostAndWhatIsWrong) {
  FakeAnswers answers = Healthy();
  answers.status.set_storage_error("disk full");
  const std::string out = Invoke({"status"}, &answers).out;
  EXPECT_THAT(out, testing::HasSubstr("up 2h05m, a tick every 1 s"));
  EXPECT_THAT(out, testing::HasSubstr("1,204"));
  EXPECT_THAT(out, testing::HasSubstr("7,512, 0 late; the last"));
  answers.status.set_early_ticks(3);
  EXPECT_THAT(Invoke({"status"}, &answers).out, testing::HasSubstr("7,512, 0 late, 3 early; the last"));
  EXPECT_THAT(out, testing::HasSubstr("2 exit"));
  EXPECT_THAT(out, testing::HasSubstr("disk full"));
  EXPECT_THAT(out, testing::HasSubstr("1 of 1 attached"));
}

TEST(StatusText, TheIntervalIsTheOneInForce) {
  FakeAnswers answers = Healthy();
  answers.status.mutable_budget()->set_interval_ms(4000);
  EXPECT_THAT(Invoke({"status"}, &answers).out, testing::HasSubstr("a tick every 4 s (within its budget: 1 s)\n"));
}

void ExpectWithin(size_t width, const std::string& out) {
  std::istringstream lines(out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), width) << line;
}

TEST(StatusText, FitsTheTerminal) {
  FakeAnswers answers = Healthy();
  answers.status.set_db_path("/a/rather/long/path/where/somebody/keeps/it/history.db");
  v1::HookStatus* hook = answers.status.mutable_hooks(0);
  hook->set_group("page_cache");
  hook->set_reason("wanted by rule applications and 4 more");
  EXPECT_THAT(Invoke({"status"}, &answers).out, testing::HasSubstr("wanted by rule applications and 4 more"));
  ExpectWithin(80, Invoke({"status"}, &answers, {.width = 80}).out);
  hook->set_name("mm_filemap_add_to_page_cache");
  const std::string narrow = Invoke({"status"}, &answers, {.width = 80}).out;
  EXPECT_THAT(narrow, testing::ContainsRegex("wanted by rule\n +applications and 4\n +more\n"));
  EXPECT_THAT(narrow, testing::Not(testing::HasSubstr("GROUP")));
  ExpectWithin(80, narrow);
}

TEST(Doctor, FitsTheTerminal) {
  FakeAnswers answers;
  v1::Check* check = answers.doctor.add_checks();
  check->set_name("BTF of the kernel");
  check->set_reason("there is none, and so no program can find the fields of the kernel's structures that it reads");
  check->set_remedy("boot a kernel that has CONFIG_DEBUG_INFO_BTF, as those of all larger distributions do since 2021");
  for (const v1::Metric metric : {v1::TASK_PM_SIZE, v1::TASK_FD_COUNT, v1::TASK_RUNTIME_NS}) {
    v1::MetricHealth* health = answers.doctor.add_metrics();
    health->set_metric(metric);
    health->set_health(v1::UNAVAILABLE);
    health->set_reason("the hook group is not attached, because nobody wants it, so that nothing is counted by it");
  }
  ExpectWithin(80, Invoke({"doctor"}, &answers, {.width = 80}).out);
}

TEST(StatusText, SaysWhatIsShed) {
  FakeAnswers answers = Healthy();
  v1::BudgetStatus* budget = answers.status.mutable_budget();
  budget->set_cpu_percent(14);
  EXPECT_THAT(Invoke({"status"}, &answers).out, testing::HasSubstr("budget     kept; nothing is shed"));
  budget->add_shed("smaps");
  budget->add_shed("thread rows");
  budget->set_since_time_ns(kNow);
  EXPECT_THAT(Invoke({"status"}, &answers).out, testing::HasSubstr("left out: smaps, thread rows"));
  const auto row = ReadJson(Invoke({"status", "-o", "json"}, &answers).out).struct_value();
  const auto json = row.fields().at("budget").struct_value();
  EXPECT_EQ(json.fields().at("shed").list_value().values(1).string_value(), "thread rows");
  EXPECT_TRUE(json.fields().at("bpf_percent").has_null_value()) << "not measured";
  EXPECT_EQ(Text(json, "since_time"), "2026-11-22T08:15:30.000000000Z");
}

TEST(StatusText, TellsHowReadingSmapsGoes) {
  FakeAnswers answers = Healthy();
  EXPECT_THAT(Invoke({"status"}, &answers).out, testing::HasSubstr("smaps      0 reads\n"));
  v1::SmapsStatus* smaps = answers.status.mutable_smaps();
  smaps->set_reads(1234);
  smaps->set_stall_max_ns(4'200'000);
  smaps->set_per_target_ns(10'000'000);
  smaps->set_per_second_ns(5'000'000);
  smaps->set_ns_per_gib(4'900'000);
  smaps->set_too_large(2);
  smaps->set_no_room(3);
  EXPECT_THAT(Invoke({"status"}, &answers).out,
              testing::HasSubstr("smaps      1,234 reads, the longest 4.2ms of 10.0ms allowed, 4.9ms per GiB; "
                                 "left out: 2 too large; waiting for room: 3\n"));
  const auto row = ReadJson(Invoke({"status", "-o", "json"}, &answers).out).struct_value();
  const auto read = row.fields().at("smaps").struct_value();
  EXPECT_EQ(Number(read, "reads"), 1234);
  EXPECT_EQ(Number(read, "stall_max_ns"), 4'200'000);
  EXPECT_EQ(Number(read, "too_large"), 2);
  EXPECT_EQ(Number(read, "no_room"), 3);
  EXPECT_EQ(Number(read, "ns_per_gib"), 4'900'000);
  EXPECT_EQ(Number(read, "per_target_ns"), 10'000'000);
  EXPECT_EQ(Number(read, "per_second_ns"), 5'000'000);
}

TEST(Doctor, GroupsMetricsThatShareAFate) {
  FakeAnswers answers;
  v1::Check* check = answers.doctor.add_checks();
  check->set_name("kernel BTF");
  check->set_health(v1::UNAVAILABLE);
  check->set_reason("no /sys/kernel/btf/vmlinux");
  check->set_remedy("boot a kernel with CONFIG_DEBUG_INFO_BTF");
  for (const v1::Metric metric : {v1::TASK_PSS_SIZE, v1::TASK_REFERENCED_SIZE}) {
    v1::MetricHealth* health = answers.doctor.add_metrics();
    health->set_metric(metric);
    health->set_health(v1::UNAVAILABLE);
    health->set_reason("smaps is not read");
  }
  const std::string out = Invoke({"doctor"}, &answers).out;
  EXPECT_THAT(out, testing::HasSubstr("-> boot a kernel"));
  EXPECT_THAT(out, testing::HasSubstr("0 of 2 metrics work"));
  EXPECT_THAT(out, testing::HasSubstr("pss refd"));
  const auto row = ReadJson(Invoke({"doctor", "-o", "json"}, &answers).out).struct_value();
  EXPECT_EQ(row.fields().at("checks").list_value().values_size(), 1);
  EXPECT_EQ(row.fields().at("metrics").list_value().values_size(), 2);
}

TEST(Metrics, NeedsNoDaemon) {
  FakeAnswers answers;
  answers.result = absl::UnavailableError("nobody there");
  const Outcome result = Invoke({"metrics", "-o", "json"}, &answers);
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.err, "");
  const auto rows = ReadRows(result.out);
  ASSERT_EQ(rows.size(), AllMetrics().size());
  for (const char* key : {"name", "short", "unit", "kind", "group", "visibility", "help"}) {
    EXPECT_TRUE(rows[0].fields().contains(key)) << key;
  }
  EXPECT_FALSE(rows[0].fields().contains("availability"));
}

TEST(Metrics, TellsWhatIsAvailableHere) {
  FakeAnswers answers;
  v1::MetricHealth* health = answers.doctor.add_metrics();
  health->set_metric(v1::TASK_PSS_SIZE);
  health->set_health(v1::UNAVAILABLE);
  health->set_reason("smaps is not read");
  const std::string out = Invoke({"metrics", "pss"}, &answers).out;
  EXPECT_THAT(out, testing::HasSubstr("task_pss_size"));
  EXPECT_THAT(out, testing::HasSubstr("unavailable\n"));
  EXPECT_THAT(out, testing::HasSubstr("smaps is not read"));
  EXPECT_EQ(Invoke({"metrics", "psss"}, &answers).err, "taskmonctl: unknown metric 'psss'; did you mean 'pss'?\n");
}

TEST(Metrics, ThePageNamesEveryMetric) {
  FakeAnswers answers;
  const std::string page = Invoke({"metrics", "-o", "markdown"}, &answers).out;
  for (const MetricDesc& metric : AllMetrics()) EXPECT_THAT(page, testing::HasSubstr("| `" + metric.name + "` |"));
}

TEST(Version, IsNameAndNumber) {
  FakeAnswers answers;
  EXPECT_EQ(Invoke({"version"}, &answers).out, "taskmonctl " TASKMON_VERSION "\n");
}

}  // namespace
}  // namespace taskmon::client

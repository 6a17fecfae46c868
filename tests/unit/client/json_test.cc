// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_backend.h"
#include "json_reader.h"

namespace taskmon::client {
namespace {

FakeAnswers OneTask() {
  FakeAnswers answers;
  v1::TaskBatch batch = MakeBatch();
  v1::Sample* sample = AddTask(4711, "nginx", &batch);
  SetValue(v1::TASK_CPU_PERCENT, 12'345, batch, sample);
  SetValue(v1::TASK_UTIME_JIFFIES, 51'239'999'999, batch, sample);
  SetValue(v1::TASK_STATE, 'D', batch, sample);
  SetValue(v1::TASK_TCP_USED, 1, batch, sample);
  SetValue(v1::TASK_NICE, -5, batch, sample);
  answers.batches.push_back(batch);
  return answers;
}

TEST(PsJson, HasEveryKeyOfTheContract) {
  FakeAnswers answers = OneTask();
  const Outcome result = Invoke({"ps", "-o", "json"}, &answers);
  EXPECT_EQ(result.code, 0);
  const auto rows = ReadRows(result.out);
  ASSERT_EQ(rows.size(), 1u);
  for (const char* key : {"tid", "tgid", "ppid", "comm", "cmdline", "exe", "start_time", "start_ns", "user", "uid",
                          "state", "app", "cgroup", "unit", "container", "tracked", "rules"}) {
    EXPECT_TRUE(rows[0].fields().contains(key)) << key;
  }
  for (const MetricDesc& metric : AllMetrics()) EXPECT_TRUE(rows[0].fields().contains(metric.name)) << metric.name;
  for (const char* key : {"unavailable", "redacted", "ages", "time"})
    EXPECT_FALSE(rows[0].fields().contains(key)) << key;
}

TEST(PsJson, HasPlainNumbersInCatalogueUnits) {
  FakeAnswers answers = OneTask();
  const auto row = ReadRows(Invoke({"ps", "-o", "json"}, &answers).out).at(0);
  EXPECT_EQ(Number(row, "tid"), 4711);
  EXPECT_EQ(Number(row, "uid"), 33);
  EXPECT_EQ(Text(row, "user"), "www-data");
  EXPECT_EQ(Text(row, "state"), "D");
  EXPECT_EQ(Text(row, "task_state"), "D");
  EXPECT_EQ(Number(row, "task_cpu_percent"), 12.345);
  EXPECT_EQ(Number(row, "task_utime_jiffies"), 5123);
  EXPECT_EQ(Number(row, "task_tcp_used"), 1);
  EXPECT_EQ(Number(row, "task_nice"), -5);
  EXPECT_EQ(Number(row, "start_ns"), 5e9);
  EXPECT_EQ(Text(row, "start_time"), "2026-11-22T08:13:55.000000000Z");
  EXPECT_TRUE(row.fields().at("tracked").bool_value());
  EXPECT_THAT(Texts(row, "rules"), testing::ElementsAre("apps"));
}

TEST(PsJson, ListsWhatIsMissingInsteadOfInventingIt) {
  FakeAnswers answers = OneTask();
  v1::TaskBatch& batch = answers.batches[0];
  v1::Sample* sample = batch.mutable_samples(0);
  sample->add_unavailable(v1::TASK_SYSCALL_FAILS);
  sample->add_redacted(v1::TASK_FD_COUNT);
  batch.mutable_tasks(0)->set_cmdline_redacted(true);
  v1::Age* age = sample->add_ages();
  age->set_metric(v1::TASK_PSS_SIZE);
  age->set_age_ms(41'500);
  const auto row = ReadRows(Invoke({"ps", "-o", "json"}, &answers).out).at(0);
  EXPECT_THAT(Texts(row, "unavailable"), testing::ElementsAre("task_syscall_fails"));
  EXPECT_THAT(Texts(row, "redacted"), testing::UnorderedElementsAre("task_fd_count", "cmdline"));
  EXPECT_EQ(Number(row.fields().at("ages").struct_value(), "task_pss_size"), 41.5);
  for (const char* key : {"task_syscall_fails", "task_fd_count", "cmdline"})
    EXPECT_FALSE(row.fields().contains(key)) << key;
}

TEST(PsJson, NamedFieldsComeWithTheIdentity) {
  FakeAnswers answers = OneTask();
  const auto row = ReadRows(Invoke({"ps", "-o", "json", "-f", "cpu,state"}, &answers).out).at(0);
  std::vector<std::string> keys;
  for (const auto& [key, value] : row.fields()) keys.push_back(key);
  EXPECT_THAT(keys,
              testing::UnorderedElementsAre("tid", "tgid", "ppid", "comm", "start_ns", "task_cpu_percent", "state"));
  EXPECT_THAT(answers.list_request.selection().metrics(), testing::ElementsAre(v1::TASK_STATE, v1::TASK_CPU_PERCENT));
}

TEST(PsJson, AMetricThatTheDaemonDoesNotKnowIsUnavailable) {
  FakeAnswers answers;
  answers.batches.push_back(MakeBatch({v1::TASK_CPU_PERCENT}));
  AddTask(1, "init", &answers.batches[0]);
  const auto row = ReadRows(Invoke({"ps", "-o", "json", "-f", "cpu,rss"}, &answers).out).at(0);
  EXPECT_THAT(Texts(row, "unavailable"), testing::ElementsAre("task_pm_size"));
}

TEST(Json, IsAnEmptyArrayWhenNothingMatches) {
  FakeAnswers nothing;
  for (const char* command : {"ps", "history", "watch", "events"}) {
    const Outcome result = Invoke({command, "-o", "json"}, &nothing);
    EXPECT_EQ(result.out, "[]\n") << command;
    EXPECT_EQ(result.code, 1) << command;
    EXPECT_EQ(Invoke({command, "-o", "jsonl"}, &nothing).out, "") << command;
  }
}

TEST(Json, StaysValidWhenTheAnswerBreaksOff) {
  FakeAnswers answers = OneTask();
  answers.result = absl::UnavailableError("taskmond broke off");
  const Outcome result = Invoke({"ps", "-o", "json"}, &answers);
  EXPECT_EQ(result.code, 3);
  EXPECT_EQ(ReadRows(result.out).size(), 1u);
}

TEST(Json, PrintsNothingWhenTheRequestFailsAtOnce) {
  FakeAnswers answers;
  answers.result = absl::InvalidArgumentError("column 1: unknown field");
  for (const char* format : {"json", "csv", "table"})
    EXPECT_EQ(Invoke({"ps", "-o", format}, &answers).out, "") << format;
}

TEST(HistoryJson, RowsCarryTheTimeTwice) {
  FakeAnswers answers = OneTask();
  answers.batches.push_back(answers.batches[0]);
  const Outcome result = Invoke({"history", "-o", "json", "-f", "cpu"}, &answers);
  const auto rows = ReadRows(result.out);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(Text(rows[0], "time"), "2026-11-22T08:15:30.000000000Z");
  EXPECT_THAT(result.out, testing::HasSubstr("\"time_ns\":1795335330000000000"));
}

TEST(PsJson, CarriesTheTimeWhenItSpeaksOfThePast) {
  FakeAnswers answers = OneTask();
  EXPECT_EQ(Text(ReadRows(Invoke({"ps", "--at", "10m", "-o", "json"}, &answers).out).at(0), "time"),
            "2026-11-22T08:15:30.000000000Z");
}

TEST(Jsonl, IsOneObjectALine) {
  FakeAnswers answers = OneTask();
  AddTask(2, "a\nb\xff", &answers.batches[0]);
  const std::string out = Invoke({"watch", "-o", "jsonl", "-f", "cpu"}, &answers).out;
  ASSERT_EQ(std::count(out.begin(), out.end(), '\n'), 2);
  const std::string second = out.substr(out.find('\n') + 1);
  EXPECT_EQ(Text(ReadJson(second).struct_value(), "comm"), "a\nb\xef\xbf\xbd");
}

}  // namespace
}  // namespace taskmon::client

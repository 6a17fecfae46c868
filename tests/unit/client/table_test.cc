// SPDX-License-Identifier: Apache-2.0
#include "client/output/table.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/output/escape.h"
#include "fake_backend.h"

namespace taskmon::client {
namespace {

std::vector<std::string> Lines(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

FakeAnswers Machine() {
  FakeAnswers answers;
  v1::TaskBatch batch = MakeBatch();
  v1::Sample* sample = AddTask(4711, "java", &batch);
  batch.mutable_tasks(0)->set_cmdline("/usr/lib/jvm/bin/java -Xmx2g -jar /opt/kafka/libs/kafka.jar server.properties");
  SetValue(v1::TASK_CPU_PERCENT, 187'345, batch, sample);
  SetValue(v1::TASK_PM_SIZE, int64_t{3} << 30, batch, sample);
  SetValue(v1::TASK_STATE, 'R', batch, sample);
  SetValue(v1::TASK_SWITCH_OFFCPU_TIME_MAX, 3'400'000, batch, sample);
  v1::Sample* hostile = AddTask(1234567, "evil\x1b[31m", &batch);
  batch.mutable_tasks(1)->set_cmdline("./x \x1b]0;title\x07 \n second line");
  SetValue(v1::TASK_STATE, 'S', batch, hostile);
  answers.batches.push_back(batch);
  return answers;
}

TEST(Table, AlignsNumbersRightAndEndsLinesWithoutBlanks) {
  Captured out;
  Table table({{.header = "N", .align = Align::kRight}, {.header = "NAME"}, {.header = "X"}}, {}, out.output());
  table.Add({"7", "a", ""});
  table.Add({"1234", "bcd", "y"});
  table.Flush();
  EXPECT_EQ(out.Text(), "   N NAME X\n   7 a\n1234 bcd  y\n");
}

TEST(Table, CutsTheLastColumnFirst) {
  Captured out;
  Table table({{.header = "USER"}, {.header = "COMMAND"}}, {.width = 24}, out.output());
  table.Add({"someuser", "a command line that is long"});
  table.Flush();
  EXPECT_EQ(Lines(out.Text())[1], "someuser a command line…");
}

TEST(Table, KeepsItsWidthsWhileStreaming) {
  Captured out;
  Table table({{.header = "A", .min_width = 3}, {.header = "B"}}, {.width = 40}, out.output());
  table.Add({"x", "1"});
  table.Flush();
  table.Add({"y", "2"});
  table.Flush();
  EXPECT_EQ(out.Text(), "A   B\nx   1\ny   2\n");
}

TEST(PsTable, FitsEightyColumnsAndUsesMore) {
  for (const size_t width : {size_t{80}, size_t{160}}) {
    FakeAnswers answers = Machine();
    const Outcome result = Invoke({"ps"}, &answers, {.width = width});
    EXPECT_EQ(result.code, 0);
    for (const std::string& line : Lines(result.out)) EXPECT_LE(DisplayWidth(line), width) << line;
    EXPECT_EQ(result.out.find("server.properties") != std::string::npos, width == 160) << result.out;
  }
}

TEST(PsTable, ShowsUnitsForPeopleAndNumbersWithRaw) {
  FakeAnswers answers = Machine();
  const std::string human = Invoke({"ps", "-f", "tid,cpu,rss,offcpu_max"}, &answers).out;
  EXPECT_THAT(human, testing::HasSubstr("   4711  187 3.0G      3.4ms\n"));
  const std::string raw = Invoke({"ps", "--raw", "-f", "tid,cpu,rss,offcpu_max"}, &answers).out;
  EXPECT_THAT(raw, testing::HasSubstr("187.345 3221225472    3400000\n"));
}

TEST(PsTable, NeverLetsATaskNameReachTheTerminal) {
  for (const char* format : {"table", "wide", "csv"}) {
    FakeAnswers answers = Machine();
    const std::string out = Invoke({"ps", "-f", "comm,cmdline,command", "-o", format}, &answers, {.width = 80}).out;
    EXPECT_THAT(out, testing::Not(testing::HasSubstr("\x1b"))) << format;
    EXPECT_THAT(out, testing::Not(testing::HasSubstr("\x07"))) << format;
    EXPECT_THAT(out, testing::HasSubstr("\\x1b")) << format;
  }
}

TEST(PsTable, MarksWhatIsMissingAndExplainsItOnATerminal) {
  FakeAnswers answers = Machine();
  v1::Sample* sample = answers.batches[0].mutable_samples(0);
  sample->add_unavailable(v1::TASK_SYSCALL_FAILS);
  sample->add_redacted(v1::TASK_FD_COUNT);
  v1::Age* age = sample->add_ages();
  age->set_metric(v1::TASK_PSS_SIZE);
  age->set_age_ms(40'000);
  const std::vector<std::string> arguments = {"ps", "-f", "tid,sysfails,fds,pss"};
  const Outcome piped = Invoke(arguments, &answers);
  EXPECT_EQ(Lines(piped.out)[1], "   4711        -   *  ~0");
  EXPECT_EQ(piped.err, "");
  const Outcome seen = Invoke(arguments, &answers, {.is_terminal = true, .width = 80});
  EXPECT_THAT(seen.err, testing::HasSubstr("not available"));
  EXPECT_THAT(seen.err, testing::HasSubstr("group taskmon"));
}

TEST(PsTable, LeavesTheHeaderOut) {
  FakeAnswers answers = Machine();
  EXPECT_EQ(Invoke({"ps", "--no-headers", "-f", "tid"}, &answers).out, "   4711\n1234567\n");
}

TEST(PsTable, IsBoldOnlyWhereColorIsWelcome) {
  FakeAnswers answers = Machine();
  EXPECT_THAT(Invoke({"ps"}, &answers, {.is_terminal = true, .color = true, .width = 80}).out,
              testing::HasSubstr("\x1b[1m"));
  EXPECT_THAT(Invoke({"ps"}, &answers, {.is_terminal = true, .width = 80}).out,
              testing::Not(testing::HasSubstr("\x1b")));
}

TEST(PsTable, ShowsKernelThreadsAndHiddenCommandLinesByName) {
  FakeAnswers answers;
  v1::TaskBatch batch = MakeBatch();
  AddTask(2, "kthreadd", &batch);
  batch.mutable_tasks(0)->clear_cmdline();
  AddTask(3, "secret", &batch);
  batch.mutable_tasks(1)->clear_cmdline();
  batch.mutable_tasks(1)->set_cmdline_redacted(true);
  answers.batches.push_back(batch);
  EXPECT_EQ(Invoke({"ps", "--no-headers", "-f", "command,cmdline"}, &answers).out, "[kthreadd]\nsecret     *\n");
}

TEST(HistoryTable, BeginsWithTheTimeAndNamesTheZone) {
  setenv("TZ", "CET-1", 1);
  tzset();
  FakeAnswers answers = Machine();
  const std::vector<std::string> lines = Lines(Invoke({"history", "--tid", "4711", "-f", "cpu"}, &answers).out);
  EXPECT_EQ(lines[0], "         TIME (CET) CPU%");
  EXPECT_EQ(lines[1], "2026-11-22 09:15:30  187");
  EXPECT_EQ(Lines(Invoke({"history", "-f", "cpu"}, &answers).out)[0], "         TIME (CET)     TID COMM         CPU%");
}

}  // namespace
}  // namespace taskmon::client

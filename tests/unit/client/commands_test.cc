// SPDX-License-Identifier: Apache-2.0
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_backend.h"

namespace taskmon::client {
namespace {

FakeAnswers TwoTasks() {
  FakeAnswers answers;
  v1::TaskBatch batch = MakeBatch();
  AddTask(10, "idle", &batch);
  SetValue(v1::TASK_CPU_PERCENT, 50'000, batch, AddTask(20, "busy", &batch));
  answers.batches.push_back(batch);
  return answers;
}

std::string SortSent(const std::vector<std::string>& arguments) {
  FakeAnswers answers;
  Invoke(arguments, &answers);
  return answers.list_request.sort();
}

TEST(Ps, SortsAsAPersonExpects) {
  EXPECT_EQ(SortSent({"ps"}), "task_cpu_percent");
  EXPECT_EQ(SortSent({"ps", "--sort", "rss"}), "task_pm_size");
  EXPECT_EQ(SortSent({"ps", "--sort", "-rss"}), "-task_pm_size");
  EXPECT_EQ(SortSent({"ps", "--sort", "tid"}), "-tid");   // numbers of tasks from the smallest
  EXPECT_EQ(SortSent({"ps", "--sort", "comm"}), "comm");  // names from A
  EXPECT_EQ(SortSent({"ps", "--sort", "-comm"}), "-comm");
}

TEST(Ps, PassesOnWhatWasAsked) {
  FakeAnswers answers;
  Invoke({"ps", "-H", "comm == x", "--top", "5", "--at", "-10m"}, &answers);
  EXPECT_EQ(answers.list_request.selection().expression(), "comm == x");
  EXPECT_TRUE(answers.list_request.selection().threads());
  EXPECT_EQ(answers.list_request.top(), 5u);
  EXPECT_EQ(answers.list_request.at(), "-10m");
}

TEST(Ps, ReadsClockTimesInTheCallersZone) {
  setenv("TZ", "CET-1", 1);
  tzset();
  FakeAnswers answers;
  Invoke({"ps", "--at", "2026-11-22 08:00"}, &answers);
  EXPECT_EQ(answers.list_request.at(), "@1795330800.000000000");  // 07:00 UTC
  Invoke({"ps", "--at", "2026-11-22 08:00", "--file", "x"}, &answers);
  EXPECT_EQ(answers.list_request.at(), "2026-11-22 08:00");  // the engine is in this process
}

TEST(Ps, RefusesBadTimesAndFieldsWithoutAskingAnyone) {
  FakeAnswers answers;
  EXPECT_EQ(Invoke({"ps", "--at", "25:99"}, &answers).code, 2);
  EXPECT_EQ(Invoke({"ps", "--sort", "cpuu"}, &answers).code, 2);
  EXPECT_EQ(Invoke({"ps", "-f", "cpuu"}, &answers).err, "taskmonctl: unknown field 'cpuu'; did you mean 'cpu'?\n");
}

// Process 20 of 16 threads whose rows are not stored, beside thread 10.
FakeAnswers WholeProcess() {
  FakeAnswers answers = TwoTasks();
  v1::TaskBatch& batch = answers.batches[0];
  batch.mutable_tasks(0)->set_thread(true);
  SetValue(v1::TASK_THREAD_COUNT, 16, batch, batch.mutable_samples(0));
  SetValue(v1::TASK_THREAD_COUNT, 16, batch, batch.mutable_samples(1));
  return answers;
}

TEST(Threads, AProcessThatStandsForThemIsMarked) {
  FakeAnswers answers = WholeProcess();
  const Outcome result = Invoke({"ps", "-H", "-f", "tid,cpu", "--at", "1h"}, &answers);
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, "TID CPU%\n 10  0.0\nΣ20 50.0\n");
  EXPECT_EQ(result.err,
            "taskmonctl: 1 row is a whole process, of which the threads are not stored "
            "(Σ in tables, threads_not_stored in JSON)\n");
  EXPECT_THAT(answers.list_request.selection().metrics(), testing::Contains(v1::TASK_THREAD_COUNT));
  EXPECT_THAT(Invoke({"ps", "-f", "tid,cpu"}, &answers).out, testing::Not(testing::HasSubstr("Σ")));
}

TEST(Threads, AProcessThatStandsForThemIsMarkedInJson) {
  FakeAnswers answers = WholeProcess();
  const std::string out = Invoke({"history", "-H", "-f", "tid,cpu", "-o", "jsonl"}, &answers).out;
  EXPECT_THAT(out, testing::ContainsRegex("\"tid\":20,.*\"threads_not_stored\":true"));
  EXPECT_THAT(out.substr(0, out.find('\n')), testing::Not(testing::HasSubstr("threads_not_stored")));
}

TEST(Threads, AProcessThatStandsForThemIsPartial) {
  FakeAnswers answers = WholeProcess();
  const Outcome result = Invoke({"ps", "-H", "-f", "tid,cpu", "--strict"}, &answers);
  EXPECT_EQ(result.code, 5);
  EXPECT_THAT(result.err, testing::HasSubstr("partial answer: threads that are not stored"));
  EXPECT_EQ(Invoke({"ps", "-f", "tid,cpu", "--strict"}, &answers).code, 0);
}

TEST(Strict, TurnsPartialAnswersIntoFive) {
  FakeAnswers answers = TwoTasks();
  EXPECT_EQ(Invoke({"ps", "-f", "fds", "--strict"}, &answers).code, 0);
  answers.batches[0].mutable_samples(0)->add_redacted(v1::TASK_FD_COUNT);
  EXPECT_EQ(Invoke({"ps", "-f", "fds"}, &answers).code, 0);
  EXPECT_EQ(Invoke({"ps", "-f", "cpu", "--strict"}, &answers).code, 0);  // not shown, not missed
  const Outcome result = Invoke({"ps", "-f", "fds", "--strict"}, &answers);
  EXPECT_EQ(result.code, 5);
  EXPECT_THAT(result.err, testing::HasSubstr("partial"));
}

// The answer to the question of what of root's this user may see, too.
FakeAnswers HiddenReads() {
  FakeAnswers answers = TwoTasks();
  answers.batches[0].mutable_samples(0)->add_redacted(v1::TASK_RCHAR_BYTES);
  return answers;
}

TEST(Strict, AnExpressionThatReadsWhatIsHiddenIsPartial) {
  FakeAnswers answers = HiddenReads();
  answers.totals.emplace_back();
  const std::string note =
      "taskmonctl: tasks whose rchar this user may not see are left out; membership of group taskmon shows them\n";
  for (const char* command : {"ps", "history", "events", "watch"}) {
    const Outcome lenient = Invoke({command, "rchar > 1k || rchar < 1"}, &answers);
    EXPECT_THAT(lenient.code, testing::AnyOf(0, 1)) << command;
    EXPECT_THAT(lenient.err, testing::StartsWith(note)) << command;
    EXPECT_EQ(Invoke({command, "rchar > 1k", "-f", "cpu", "--strict"}, &answers).code, command[0] == 'e' ? 2 : 5);
  }
  EXPECT_EQ(Invoke({"events", "rchar > 1k", "--strict"}, &answers).code, 5);
  EXPECT_EQ(Invoke({"ps", "cpu > 1", "-f", "cpu", "--strict"}, &answers).err, "");
  EXPECT_EQ(Invoke({"ps", "exe == x", "-f", "cpu", "--strict"}, &answers).code, 0);
  answers.batches[0].mutable_tasks(0)->set_exe_redacted(true);
  EXPECT_EQ(Invoke({"ps", "exe == x", "-f", "cpu", "--strict"}, &answers).code, 5);
}

// Ticks of a second each, from so many seconds before now until so many.
v1::Totals Recorded(std::vector<std::pair<int, int>> stretches) {
  v1::Totals totals;
  totals.set_stored_begin_ns(kNow - stretches.front().first * 1'000'000'000LL);
  totals.set_stored_end_ns(kNow - stretches.back().second * 1'000'000'000LL);
  for (const auto& [from, to] : stretches) {
    for (int second = from - 1; second >= to; --second) {
      v1::Tick* tick = totals.add_points()->mutable_tick();
      tick->set_time_ns(kNow - second * 1'000'000'000LL);
      tick->set_elapsed_ns(1'000'000'000);
    }
  }
  return totals;
}

TEST(Strict, SaysFromWhenOnThereIsARecord) {
  setenv("TZ", "UTC0", 1);
  tzset();
  FakeAnswers answers = TwoTasks();
  answers.totals = {Recorded({{60, 0}})};
  for (const char* command : {"ps", "history", "events"}) {
    const Outcome lenient = Invoke({command, "-b", "1h"}, &answers);
    EXPECT_THAT(lenient.code, testing::AnyOf(0, 1)) << command;
    EXPECT_EQ(lenient.err, "taskmonctl: stored from 08:14:30\n") << command;
    EXPECT_EQ(Invoke({command, "-b", "2026-11-21 00:00"}, &answers).err, lenient.err);
    EXPECT_EQ(Invoke({command, "-b", "1h", "--strict"}, &answers).code, 5) << command;
    const Outcome whole = Invoke({command, "-b", "30s", "--strict"}, &answers);
    EXPECT_THAT(whole.code, testing::AnyOf(0, 1)) << command;
    EXPECT_EQ(whole.err, "") << command;
  }
  // Nobody named a begin.
  EXPECT_EQ(Invoke({"history", "--strict"}, &answers).code, 0);
  EXPECT_EQ(Invoke({"diff", "--before", "1h..30m", "--after", "30s..now", "--strict"}, &answers).code, 5);
}

TEST(Strict, ATimeWithoutTicksIsAGap) {
  FakeAnswers answers = TwoTasks();
  answers.totals = {Recorded({{600, 400}, {200, 0}})};
  for (const char* command : {"ps", "history", "events"}) {
    EXPECT_THAT(Invoke({command, "-b", "5m"}, &answers).code, testing::AnyOf(0, 1)) << command;
    const Outcome strict = Invoke({command, "-b", "5m", "--strict"}, &answers);
    EXPECT_EQ(strict.code, 5) << command;
    EXPECT_THAT(strict.err, testing::HasSubstr("gaps in the record")) << command;
  }
  answers.totals = {Recorded({{600, 200}})};  // and none since
  EXPECT_EQ(Invoke({"events", "-b", "5m", "--strict"}, &answers).code, 5);
}

TEST(Strict, GapsCountWhateverEventsWereAskedFor) {
  FakeAnswers answers;
  answers.events.emplace_back().add_events()->set_type(v1::GAP);
  EXPECT_EQ(Invoke({"events", "--type", "oom"}, &answers).code, 0);
  const Outcome strict = Invoke({"events", "--type", "oom", "--strict"}, &answers);
  EXPECT_EQ(strict.code, 5);
  EXPECT_EQ(strict.out, "");
  EXPECT_THAT(answers.events_request.types(), testing::ElementsAre(v1::OOM_KILL, v1::GAP));
  EXPECT_EQ(Invoke({"events", "comm == x", "--strict"}, &answers).out, "");
  EXPECT_EQ(answers.events_request.types_size(), static_cast<int>(v1::EventType_ARRAYSIZE) - 1);
  EXPECT_NE(Invoke({"events", "--strict"}, &answers).out, "");
}

TEST(Histogram, CountsPerSecondOfWhatIsRecorded) {
  setenv("TZ", "UTC0", 1);
  tzset();
  FakeAnswers answers;
  answers.totals = {Recorded({{20, 0}})};
  v1::EventBatch& batch = answers.events.emplace_back();
  for (int i = 0; i < 2000; ++i) {
    v1::Event* event = batch.add_events();
    event->set_type(v1::FORK);
    event->set_time_ns(kNow - i * 10'000'000LL);
  }
  const Outcome result = Invoke({"events", "-b", "1h", "--histogram"}, &answers, {.width = 80});
  EXPECT_THAT(result.out, testing::HasSubstr("(2,000 in 20.0s recorded of 1h00m)"));
  EXPECT_THAT(result.out, testing::HasSubstr("mean 100  max 100\n"));
  EXPECT_THAT(result.out, testing::ContainsRegex("fork +2,000 +100 +100 (░)+█\n"));
}

TEST(Strict, SeesGapsAndMissedTicks) {
  FakeAnswers answers = TwoTasks();
  EXPECT_EQ(Invoke({"history", "--strict"}, &answers).code, 0);
  answers.batches[0].add_gaps()->set_reason("lost");
  EXPECT_EQ(Invoke({"history", "--strict"}, &answers).code, 5);
  answers.batches[0].set_missed_ticks(2);
  const Outcome watch = Invoke({"watch", "--strict"}, &answers);
  EXPECT_EQ(watch.code, 5);
  EXPECT_THAT(watch.err, testing::HasSubstr("2 ticks missed"));
}

TEST(Watch, PrintsEachTickBusiestFirst) {
  setenv("TZ", "UTC0", 1);
  tzset();
  FakeAnswers answers = TwoTasks();
  answers.batches.push_back(answers.batches[0]);
  EXPECT_EQ(Invoke({"watch", "-f", "tid,comm", "--count", "2"}, &answers).out,
            "2026-11-22 08:15:30.000 UTC  2 processes\nTID COMM\n 20 busy\n 10 idle\n\n"
            "2026-11-22 08:15:30.000 UTC  2 processes\nTID COMM\n 20 busy\n 10 idle\n");
  EXPECT_EQ(answers.watch_request.count(), 2u);
  EXPECT_THAT(answers.watch_request.selection().metrics(), testing::Contains(v1::TASK_CPU_PERCENT));
}

TEST(Watch, PutsThePagesOfOneTickTogether) {
  FakeAnswers answers = TwoTasks();
  v1::TaskBatch second = MakeBatch();
  SetValue(v1::TASK_CPU_PERCENT, 90'000, second, AddTask(30, "busiest", &second));
  answers.batches[0].set_last(false);
  answers.batches.push_back(second);
  EXPECT_EQ(Invoke({"watch", "-f", "tid", "--no-headers"}, &answers).out, "30\n20\n10\n");
}

TEST(Show, PutsRatesBesideTotals) {
  FakeAnswers answers;
  v1::TaskBatch before = MakeBatch();
  AddTask(10, "nginx", &before);
  before.mutable_ticks(0)->set_boot_ns(98'000'000'000);
  v1::TaskBatch now = MakeBatch();
  SetValue(v1::TASK_READ_BYTES, 8192, now, AddTask(10, "nginx", &now));
  now.mutable_samples(0)->add_unavailable(v1::TASK_SYSCALL_FAILS);
  answers.batches = {now, before};
  const Outcome result = Invoke({"show", "10"}, &answers, {.width = 80});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, testing::HasSubstr("Process 10  nginx"));
  EXPECT_THAT(result.out, testing::ContainsRegex("read +8\\.0K +4\\.0K/s"));
  EXPECT_THAT(result.out, testing::HasSubstr("Not available"));
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
}

TEST(Show, PutsTheAgeBesideAValueThatIsOlderThanTheTick) {
  FakeAnswers answers;
  v1::TaskBatch batch = MakeBatch();
  SetValue(v1::TASK_PSS_SIZE, 8192, batch, AddTask(10, "nginx", &batch));
  v1::Age* age = batch.mutable_samples(0)->add_ages();
  age->set_metric(v1::TASK_PSS_SIZE);
  age->set_age_ms(41'500);
  answers.batches = {batch};
  EXPECT_THAT(Invoke({"show", "10"}, &answers, {.width = 80}).out, testing::ContainsRegex("pss +~8\\.0K +41\\.5s ago"));
}

TEST(Show, SaysWhenThereIsNoSuchTask) {
  FakeAnswers answers;
  const Outcome result = Invoke({"show", "4711"}, &answers);
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, testing::HasSubstr("no task 4711"));
}

}  // namespace
}  // namespace taskmon::client

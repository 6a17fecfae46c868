// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/output/event_text.h"
#include "fake_backend.h"
#include "json_reader.h"

namespace taskmon::client {
namespace {

v1::Event* AddEvent(v1::EventType type, v1::EventBatch* batch) {
  v1::Event* event = batch->add_events();
  event->set_type(type);
  event->set_time_ns(kNow);
  v1::TaskInfo* task = event->mutable_task();
  task->set_tid(42);
  task->set_tgid(42);
  task->set_ppid(7);
  task->set_comm("sh");
  task->set_cmdline("/bin/sh -c exit 7");
  return event;
}

v1::Event* AddExit(v1::EventBatch* batch) {
  v1::Event* event = AddEvent(v1::EXIT, batch);
  event->set_exit_code(7);
  event->set_duration_ns(51'000'000);
  event->add_metrics(v1::TASK_RUNTIME_NS);
  event->add_values(1'200'000);
  event->add_metrics(v1::TASK_PEAK_PM_SIZE);
  event->add_values(3'565'158);
  event->add_metrics(v1::TASK_SYSCALL_FAILS);
  event->add_values(0);
  event->add_unavailable(v1::TASK_SYSCALL_FAILS);
  return event;
}

TEST(EventDetail, TellsHowATaskEnded) {
  v1::EventBatch batch;
  v1::Event* event = AddExit(&batch);
  EXPECT_EQ(EventDetail(*event, false), "exit 7, lived 51.0ms, cpu 1.2ms, rss peak 3.4M");
  EXPECT_EQ(EventDetail(*event, true), "exit 7, lived 51000000, cpu 1200000, rss peak 3565158");
  event->set_exit_code(0);
  event->set_exit_signal(11);
  event->set_core_dumped(true);
  EXPECT_THAT(EventDetail(*event, false), testing::StartsWith("killed by SIGSEGV (core dumped), lived 51.0ms"));
  event->set_exit_signal(40);
  EXPECT_THAT(EventDetail(*event, false), testing::StartsWith("killed by signal 40"));
  event->set_exit_signal(0);
  event->set_core_dumped(false);
  event->set_detail("became TID 41 by exec");
  EXPECT_THAT(EventDetail(*event, false), testing::StartsWith("became TID 41 by exec, lived 51.0ms"));
}

TEST(EventDetail, SpeaksOfEveryType) {
  v1::EventBatch batch;
  EXPECT_EQ(EventDetail(*AddEvent(v1::FORK, &batch), false), "child of 7");
  EXPECT_EQ(EventDetail(*AddEvent(v1::EXEC, &batch), false), "sh -c exit 7");
  v1::Event* rename = AddEvent(v1::RENAME, &batch);
  rename->set_detail("old\x1b");
  EXPECT_EQ(EventDetail(*rename, false), "was old\\x1b");
  v1::Event gap;
  gap.set_type(v1::GAP);
  gap.set_duration_ns(3'200'000'000);
  gap.set_lost(12);
  gap.set_detail("taskmond was down");
  EXPECT_EQ(EventDetail(gap, false), "taskmond was down for 3.2s, 12 records lost");
}

TEST(EventTypes, HaveTheNamesOfTheContract) {
  EXPECT_THAT(EventTypeNames(),
              testing::ElementsAre("fork", "exec", "exit", "oom", "threshold", "rule", "gap", "rename", "degraded"));
}

TEST(EventsJson, WhatTaskmondLeavesOutBeginsAndEnds) {
  FakeAnswers answers;
  v1::EventBatch& batch = answers.events.emplace_back();
  for (const bool ends : {false, true}) {
    v1::Event* event = batch.add_events();
    event->set_type(v1::DEGRADATION);
    event->set_time_ns(kNow);
    event->set_detail("smaps values are not read");
    event->set_ends(ends);
  }
  const auto rows = ReadRows(Invoke({"events", "--type", "degraded", "-o", "json"}, &answers).out);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(Text(rows[0], "type"), "degraded");
  EXPECT_TRUE(rows[0].fields().at("begins").bool_value());
  EXPECT_FALSE(rows[1].fields().at("begins").bool_value());
  EXPECT_EQ(Text(rows[0], "detail"), "smaps values are not read");
}

TEST(EventsJson, ExitRowsCarryTheFinalCounters) {
  FakeAnswers answers;
  AddExit(&answers.events.emplace_back());
  const auto row = ReadRows(Invoke({"events", "-o", "json"}, &answers).out).at(0);
  EXPECT_EQ(Text(row, "type"), "exit");
  EXPECT_EQ(Text(row, "time"), "2026-11-22T08:15:30.000000000Z");
  EXPECT_EQ(Number(row, "tid"), 42);
  EXPECT_EQ(Number(row, "tgid"), 42);
  EXPECT_EQ(Number(row, "ppid"), 7);
  EXPECT_EQ(Text(row, "comm"), "sh");
  EXPECT_EQ(Number(row, "exit_code"), 7);
  EXPECT_EQ(Number(row, "exit_signal"), 0);
  EXPECT_EQ(Number(row, "duration_ns"), 51'000'000);
  EXPECT_FALSE(row.fields().at("core_dumped").bool_value());
  EXPECT_EQ(Number(row, "task_runtime_ns"), 1'200'000);
  EXPECT_FALSE(row.fields().contains("task_syscall_fails"));
  EXPECT_THAT(Texts(row, "unavailable"), testing::ElementsAre("task_syscall_fails"));
}

TEST(EventsJson, OnlyExitsHaveExitCodes) {
  FakeAnswers answers;
  AddEvent(v1::EXEC, &answers.events.emplace_back());
  EXPECT_FALSE(ReadRows(Invoke({"events", "-o", "json"}, &answers).out).at(0).fields().contains("exit_code"));
}

TEST(EventsJson, AGapHasNoTask) {
  FakeAnswers answers;
  v1::Event* gap = answers.events.emplace_back().add_events();
  gap->set_type(v1::GAP);
  gap->set_lost(3);
  const auto row = ReadRows(Invoke({"events", "-o", "json"}, &answers).out).at(0);
  EXPECT_TRUE(row.fields().at("tid").has_null_value());
  EXPECT_EQ(Number(row, "lost"), 3);
}

TEST(EventsTable, ShowsTodayWithoutAndOtherDaysWithTheDate) {
  setenv("TZ", "UTC0", 1);
  tzset();
  FakeAnswers answers;
  v1::EventBatch& batch = answers.events.emplace_back();
  AddEvent(v1::EXEC, &batch)->set_time_ns(kNow - 86'400'000'000'000);
  AddExit(&batch);
  EXPECT_EQ(Invoke({"events"}, &answers).out,
            "        TIME (UTC) TYPE TID COMM DETAIL\n"
            "11-21 08:15:30.000 exec  42 sh   sh -c exit 7\n"
            "      08:15:30.000 exit  42 sh   exit 7, lived 51.0ms, cpu 1.2ms, rss peak 3.4M\n");
}

TEST(EventsCsv, EveryRowHasAsManyFieldsAsTheHeader) {
  FakeAnswers answers;
  AddExit(&answers.events.emplace_back());
  const std::string out = Invoke({"events", "-o", "csv"}, &answers).out;
  const auto split = out.begin() + static_cast<long>(out.find('\n'));
  EXPECT_EQ(std::count(out.begin(), split, ','), std::count(split, out.end(), ','));
}

TEST(Events, AskForWhatTheOptionsSay) {
  FakeAnswers answers;
  Invoke({"events", "uid == 0", "--type", "oom", "-b", "10s", "-H", "-F"}, &answers);
  EXPECT_EQ(answers.events_request.expression(), "uid == 0");
  EXPECT_EQ(answers.events_request.begin(), "10s");
  EXPECT_THAT(answers.events_request.types(), testing::ElementsAre(v1::OOM_KILL));
  EXPECT_TRUE(answers.events_request.threads());
  EXPECT_TRUE(answers.events_request.follow());
}

}  // namespace
}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
#include "daemon/task_table.h"

#include <gtest/gtest.h>

namespace taskmon::daemon {
namespace {

Counters Runtime(uint64_t ns) {
  Counters counters{};
  counters[TM_C_RUNTIME_NS] = ns;
  return counters;
}

TEST(TaskTable, TotalOfAProcessIsWhatItsOnlyThreadHas) {
  TaskTable table;
  Process* process = table.AddProcess(100, 7);
  EXPECT_EQ(process->total(), Counters{});
  SetCounters(table.AddThread(process, 100, 7), Runtime(5));
  EXPECT_EQ(process->total(), Runtime(5));
  EXPECT_EQ(process->own_total, nullptr);
}

TEST(TaskTable, TotalKeepsWhatEndedThreadsDid) {
  TaskTable table;
  Process* process = table.AddProcess(100, 7);
  Thread* leader = table.AddThread(process, 100, 7);
  SetCounters(leader, Runtime(5));
  Thread* worker = table.AddThread(process, 101, 8);
  SetCounters(worker, Runtime(20));
  SetCounters(leader, Runtime(6));
  EXPECT_EQ(process->total(), Runtime(26));
  table.RemoveThread(worker);
  EXPECT_EQ(process->total(), Runtime(26));
  SetCounters(leader, Runtime(10));
  EXPECT_EQ(process->total(), Runtime(30));
  table.RemoveThread(leader);
  EXPECT_EQ(process->total(), Runtime(30));
}

TEST(TaskTable, FindsEachThreadOfAReusedNumber) {
  TaskTable table;
  Process* old_process = table.AddProcess(100, 7);
  Thread* old_thread = table.AddThread(old_process, 100, 7);
  Process* process = table.AddProcess(100, 9);
  Thread* thread = table.AddThread(process, 100, 9);
  EXPECT_EQ(table.FindThread(100, 7), old_thread);
  EXPECT_EQ(table.FindThread(100, 9), thread);
  EXPECT_EQ(table.FindThreadByTid(100), thread);
  EXPECT_EQ(table.thread_count(), 2u);
  table.RemoveProcess(old_process);
  EXPECT_EQ(table.FindThread(100, 7), nullptr);
  EXPECT_EQ(table.FindThreadByTid(100), thread);
  table.RemoveThread(thread);
  EXPECT_EQ(table.FindThreadByTid(100), nullptr);
  EXPECT_EQ(table.thread_count(), 0u);
}

TEST(EditableInfo, APublishedInfoStaysAsItIs) {
  EditableInfo info;
  info.Set(&TaskInfo::comm, "sh");
  const auto first = info.Publish();
  EXPECT_FALSE(info.Set(&TaskInfo::comm, "sh"));
  EXPECT_EQ(info.Publish(), first);
  EXPECT_TRUE(info.Set(&TaskInfo::comm, "make"));
  EXPECT_EQ(info->comm, "make");
  EXPECT_EQ(info.published(), first);
  const auto second = info.Publish();
  EXPECT_EQ(first->comm, "sh");
  EXPECT_EQ(second->comm, "make");
}

TEST(EditableInfo, ACopyIsEditedApart) {
  EditableInfo parent;
  parent.Set(&TaskInfo::comm, "sh");
  const auto published = parent.Publish();
  EditableInfo child;
  child.CopyFrom(parent);
  EXPECT_EQ(child.published(), nullptr);
  child.Set(&TaskInfo::tgid, 101);
  EXPECT_EQ(child->comm, "sh");
  EXPECT_EQ(parent->tgid, 0);
  EXPECT_EQ(parent.published(), published);
}

TEST(WindowMaxima, KeepsTheLargestOfEachUntilCleared) {
  WindowMaxima maxima;
  EXPECT_EQ(maxima.values()[TM_M_RUNQ_NS].value_ns, 0u);
  const tm_max first[TM_M_MAX] = {{.value_ns = 5, .cpu = 1}, {.value_ns = 8}};
  const tm_max second[TM_M_MAX] = {{.value_ns = 4, .cpu = 2}, {.value_ns = 9}};
  maxima.Merge(first);
  maxima.Merge(second);
  EXPECT_EQ(maxima.values()[0].value_ns, 5u);
  EXPECT_EQ(maxima.values()[0].cpu, 1u);
  EXPECT_EQ(maxima.values()[1].value_ns, 9u);
  maxima.Clear();
  EXPECT_EQ(maxima.values()[1].value_ns, 0u);
}

}  // namespace
}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_backend.h"

namespace taskmon::client {
namespace {

FakeAnswers OneTask() {
  FakeAnswers answers;
  v1::TaskBatch batch = MakeBatch();
  v1::Sample* sample = AddTask(7, "a,\"b\"", &batch);
  SetValue(v1::TASK_CPU_PERCENT, 1'500, batch, sample);
  sample->add_unavailable(v1::TASK_SYSCALL_FAILS);
  sample->add_redacted(v1::TASK_FD_COUNT);
  answers.batches.push_back(batch);
  return answers;
}

TEST(Csv, QuotesAndLeavesMissingValuesEmpty) {
  FakeAnswers answers = OneTask();
  EXPECT_EQ(Invoke({"ps", "-o", "csv", "-f", "tid,comm,cpu,sysfails,fds,tracked,rules"}, &answers).out,
            "tid,comm,task_cpu_percent,task_syscall_fails,task_fd_count,tracked,rules\n"
            "7,\"a,\"\"b\"\"\",1.5,,,1,apps\n");
}

TEST(Csv, HistoryRowsBeginWithTimeAndTask) {
  FakeAnswers answers = OneTask();
  EXPECT_EQ(Invoke({"history", "-o", "csv", "-f", "cpu"}, &answers).out,
            "time,tid,comm,task_cpu_percent\n2026-11-22T08:15:30.000000000Z,7,\"a,\"\"b\"\"\",1.5\n");
  EXPECT_EQ(Invoke({"history", "--tid", "7", "-o", "csv", "-f", "cpu", "--no-headers"}, &answers).out,
            "2026-11-22T08:15:30.000000000Z,1.5\n");
}

TEST(Csv, IsAHeaderWhenNothingMatches) {
  FakeAnswers nothing;
  const Outcome result = Invoke({"ps", "-o", "csv", "-f", "tid,cpu"}, &nothing);
  EXPECT_EQ(result.out, "tid,task_cpu_percent\n");
  EXPECT_EQ(result.code, 1);
}

TEST(Csv, EveryRowHasAsManyFieldsAsTheHeader) {
  FakeAnswers answers;
  answers.batches.push_back(MakeBatch());
  AddTask(1, "init", &answers.batches[0]);
  const std::string out = Invoke({"ps", "-o", "csv"}, &answers).out;
  const size_t split = out.find('\n');
  EXPECT_EQ(std::count(out.begin(), out.begin() + static_cast<long>(split), ','),
            std::count(out.begin() + static_cast<long>(split), out.end(), ','));
}

}  // namespace
}  // namespace taskmon::client

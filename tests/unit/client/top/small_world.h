// SPDX-License-Identifier: Apache-2.0
//
// Frames for tests of top, made the way the real ones are: through batches and FrameMaker.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "client/top/column.h"
#include "client/top/frame.h"
#include "tests/unit/client/fake_backend.h"

namespace taskmon::client::top {

inline constexpr int64_t kSecond = 1'000'000'000;

struct TaskSpec {
  int32_t tid = 0;
  std::string comm;
  double cpu = 0;  // percent
  int64_t rss = 0;
  int32_t ppid = 1;
  std::string unit;
  std::string user = "www-data";
  int64_t read_bytes = 0;  // so far
  uint64_t start_ns = 5'000'000'000;
};

inline v1::TaskBatch BatchOf(const std::vector<TaskSpec>& tasks, uint64_t seq = 7) {
  std::vector<v1::Metric> metrics = MetricsFor(DefaultColumns());
  v1::TaskBatch batch = MakeBatch(metrics);
  v1::Tick* tick = batch.mutable_ticks(0);
  const auto later_ns = (static_cast<int64_t>(seq) - 7) * kSecond;
  tick->set_seq(seq);
  tick->set_time_ns(kNow + later_ns);
  tick->set_boot_ns(static_cast<uint64_t>(100'000'000'000 + later_ns));
  for (const TaskSpec& spec : tasks) {
    v1::Sample* sample = AddTask(spec.tid, spec.comm, &batch);
    v1::TaskInfo* info = batch.mutable_tasks(batch.tasks_size() - 1);
    info->set_ppid(spec.ppid);
    info->set_unit(spec.unit);
    info->set_user(spec.user);
    info->set_start_ns(spec.start_ns);
    SetValue(v1::TASK_CPU_PERCENT, static_cast<int64_t>(spec.cpu * 1000), batch, sample);
    SetValue(v1::TASK_PM_SIZE, spec.rss, batch, sample);
    SetValue(v1::TASK_READ_BYTES, spec.read_bytes, batch, sample);
    SetValue(v1::TASK_STATE, spec.cpu > 0 ? 'R' : 'S', batch, sample);
  }
  return batch;
}

inline std::shared_ptr<Frame> FrameOf(const std::vector<TaskSpec>& tasks, uint64_t seq = 7) {
  FrameMaker maker(MetricsFor(DefaultColumns()));
  EXPECT_TRUE(maker.Add(BatchOf(tasks, seq)).ok());
  return maker.Finish();
}

inline v1::Event ExitOf(int32_t tid, const std::string& comm, int64_t time_ns) {
  v1::Event event;
  event.set_type(v1::EXIT);
  event.set_time_ns(time_ns);
  v1::TaskInfo* info = event.mutable_task();
  info->set_tid(tid);
  info->set_tgid(tid);
  info->set_ppid(1);
  info->set_comm(comm);
  info->set_cmdline(comm);
  info->set_user("www-data");
  info->set_start_ns(99'500'000'000);
  event.set_exit_code(3);
  event.set_duration_ns(300'000'000);
  event.add_metrics(v1::TASK_RUNTIME_NS);
  event.add_values(250'000'000);
  return event;
}

}  // namespace taskmon::client::top

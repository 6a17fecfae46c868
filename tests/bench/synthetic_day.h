// SPDX-License-Identifier: Apache-2.0
//
// A made-up machine whose tasks cost a history what real ones do: of a hundred tasks 50 sleep, 40 wake up some 20 times
// a second, 3 compute, 2 fork, 3 do file I/O and 2 talk over sockets. Times have the noise of a nanosecond clock, and
// keep to what holds on a real machine: running, waiting to run and sleeping add up to the time that passed, a sleep
// still open began when the task last left the CPU. One tick a second; the same seed makes the same day.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "storage/sample.h"
#include "taskmon/v1/metric.pb.h"

namespace taskmon::bench {

class SyntheticDay {
 public:
  SyntheticDay(size_t tasks, uint64_t seed);
  // The next tick with its events.
  std::shared_ptr<const Snapshot> Next();
  std::vector<Event> TakeEvents() { return std::move(events_); }

 private:
  struct Task {
    std::shared_ptr<TaskInfo> info;
    std::shared_ptr<const TaskSample> sample;
    int number = 0;
    double weight = 1;  // its own measure of work
    int64_t since_ns = 0;
    double rss = 0;
  };
  void Make(int number);
  std::shared_ptr<TaskSample> Fresh(Task* task);
  void Wake(Task* task, TaskSample* sample, double wakes_a_second, double run_us);
  void Compute(Task* task, TaskSample* sample);
  void Fork(Task* task, TaskSample* sample);
  void DoIo(Task* task, TaskSample* sample);
  void Talk(Task* task, TaskSample* sample);
  void Bear(const Task& parent);
  void Account(Task* task, TaskSample* sample, int64_t run_ns, int64_t runq_ns);
  void Longest(TaskSample* sample, v1::Metric maximum, int64_t value_ns, int64_t by);
  void Add(TaskSample* sample, v1::Metric metric, int64_t increase);
  void Set(TaskSample* sample, v1::Metric metric, int64_t value);

  int64_t Number(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random_); }
  double Real() { return std::uniform_real_distribution<>(0, 1)(random_); }
  double Normal() { return normal_(random_); }
  double Exponential(double mean) { return -mean * std::log(1 - Real()); }

  std::mt19937_64 random_;
  std::normal_distribution<> normal_;
  uint64_t seq_ = 0;
  int64_t wall_ns_ = 1767225600ll * 1000000000;
  int64_t boot_ns_ = 7200ll * 1000000000;
  int32_t next_tid_ = 100000;
  std::vector<Task> tasks_;
  std::vector<Event> events_;
};

}  // namespace taskmon::bench

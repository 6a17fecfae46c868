// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/synthetic_day.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace taskmon::bench {
namespace {

constexpr int64_t kSecond = 1000000000;
constexpr int64_t kPage = 4096;
constexpr int kCpus = 8;
// As the daemon: circumstances of shorter maxima are not told.
constexpr int64_t kWitnessFromNs = 1000000;

constexpr v1::Metric kSmaps[] = {v1::TASK_SHARED_DIRTY_SIZE,  v1::TASK_SHARED_CLEAN_SIZE, v1::TASK_PRIVATE_DIRTY_SIZE,
                                 v1::TASK_PRIVATE_CLEAN_SIZE, v1::TASK_REFERENCED_SIZE,   v1::TASK_LAZYFREE_SIZE,
                                 v1::TASK_SWAP_DATA_PSS_SIZE, v1::TASK_PSS_SIZE};

struct Witnesses {
  v1::Metric maximum, at, cpu, by;
};
constexpr Witnesses kWitnesses[] = {
    {v1::TASK_SWITCH_OFFCPU_TIME_MAX, v1::TASK_SWITCH_OFFCPU_TIME_MAX_AT, v1::TASK_SWITCH_OFFCPU_TIME_MAX_CPU,
     v1::TASK_SWITCH_OFFCPU_TIME_MAX_BY},
    {v1::TASK_RUNQ_WAIT_TIME_MAX, v1::TASK_RUNQ_WAIT_TIME_MAX_AT, v1::TASK_RUNQ_WAIT_TIME_MAX_CPU,
     v1::TASK_RUNQ_WAIT_TIME_MAX_BY},
    {v1::TASK_IO_WAIT_TIME_MAX, v1::TASK_IO_WAIT_TIME_MAX_AT, v1::TASK_IO_WAIT_TIME_MAX_CPU, v1::METRIC_UNSPECIFIED},
    {v1::TASK_IO_REQUEST_TIME_MAX, v1::TASK_IO_REQUEST_TIME_MAX_AT, v1::TASK_IO_REQUEST_TIME_MAX_CPU,
     v1::TASK_IO_REQUEST_TIME_MAX_DEVICE},
};

bool IsWitness(int metric) {
  return std::any_of(std::begin(kWitnesses), std::end(kWitnesses),
                     [&](const Witnesses& w) { return metric == w.at || metric == w.cpu || metric == w.by; });
}

}  // namespace

SyntheticDay::SyntheticDay(size_t tasks, uint64_t seed) : random_(seed) {
  for (size_t number = 0; number < tasks; ++number) Make(static_cast<int>(number));
}

void SyntheticDay::Set(TaskSample* sample, v1::Metric metric, int64_t value) {
  sample->values.Set(metric, value);
  sample->valid.set(metric);
}

void SyntheticDay::Add(TaskSample* sample, v1::Metric metric, int64_t increase) {
  sample->values.Add(metric, increase);
  sample->deltas.Set(metric, increase);
}

void SyntheticDay::Make(int number) {
  Task& task = tasks_.emplace_back();
  task.number = number;
  task.weight = std::exp(0.6 * Normal());
  task.info = std::make_shared<TaskInfo>();
  task.info->key = {static_cast<uint64_t>(Number(kSecond, 3600 * kSecond)), 1000 + number, false};
  task.info->tgid = 1000 + number;
  task.info->ppid = 1;
  task.info->process_start_ns = task.info->key.start_ns;
  task.info->comm = "service-" + std::to_string(number % 40);
  task.info->cmdline = "/usr/sbin/" + task.info->comm + " --config /etc/" + task.info->comm + ".conf";
  task.info->exe = "/usr/sbin/" + task.info->comm;
  task.info->user = number % 3 == 0 ? "root" : "www-data";
  task.info->cgroup = "/system.slice/" + task.info->comm + ".service";
  task.info->unit = task.info->comm + ".service";
  auto sample = std::make_shared<TaskSample>();
  for (int m = 1; m <= v1::Metric_MAX; ++m) {
    if (v1::Metric_IsValid(m) && !IsWitness(m)) sample->valid.set(static_cast<size_t>(m));
  }
  for (v1::Metric m : {v1::TASK_CPU_PERCENT, v1::TASK_MEM_PERCENT, v1::TASK_PAGE_CACHE_HIT_PERCENT})
    sample->valid.reset(m);
  for (v1::Metric m : kSmaps) sample->valid.reset(m);
  task.rss = static_cast<double>(Number(500, 50000));
  Set(sample.get(), v1::TASK_VM_SIZE, Number(10000, 500000) * kPage);
  Set(sample.get(), v1::TASK_FD_COUNT, Number(4, 200));
  Set(sample.get(), v1::TASK_FD_LIMIT, 1024 << Number(0, 3));
  Set(sample.get(), v1::TASK_THREAD_COUNT, 1);
  Set(sample.get(), v1::TASK_PRIORITY, 20);
  Set(sample.get(), v1::TASK_STATE, 'S');
  Set(sample.get(), v1::TASK_RSS_FILE_SIZE, Number(500, 3000) * kPage);
  Set(sample.get(), v1::TASK_RUNTIME_NS, Number(0, 100 * kSecond));
  task.since_ns = boot_ns_ - Number(0, kSecond);
  Set(sample.get(), v1::TASK_OFFCPU_SINCE, task.since_ns);
  sample->info = task.info;
  sample->tick_seq = 0;
  task.sample = std::move(sample);
}

// A sample to change: counters and gauges as they were, maxima of this tick alone.
std::shared_ptr<TaskSample> SyntheticDay::Fresh(Task* task) {
  auto sample = std::make_shared<TaskSample>(*task->sample);
  sample->deltas.Clear();
  sample->tick_seq = seq_;
  for (const Witnesses& w : kWitnesses) {
    sample->values.Set(w.maximum, 0);
    for (v1::Metric m : {w.at, w.cpu, w.by}) {
      if (m == v1::METRIC_UNSPECIFIED) continue;
      sample->valid.reset(m);
      sample->values.Set(m, 0);
    }
  }
  sample->valid.reset(v1::TASK_PAGE_CACHE_HIT_PERCENT);
  sample->values.Set(v1::TASK_PAGE_CACHE_HIT_PERCENT, 0);
  return sample;
}

void SyntheticDay::Longest(TaskSample* sample, v1::Metric maximum, int64_t value_ns, int64_t by) {
  Set(sample, maximum, value_ns);
  if (value_ns < kWitnessFromNs) return;
  for (const Witnesses& w : kWitnesses) {
    if (w.maximum != maximum) continue;
    Set(sample, w.at, boot_ns_ - Number(0, kSecond));
    Set(sample, w.cpu, Number(0, kCpus - 1));
    if (w.by != v1::METRIC_UNSPECIFIED) Set(sample, w.by, by);
  }
}

// The books: what was not spent running was spent off the CPU, up to the wait that is open.
void SyntheticDay::Account(Task* task, TaskSample* sample, int64_t run_ns, int64_t runq_ns) {
  const int64_t since_before = sample->values[v1::TASK_OFFCPU_SINCE];
  run_ns = std::clamp<int64_t>(run_ns, 1000, task->since_ns - since_before);
  Add(sample, v1::TASK_RUNTIME_NS, run_ns);
  const double system = 0.3 + 0.02 * Normal();
  const int64_t stime = static_cast<int64_t>(static_cast<double>(run_ns) * std::clamp(system, 0.0, 1.0));
  Add(sample, v1::TASK_STIME_JIFFIES, stime);
  Add(sample, v1::TASK_UTIME_JIFFIES, run_ns - stime);
  Add(sample, v1::TASK_RUNQ_WAIT_TIME, runq_ns);
  // Switching is billed to nobody, and clocks are read one after the other.
  const auto slack = static_cast<int64_t>(20000 + 5000 * Normal());
  Add(sample, v1::TASK_OFFCPU_TIME, std::max<int64_t>(0, task->since_ns - since_before - run_ns - slack));
  Set(sample, v1::TASK_OFFCPU_SINCE, task->since_ns);
}

void SyntheticDay::Wake(Task* task, TaskSample* sample, double wakes_a_second, double run_us) {
  const double period_ns = static_cast<double>(kSecond) / wakes_a_second;
  const double begin = static_cast<double>(task->since_ns);
  double now = begin, run = 0, runq = 0, longest_runq = 0, longest_off = 0;
  int64_t wakes = 0;
  for (;; ++wakes) {
    const double sleep = period_ns * (0.9 + 0.2 * Real()) + Exponential(50000);
    const double queued = Exponential(Real() < 0.01 ? 2e6 : 8000);
    const double ran = run_us * 1000 * std::exp(0.2 * Normal());
    if (now + sleep + queued + ran > static_cast<double>(boot_ns_)) break;
    now += sleep + queued + ran;
    run += ran;
    runq += queued;
    longest_runq = std::max(longest_runq, queued);
    longest_off = std::max(longest_off, sleep + queued);
  }
  if (wakes == 0) return;
  task->since_ns += static_cast<int64_t>(now - begin);
  Account(task, sample, static_cast<int64_t>(run), static_cast<int64_t>(runq));
  Longest(sample, v1::TASK_RUNQ_WAIT_TIME_MAX, static_cast<int64_t>(longest_runq), 1000 + Number(0, 400));
  Longest(sample, v1::TASK_SWITCH_OFFCPU_TIME_MAX, static_cast<int64_t>(longest_off), 0);
  Add(sample, v1::TASK_VOLUNTARY_SWITCH_COUNT, wakes);
  if (Real() < 0.1) Add(sample, v1::TASK_INVOLUNTARY_SWITCH_COUNT, 1);
  if (Real() < 0.1) {
    Add(sample, v1::TASK_MIGRATION_COUNT, Number(1, 2));
    Set(sample, v1::TASK_CPU_ID, Number(0, kCpus - 1));
  }
  if (Real() < 0.02) Add(sample, v1::TASK_MINOR_PAGEFAULT_COUNT, Number(1, 5));
}

void SyntheticDay::Compute(Task* task, TaskSample* sample) {
  const double share = std::clamp(0.5 + 0.2 * Normal() + 0.1 * task->weight, 0.05, 0.98);
  task->since_ns = boot_ns_ - Number(0, 4000000);
  Account(task, sample, static_cast<int64_t>(share * static_cast<double>(kSecond)), Number(10000000, 90000000));
  Longest(sample, v1::TASK_RUNQ_WAIT_TIME_MAX, Number(1000000, 12000000), 1000 + Number(0, 900));
  Longest(sample, v1::TASK_SWITCH_OFFCPU_TIME_MAX, Number(4000000, 40000000), 1000 + Number(0, 900));
  Add(sample, v1::TASK_VOLUNTARY_SWITCH_COUNT, Number(5, 30));
  Add(sample, v1::TASK_INVOLUNTARY_SWITCH_COUNT, Number(20, 200));
  Add(sample, v1::TASK_MIGRATION_COUNT, Number(0, 10));
  Add(sample, v1::TASK_MINOR_PAGEFAULT_COUNT, Number(0, 3000));
  Set(sample, v1::TASK_CPU_ID, Number(0, kCpus - 1));
  Set(sample, v1::TASK_STATE, Real() < share ? 'R' : 'S');
  task->rss = std::max(1000.0, task->rss + 200 * Normal());
}

void SyntheticDay::Bear(const Task& parent) {
  auto info = std::make_shared<TaskInfo>(*parent.info);
  info->key = {static_cast<uint64_t>(boot_ns_ - Number(0, kSecond)), next_tid_++, false};
  info->tgid = info->key.tid;
  info->ppid = parent.info->key.tid;
  info->process_start_ns = info->key.start_ns;
  info->start_wall_ns = wall_ns_;
  Event event;
  event.type = EventType::kFork;
  event.wall_ns = wall_ns_;
  event.boot_ns = static_cast<uint64_t>(boot_ns_);
  event.task = info;
  events_.push_back(event);
  auto final = std::make_shared<TaskSample>(*parent.sample);
  final->info = info;
  for (const Witnesses& w : kWitnesses) final->values.Set(w.maximum, Number(0, 100000));
  const int64_t run = Number(100000, 2000000);
  Set(final.get(), v1::TASK_RUNTIME_NS, run);
  Set(final.get(), v1::TASK_UTIME_JIFFIES, run / 2);
  Set(final.get(), v1::TASK_STIME_JIFFIES, run - run / 2);
  Set(final.get(), v1::TASK_MINOR_PAGEFAULT_COUNT, Number(60, 90));
  event.type = EventType::kExit;
  event.duration_ns = static_cast<uint64_t>(Number(300000, 5000000));
  event.final_sample = std::move(final);
  events_.push_back(event);
}

void SyntheticDay::Fork(Task* task, TaskSample* sample) {
  Wake(task, sample, 10, 300);
  const int64_t children = Number(0, 3);
  for (int64_t child = 0; child < children; ++child) Bear(*task);
  Add(sample, v1::TASK_FORK_COUNT, children);
  Add(sample, v1::TASK_SIGNAL_COUNT, children);
  Add(sample, v1::TASK_MINOR_PAGEFAULT_COUNT, children * Number(40, 70));
}

void SyntheticDay::DoIo(Task* task, TaskSample* sample) {
  Wake(task, sample, 20, 100);
  const int64_t reads = Number(1, 60), writes = Number(1, 20);
  Add(sample, v1::TASK_SYSCR_COUNT, reads);
  Add(sample, v1::TASK_SYSCW_COUNT, writes);
  Add(sample, v1::TASK_RCHAR_BYTES, Number(1000, 200000));
  Add(sample, v1::TASK_WCHAR_BYTES, Number(1000, 100000));
  Add(sample, v1::TASK_READ_BYTES, Number(0, 20) * kPage);
  Add(sample, v1::TASK_WRITE_BYTES, Number(0, 30) * kPage);
  Add(sample, v1::TASK_PAGE_CACHE_COUNT, Number(1, 40));
  Add(sample, v1::TASK_PAGE_CACHE_LOOKUP_COUNT, Number(10, 300));
  Set(sample, v1::TASK_PAGE_CACHE_HIT_PERCENT, Number(60000, 100000));
  Add(sample, v1::TASK_IO_WAIT_TIME, Number(100000, 20000000));
  Longest(sample, v1::TASK_IO_WAIT_TIME_MAX, static_cast<int64_t>(Exponential(800000)), 0);
  Longest(sample, v1::TASK_IO_REQUEST_TIME_MAX, static_cast<int64_t>(Exponential(700000)), 8 << 20);
}

void SyntheticDay::Talk(Task* task, TaskSample* sample) {
  Wake(task, sample, 60, 60 * task->weight);
  Add(sample, v1::TASK_NET_TX_BYTES, Number(100, 200000));
  Add(sample, v1::TASK_NET_RX_BYTES, Number(100, 50000));
  Set(sample, v1::TASK_TCP_USED, 1);
  if (Real() < 0.2) Add(sample, v1::TASK_CONNECT_COUNT, 1);
  if (Real() < 0.3) Set(sample, v1::TASK_FD_COUNT, Number(20, 60));
}

std::shared_ptr<const Snapshot> SyntheticDay::Next() {
  ++seq_;
  const int64_t late = static_cast<int64_t>(Exponential(60000));
  wall_ns_ += kSecond;
  boot_ns_ += kSecond;
  events_.clear();
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->boot_id = "synthetic";
  snapshot->memory_total_bytes = 16ll << 30;
  snapshot->tick = {seq_, wall_ns_ + late, static_cast<uint64_t>(boot_ns_ + late), static_cast<uint64_t>(kSecond), 0};
  if (seq_ == 1) snapshot->tick.elapsed_ns = 0;
  for (Task& task : tasks_) {
    const int kind = task.number % 100;
    const bool smaps = kind == 90 && seq_ % 60 == static_cast<uint64_t>(task.number / 100 % 60);
    if (kind < 50 && seq_ > 1) {
      snapshot->tasks.push_back(task.sample);
      continue;
    }
    std::shared_ptr<TaskSample> sample = Fresh(&task);
    if (kind >= 50 && kind < 90) Wake(&task, sample.get(), 20, 40 * task.weight);
    if (kind >= 90 && kind < 93) Compute(&task, sample.get());
    if (kind >= 93 && kind < 95) Fork(&task, sample.get());
    if (kind >= 95 && kind < 98) DoIo(&task, sample.get());
    if (kind >= 98) Talk(&task, sample.get());
    const auto anon = static_cast<int64_t>(task.rss) * kPage;
    Set(sample.get(), v1::TASK_RSS_ANON_SIZE, anon);
    Set(sample.get(), v1::TASK_PM_SIZE, anon + sample->values[v1::TASK_RSS_FILE_SIZE]);
    Set(sample.get(), v1::TASK_PEAK_PM_SIZE,
        std::max(sample->values[v1::TASK_PEAK_PM_SIZE], sample->values[v1::TASK_PM_SIZE]));
    for (v1::Metric m : kSmaps) {
      if (!smaps) break;
      Set(sample.get(), m, Number(0, 10000) * kPage);
      sample->taken_boot_ns.Set(static_cast<MetricId>(m), boot_ns_ - Number(0, kSecond));
    }
    task.sample = std::move(sample);
    snapshot->tasks.push_back(task.sample);
  }
  return snapshot;
}

}  // namespace taskmon::bench

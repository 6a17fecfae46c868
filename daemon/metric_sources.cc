// SPDX-License-Identifier: Apache-2.0
#include "daemon/metric_sources.h"

#include <algorithm>

#include "daemon/query/row.h"

namespace taskmon::daemon {
namespace {

constexpr int kNone = -1;

struct CounterSource {
  v1::Metric metric;
  tm_counter first;
  int second;      // added when not kNone
  uint32_t valid;  // bits of enum tm_valid that must be set
  int hook;        // group that must be attached; kNone: the kernel keeps it
};

constexpr CounterSource kCounters[] = {
    {v1::TASK_RUNTIME_NS, TM_C_RUNTIME_NS, kNone, 0, kNone},
    {v1::TASK_MINOR_PAGEFAULT_COUNT, TM_C_MIN_FLT, kNone, 0, kNone},
    {v1::TASK_MAJOR_PAGEFAULT_COUNT, TM_C_MAJ_FLT, kNone, 0, kNone},
    {v1::TASK_VOLUNTARY_SWITCH_COUNT, TM_C_NVCSW, kNone, 0, kNone},
    {v1::TASK_INVOLUNTARY_SWITCH_COUNT, TM_C_NIVCSW, kNone, 0, kNone},
    {v1::TASK_RUNQ_WAIT_TIME, TM_C_RUN_DELAY_NS, kNone, 0, kNone},
    {v1::TASK_MIGRATION_COUNT, TM_C_MIGRATIONS, kNone, 0, kNone},
    {v1::TASK_RCHAR_BYTES, TM_C_RCHAR, kNone, TM_VALID_IO, kNone},
    {v1::TASK_WCHAR_BYTES, TM_C_WCHAR, kNone, TM_VALID_IO, kNone},
    {v1::TASK_SYSCR_COUNT, TM_C_SYSCR, kNone, TM_VALID_IO, kNone},
    {v1::TASK_SYSCW_COUNT, TM_C_SYSCW, kNone, TM_VALID_IO, kNone},
    {v1::TASK_READ_BYTES, TM_C_READ_BYTES, kNone, TM_VALID_IO, kNone},
    {v1::TASK_WRITE_BYTES, TM_C_WRITE_BYTES, kNone, TM_VALID_IO, kNone},
    {v1::TASK_CANCELLED_WRITE_BYTES, TM_C_CANCELLED_WRITE_BYTES, kNone, TM_VALID_IO, kNone},
    {v1::TASK_OFFCPU_TIME, TM_C_OFFCPU_NS, kNone, TM_VALID_STORAGE, TM_HOOKS_SCHED},
    {v1::TASK_IO_WAIT_TIME, TM_C_IOWAIT_NS, kNone, TM_VALID_STORAGE, TM_HOOKS_SCHED},
    {v1::TASK_FORK_COUNT, TM_C_FORKS, kNone, TM_VALID_STORAGE, TM_HOOKS_LIFECYCLE},
    {v1::TASK_THREAD_CREATE_COUNT, TM_C_THREADS, kNone, TM_VALID_STORAGE, TM_HOOKS_LIFECYCLE},
    {v1::TASK_EXEC_COUNT, TM_C_EXECS, kNone, TM_VALID_STORAGE, TM_HOOKS_LIFECYCLE},
    {v1::TASK_SIGNAL_COUNT, TM_C_SIGNALS, kNone, TM_VALID_STORAGE, TM_HOOKS_SIGNAL},
    {v1::TASK_SYSCALL_FAILS, TM_C_SYSCALL_FAILS, kNone, TM_VALID_STORAGE, TM_HOOKS_SYSCALL},
    {v1::TASK_OOM_COUNT, TM_C_OOM_KILLS, kNone, TM_VALID_STORAGE, TM_HOOKS_OOM},
    {v1::TASK_PAGE_CACHE_COUNT, TM_C_PAGE_CACHE_ADDS, TM_C_PAGE_CACHE_DIRTIES, TM_VALID_STORAGE, TM_HOOKS_PAGE_CACHE},
    {v1::TASK_PAGE_CACHE_LOOKUP_COUNT, TM_C_PAGE_CACHE_LOOKUPS, kNone, TM_VALID_STORAGE, TM_HOOKS_PAGE_CACHE_LOOKUP},
    {v1::TASK_NET_TX_BYTES, TM_C_NET_TX, kNone, TM_VALID_STORAGE, TM_HOOKS_NET},
    {v1::TASK_NET_RX_BYTES, TM_C_NET_RX, kNone, TM_VALID_STORAGE, TM_HOOKS_NET},
    {v1::TASK_UNIX_TX_BYTES, TM_C_UNIX_TX, kNone, TM_VALID_STORAGE, TM_HOOKS_NET},
    {v1::TASK_UNIX_RX_BYTES, TM_C_UNIX_RX, kNone, TM_VALID_STORAGE, TM_HOOKS_NET},
    {v1::TASK_CONNECT_COUNT, TM_C_CONNECTS, kNone, TM_VALID_STORAGE, TM_HOOKS_CONNECT},
};

struct ProcessGaugeSource {
  v1::Metric metric;
  tm_process_gauge gauge;
  uint32_t valid;
  bool memory;  // 0 for a task that has no address space
};

constexpr ProcessGaugeSource kProcessGauges[] = {
    {v1::TASK_VM_SIZE, TM_P_VM_BYTES, TM_VALID_MM, true},
    {v1::TASK_RSS_ANON_SIZE, TM_P_RSS_ANON_BYTES, TM_VALID_MM, true},
    {v1::TASK_RSS_FILE_SIZE, TM_P_RSS_FILE_BYTES, TM_VALID_MM, true},
    {v1::TASK_RSS_SHMEM_SIZE, TM_P_RSS_SHMEM_BYTES, TM_VALID_MM, true},
    {v1::TASK_SWAP_DATA_SIZE, TM_P_SWAP_BYTES, TM_VALID_MM, true},
    {v1::TASK_PEAK_PM_SIZE, TM_P_RSS_PEAK_BYTES, TM_VALID_SIGNAL, true},
    {v1::TASK_FD_COUNT, TM_P_FD_COUNT, TM_VALID_FILES, false},
    {v1::TASK_FD_LIMIT, TM_P_FD_LIMIT, TM_VALID_SIGNAL, false},
    {v1::TASK_THREAD_COUNT, TM_P_THREADS, TM_VALID_SIGNAL, false},
};

struct MaximumSource {
  tm_maximum maximum;
  tm_hook_group hook;
  v1::Metric metric;
  v1::Metric at;
  v1::Metric cpu;
  v1::Metric who;  // METRIC_UNSPECIFIED: the hook knows nobody
};

constexpr MaximumSource kMaxima[] = {
    {TM_M_OFFCPU_NS, TM_HOOKS_SCHED, v1::TASK_SWITCH_OFFCPU_TIME_MAX, v1::TASK_SWITCH_OFFCPU_TIME_MAX_AT,
     v1::TASK_SWITCH_OFFCPU_TIME_MAX_CPU, v1::TASK_SWITCH_OFFCPU_TIME_MAX_BY},
    {TM_M_RUNQ_NS, TM_HOOKS_SCHED, v1::TASK_RUNQ_WAIT_TIME_MAX, v1::TASK_RUNQ_WAIT_TIME_MAX_AT,
     v1::TASK_RUNQ_WAIT_TIME_MAX_CPU, v1::TASK_RUNQ_WAIT_TIME_MAX_BY},
    {TM_M_IOWAIT_NS, TM_HOOKS_SCHED, v1::TASK_IO_WAIT_TIME_MAX, v1::TASK_IO_WAIT_TIME_MAX_AT,
     v1::TASK_IO_WAIT_TIME_MAX_CPU, v1::METRIC_UNSPECIFIED},
    {TM_M_IO_REQUEST_NS, TM_HOOKS_BLOCK, v1::TASK_IO_REQUEST_TIME_MAX, v1::TASK_IO_REQUEST_TIME_MAX_AT,
     v1::TASK_IO_REQUEST_TIME_MAX_CPU, v1::TASK_IO_REQUEST_TIME_MAX_DEVICE},
};

// Below, nobody asks for the circumstances, and storing them would cost more than the maximum.
constexpr uint64_t kWitnessFromNs = 1'000'000;

static_assert(v1::Metric_MAX < kMetricSlots, "raise kMetricSlots");

}  // namespace

void Add(Counters& sum, const Counters& value) {
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += value[i];
}

void Subtract(Counters& sum, const Counters& value) {
  for (size_t i = 0; i < sum.size(); ++i) sum[i] -= value[i];
}

std::optional<uint32_t> HookedCounterOf(v1::Metric metric) {
  for (const CounterSource& source : kCounters) {
    if (source.metric == metric && source.hook != kNone && source.second == kNone) return source.first;
  }
  return std::nullopt;
}

std::optional<uint32_t> MaximumOf(v1::Metric metric) {
  for (const MaximumSource& source : kMaxima) {
    if (source.metric == metric) return source.maximum;
  }
  return std::nullopt;
}

rules::HookedMetrics MakeHookedMetrics() {
  return {.counter = HookedCounterOf, .maximum = MaximumOf, .grows_open = query::ChangesWhileIdle};
}

void CpuSplit::Update(uint64_t runtime_ns, uint64_t sampled_utime_ns, uint64_t sampled_stime_ns) {
  if (runtime_ns <= utime_ns_ + stime_ns_) return;
  uint64_t stime = 0;
  if (sampled_utime_ns == 0 && sampled_stime_ns != 0) {
    stime = runtime_ns;
  } else if (sampled_stime_ns != 0) {
    const auto total = static_cast<unsigned __int128>(sampled_utime_ns) + sampled_stime_ns;
    stime = static_cast<uint64_t>(static_cast<unsigned __int128>(runtime_ns) * sampled_stime_ns / total);
  }
  stime = std::max(stime, stime_ns_);
  uint64_t utime = runtime_ns - std::min(stime, runtime_ns);
  if (utime < utime_ns_) {
    utime = utime_ns_;
    stime = runtime_ns - utime;
  }
  utime_ns_ = utime;
  stime_ns_ = stime;
}

void FillCounters(const Counters& counters, const CpuSplit& split, uint32_t valid_bits, HookGroups attached,
                  SampleDraft* sample) {
  for (const CounterSource& source : kCounters) {
    if ((valid_bits & source.valid) != source.valid) continue;
    if (source.hook != kNone && !attached.test(source.hook)) continue;
    sample->Set(source.metric,
                static_cast<int64_t>(counters[source.first] + (source.second == kNone ? 0 : counters[source.second])));
  }
  sample->Set(v1::TASK_UTIME_JIFFIES, static_cast<int64_t>(split.utime_ns()));
  sample->Set(v1::TASK_STIME_JIFFIES, static_cast<int64_t>(split.stime_ns()));
}

void FillProcessGauges(const uint64_t (&gauges)[TM_P_MAX], uint32_t valid_bits, bool has_no_memory,
                       SampleDraft* sample) {
  for (const ProcessGaugeSource& source : kProcessGauges) {
    if ((valid_bits & source.valid) == source.valid) {
      sample->Set(source.metric, static_cast<int64_t>(gauges[source.gauge]));
    } else if (source.memory && has_no_memory) {
      sample->Set(source.metric, 0);
    }
  }
  if (sample->is_valid(v1::TASK_RSS_ANON_SIZE)) {
    sample->Set(v1::TASK_PM_SIZE, sample->value(v1::TASK_RSS_ANON_SIZE) + sample->value(v1::TASK_RSS_FILE_SIZE) +
                                      sample->value(v1::TASK_RSS_SHMEM_SIZE));
  }
}

void FillMaxima(const std::array<tm_max, TM_M_MAX>& maxima, HookGroups attached, SampleDraft* sample) {
  for (const MaximumSource& source : kMaxima) {
    if (!attached.test(source.hook)) continue;
    const tm_max& maximum = maxima[source.maximum];
    sample->Set(source.metric, static_cast<int64_t>(maximum.value_ns));
    if (maximum.value_ns < kWitnessFromNs) continue;
    sample->Set(source.at, static_cast<int64_t>(maximum.at_ns));
    sample->Set(source.cpu, maximum.cpu);
    if (source.who != v1::METRIC_UNSPECIFIED) sample->Set(source.who, maximum.witness);
  }
}

void FillDeltas(const TaskSample* before, bool born_in_tick, SampleDraft* sample) {
  if (before == nullptr && !born_in_tick) return;
  const MetricNumbers was = before != nullptr ? before->values.AsArray() : MetricNumbers{};
  auto fill = [&](v1::Metric metric) {
    if (!sample->is_valid(metric) || (before != nullptr && !before->valid.test(metric))) return;
    // A counter that seems to fall has lost a record that was counted; its increase is unknown, never negative.
    const int64_t delta = sample->value(metric) - was[metric];
    sample->SetDelta(metric, before != nullptr ? std::max<int64_t>(0, delta) : delta);
  };
  for (const CounterSource& source : kCounters) fill(source.metric);
  fill(v1::TASK_UTIME_JIFFIES);
  fill(v1::TASK_STIME_JIFFIES);
}

}  // namespace taskmon::daemon

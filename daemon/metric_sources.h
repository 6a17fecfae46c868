// SPDX-License-Identifier: Apache-2.0
//
// Which number of the kernel side fills which metric: the only table that knows both tm_counter and v1::Metric. Pure.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>

#include "bpf/taskmon_abi.h"
#include "daemon/rules/kernel_test.h"
#include "daemon/sample_draft.h"
#include "proto/catalogue.h"
#include "storage/sample.h"

namespace taskmon::daemon {

using Counters = std::array<uint64_t, TM_C_MAX>;
using HookGroups = std::bitset<TM_HOOK_GROUP_MAX>;

// Splits the exact run time by the tick-sampled ratio of user to system time so that both parts only grow: the method
// of the kernel's cputime_adjust (kernel/sched/cputime.c).
class CpuSplit {
 public:
  // All in ns. Afterwards utime_ns() + stime_ns() == runtime_ns, unless that would make one of them fall.
  void Update(uint64_t runtime_ns, uint64_t sampled_utime_ns, uint64_t sampled_stime_ns);
  uint64_t utime_ns() const { return utime_ns_; }
  uint64_t stime_ns() const { return stime_ns_; }

 private:
  uint64_t utime_ns_ = 0;
  uint64_t stime_ns_ = 0;
};

// Counters of several threads in one.
void Add(Counters& sum, const Counters& value);
void Subtract(Counters& sum, const Counters& value);

// The number that hooks keep for a metric; nullopt: they keep none, or it is made of several.
std::optional<uint32_t> HookedCounterOf(v1::Metric metric);
std::optional<uint32_t> MaximumOf(v1::Metric metric);
// The three questions of the push-down plan.
rules::HookedMetrics MakeHookedMetrics();

// Fills every counter metric from `counters`. `valid_bits` (enum tm_valid) and `attached` say which are known.
void FillCounters(const Counters& counters, const CpuSplit& split, uint32_t valid_bits, HookGroups attached,
                  SampleDraft* sample);

// Fills the gauges that belong to the process. Tasks without an address space (kernel threads, zombies) have 0 bytes.
void FillProcessGauges(const uint64_t (&gauges)[TM_P_MAX], uint32_t valid_bits, bool has_no_memory,
                       SampleDraft* sample);

// Fills the window maxima.
void FillMaxima(const std::array<tm_max, TM_M_MAX>& maxima, HookGroups attached, SampleDraft* sample);

// Deltas of all counter metrics from `before`; with no `before`, a task that was born in the tick has grown by all of
// its value.
void FillDeltas(const TaskSample* before, bool born_in_tick, SampleDraft* sample);

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
//
// One task at one tick as expressions, sorting and answers see it: attributes, and metrics with everything that is
// derived at reading time (percentages, waits still open, idle tasks) resolved in one place.
#pragma once

#include <cstdint>
#include <optional>

#include "proto/catalogue.h"
#include "storage/sample.h"

namespace taskmon::query {

struct NamesVisible {
  bool cmdline = true;
  bool exe = true;
};

struct Row {
  const Snapshot* snapshot = nullptr;
  const TaskSample* sample = nullptr;
  bool guarded_visible = true;  // the caller may see this task's guarded metrics and its executable's path
  bool cmdline_visible = true;  // … and its command line, which is guarded only where /proc has hidepid

  const TaskInfo& info() const { return *sample->info; }
  // A kernel thread has no executable to hide.
  NamesVisible names_visible() const { return {cmdline_visible, guarded_visible || info().kthread}; }
  bool idle() const { return sample->tick_seq != snapshot->tick.seq; }
};

// The metric's value in 1/scale units at the row's tick; nullopt: unavailable. Ignores guarding.
//   window maxima: 0 for an idle task, but a wait still open counts up to the tick
//   task_offcpu_time, task_io_wait_time: closed waits plus the one still open
//   task_cpu_percent: delta of task_runtime_ns over the tick;  task_mem_percent: of memory_total_bytes
std::optional<int64_t> ResolveValue(const Row& row, v1::Metric metric);

// Ticks that are shorter tell no rates: waits are booked whole when they end, and over a few
// ms they would make minutes a second. taskmond takes such a tick when it stops.
inline constexpr uint64_t kShortestForRateNs = 20'000'000;

// A counter's increase per second over the time that really passed (Tick.elapsed_ns, not the interval), in catalogue
// units; nullopt: unavailable, not a counter, first tick, a tick too short (but for a task whose whole life it is). The
// two waiting times count a wait still open for its part of the tick, and at most the tick for each thread, because a
// wait that ends is booked whole.
std::optional<double> ResolveRate(const Row& row, v1::Metric metric);

// What ResolveRate is made of: what a counter grew by in the row's tick, in held units; 0 at a first tick. nullopt: as
// there.
std::optional<int64_t> ResolveIncrease(const Row& row, v1::Metric metric);

// Whether the caller may not see the metric in this row.
bool IsRedacted(const Row& row, v1::Metric metric);

// The metrics and the stored ones that they are resolved from, so that a scan reads all it needs.
MetricSet WithSources(MetricSet metrics);

// Whether an idle task's value moves on by itself: open waits do. (Everything else is as it was, or 0.)
bool ChangesWhileIdle(v1::Metric metric);
// Whether that of this row does.
bool MovesOn(const Row& row, v1::Metric metric);

// Computed at reading time alone, never stored.
bool IsDerived(v1::Metric metric);

}  // namespace taskmon::query

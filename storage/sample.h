// SPDX-License-Identifier: Apache-2.0
//
// What one tick saw, as every part of taskmon holds it: the sampler builds it, the ring stores and returns it, the
// query engine reads it. A Snapshot and all that hangs on it is immutable once published and shared by shared_ptr.
//
// Values of metrics are integers in 1/scale of the catalogue's unit. Storage knows numbers only, no names. Tasks are
// tens of thousands, and what is said of them is kept for a while: so zeroes take no room and texts are shared.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "storage/metric_values.h"
#include "storage/shared_text.h"

namespace taskmon {

// Who a row is about. Numbers are reused, so the start time belongs to the identity. A process and its leading thread
// share tid and start_ns; `thread` tells them apart.
struct TaskKey {
  uint64_t start_ns = 0;  // CLOCK_BOOTTIME
  int32_t tid = 0;
  bool thread = false;

  auto operator<=>(const TaskKey&) const = default;
};

struct TaskKeyHash {
  size_t operator()(const TaskKey& key) const {
    // Both ends of the hash must be well mixed: open tables take the slot from one and the tag from the other, and tids
    // of a fork storm follow each other.
    uint64_t h = (static_cast<uint64_t>(key.tid) << 1 | key.thread) * 0x9e3779b97f4a7c15ull + key.start_ns;
    h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93ull;
    return static_cast<size_t>(h ^ (h >> 32));
  }
};

// What rarely changes in the life of a task. A change makes a new TaskInfo; unchanged ones are shared between ticks.
struct TaskInfo {
  TaskKey key;
  SharedText boot_id;  // empty: the current boot
  int32_t tgid = 0;
  int32_t ppid = 0;
  uint64_t process_start_ns = 0;
  int64_t start_wall_ns = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  bool kthread = false;
  bool tracked = true;
  std::string comm;
  SharedText cmdline;  // arguments joined by blanks
  SharedText exe;
  SharedText user;    // empty: not resolved
  SharedText cgroup;  // path in the v2 (or systemd's) hierarchy
  SharedText unit;
  SharedText container;
  SharedText app;
  std::vector<std::string> rules;
};

// Least and largest values of gauges over a tick of a coarser resolution (see storage/ring_reader.h).
struct GaugeRange {
  MetricValues least;
  MetricValues largest;
};

// The numbers of one task. A task that did nothing since an earlier tick keeps that tick's sample: `tick_seq` is then
// smaller than the snapshot's, its deltas count as 0 and its window maxima are over (see ResolveValue in
// daemon/query/row.h).
struct TaskSample {
  std::shared_ptr<const TaskInfo> info;
  uint64_t tick_seq = 0;
  MetricSet valid;  // a metric that is not valid is unavailable
  MetricValues values;
  MetricValues deltas;         // counters: increase since the tick before; 0 at a task's first tick in a boot unless it
                               // was born inside the tick
  MetricValues taken_boot_ns;  // values older than the tick: when they were read
  std::shared_ptr<const GaugeRange> range;  // null: every gauge was `values` for all of the tick
};

// What it takes in memory, its info left out, which it shares.
inline size_t BytesOf(const TaskSample& sample) {
  return sizeof sample + sample.values.heap_bytes() + sample.deltas.heap_bytes() + sample.taken_boot_ns.heap_bytes();
}

struct Tick {
  uint64_t seq = 0;  // grows by 1 within one run of the daemon, and never falls over the life of a file
  int64_t wall_ns = 0;
  uint64_t boot_ns = 0;       // CLOCK_BOOTTIME
  uint64_t elapsed_ns = 0;    // since the tick before; 0 for the first
  uint64_t lost_records = 0;  // lifecycle records lost in this tick, all kinds
};

struct Snapshot {
  Tick tick;
  std::string boot_id;
  int64_t memory_total_bytes = 0;
  // Sorted by (tgid, process row first, tid). A process has thread rows only when it has, or had, more than one thread;
  // otherwise its process row stands for its only thread as well.
  std::vector<std::shared_ptr<const TaskSample>> tasks;
};

enum class EventType : uint8_t {
  kFork = 1,
  kExec = 2,
  kExit = 3,
  kOomKill = 4,
  kThreshold = 5,
  kRule = 6,
  kGap = 7,
  kRename = 8,
  kDegraded = 9,
};

// One thing that happened to a task (or to the record itself: kGap and kDegraded have no task).
struct Event {
  uint64_t id = 0;  // given by the ring writer, grows over the life of a file; 0: not stored yet
  EventType type = EventType::kFork;
  int64_t wall_ns = 0;
  uint64_t boot_ns = 0;
  std::shared_ptr<const TaskInfo> task;  // as it was then; null for kGap, kDegraded
  int32_t wait_status = 0;               // exit: as wait(2) has it
  uint64_t duration_ns = 0;
  std::shared_ptr<const TaskSample> final_sample;  // exit: totals of the whole life, without deltas; null otherwise
  std::string detail;
  uint64_t lost = 0;  // gap: records lost
  // Threshold crossings and rule decisions; `begins` of kDegraded, too: something is left out, or is done again.
  std::string rule;     // the rule that the task came under, or left; the rule whose threshold was crossed
  bool begins = true;   // threshold: crossed (true), or back to normal
  MetricId metric = 0;  // threshold: what was compared; 0: not a metric
  double value = 0;     // threshold: what it was then, in catalogue units; counters as their rate per second
  double baseline = 0;  // threshold: the fixed limit, or the median that an anomaly is measured from
};

}  // namespace taskmon

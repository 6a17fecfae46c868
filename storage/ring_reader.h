// SPDX-License-Identifier: Apache-2.0
//
// Reads a history file or a snapshot file while a writer may be at work on it. Every call uses short read transactions
// of its own, so that a slow caller pins nothing. One reader belongs to one thread at a time; open as many as needed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/ring_writer.h"
#include "storage/sample.h"

namespace taskmon::storage {

struct TimeRange {
  int64_t begin_wall_ns = 0;
  int64_t end_wall_ns = 0;  // inclusive
};

// A stretch of time between two ticks that no tick tells of.
struct Gap {
  enum class Reason : uint8_t {
    kNotRunning,  // the daemon was down, or the machine
    kNotStored,   // ticks were taken but not stored: queue or disk full
    kLost,        // a tick without a task or an end of it: records were lost
  };
  Reason reason = Reason::kNotRunning;
  int64_t begin_wall_ns = 0;
  int64_t end_wall_ns = 0;
  uint64_t lost = 0;  // kNotStored: ticks, where known; kLost: records
};

// Which tasks a scan yields; empty: all.
struct ScanFilter {
  int32_t tid = 0;                        // 0: any
  std::optional<bool> thread;             // unset: both process and thread rows
  MetricSet metrics = MetricSet().set();  // others stay not valid, and their columns are not read
  // Of the resolutions stored the coarsest that this is a multiple of; 0: as sampled. Where that is not there (the
  // latest minutes, or dropped) the next finer or coarser one stands in.
  int64_t step_ns = 0;
  // Goes on after the tick of this number: what Snapshot::tick.seq was when an earlier scan stopped.
  uint64_t after_seq = 0;
  // Called between two ticks, and before a tick that lost records. Unset: gaps are passed over.
  std::function<void(const Gap&)> on_gap;
};

// The newest tick, and the newest event by then.
struct StoredEnd {
  uint64_t tick_seq = 0;
  uint64_t event_id = 0;
};

struct EventFilter {
  uint64_t after_id = 0;
  uint64_t until_id = UINT64_MAX;  // inclusive
  uint32_t types = ~0u;            // bit 1 << type
};

// Whose eyes a cut was made for: of tasks of other users it lacks what they may not see.
struct Receiver {
  uint32_t uid = 0;
  bool cmdlines_hidden = false;  // the command lines of others, too
};

// One task from its birth, or from when it was first recorded, to its end.
struct Life {
  int64_t task_id = 0;                   // in this file
  std::shared_ptr<const TaskInfo> info;  // its latest names
  bool ended = false;                    // false: it was there at the newest tick
  int64_t exit_wall_ns = 0;              // 0: its end was not recorded, if it has ended
  uint64_t exit_boot_ns = 0;
  int32_t wait_status = 0;
  uint64_t duration_ns = 0;
  std::shared_ptr<const TaskSample> final_sample;  // null: not recorded, or not stored any more
};

struct Children {
  std::vector<Life> lives;  // oldest first, without final samples
  uint64_t more = 0;
};

class RingReader {
 public:
  // NotFound: no such file. FailedPrecondition: not a history file, or a newer format.
  static absl::StatusOr<std::unique_ptr<RingReader>> Open(const std::string& path, std::vector<ColumnSpec> columns);
  virtual ~RingReader() = default;

  // nullopt: nothing was left out of the file for anybody's sake.
  virtual absl::StatusOr<std::optional<Receiver>> MadeFor() = 0;

  // Times of the oldest and newest tick; nullopt: nothing stored.
  virtual absl::StatusOr<std::optional<TimeRange>> Range() = 0;

  // How far the file has come at one moment; nullopt: nothing stored.
  virtual absl::StatusOr<std::optional<StoredEnd>> End() = 0;

  // The world as of the newest tick at or before `wall_ns`, in the finest resolution that is stored of that time.
  // OutOfRange: before the oldest tick, after the newest, or inside a gap (the message names the range or the gap).
  virtual absl::StatusOr<std::shared_ptr<const Snapshot>> At(int64_t wall_ns) = 0;

  // Ticks with begin <= time <= end, oldest first. A tick of a coarser resolution stands for all the time since the one
  // before it (Tick::elapsed_ns), has all tasks that lived in it, and gauges with their TaskSample::range. The Snapshot
  // holds the rows that pass the filter and lives only during the call. Returning false stops the scan.
  using TickSink = std::function<bool(const Snapshot&)>;
  virtual absl::Status Scan(int64_t begin_wall_ns, int64_t end_wall_ns, const ScanFilter& filter,
                            const TickSink& sink) = 0;

  // All tasks that had the number, oldest first; a process before its leading thread.
  virtual absl::StatusOr<std::vector<Life>> Lives(int32_t tid) = 0;
  // The process that started it, as far as it is known; nullopt: not stored.
  virtual absl::StatusOr<std::optional<Life>> Parent(const Life& child) = 0;
  // Processes that it started. Looks at the names of all tasks.
  virtual absl::StatusOr<Children> ChildrenOf(const Life& parent, size_t limit) = 0;

  // Events with begin <= time <= end in the order of their ids, read in pages. Returning false stops.
  using EventSink = std::function<bool(const Event&)>;
  virtual absl::Status ScanEvents(int64_t begin_wall_ns, int64_t end_wall_ns, const EventFilter& filter,
                                  const EventSink& sink) = 0;
};

}  // namespace taskmon::storage

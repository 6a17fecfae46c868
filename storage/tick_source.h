// SPDX-License-Identifier: Apache-2.0
//
// What the open chunk (journal) and a closed chunk (columns) have in common: a list of ticks, and rows whose state
// changes from tick to tick. A row is one unbroken stretch of a task's presence inside one chunk. An update is a tick
// at which a row got a new sample; between updates the row keeps the sample it has, which is what "idle" means.
//
// A TickSource is a cursor owned by one thread: Step applies the next tick to the rows.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <absl/status/status.h>

#include "storage/codec.h"
#include "storage/sample.h"

namespace taskmon::storage {

// Whether a row of `a` comes before a row of `b` in a snapshot.
inline bool InSnapshotOrder(const TaskInfo& a, const TaskInfo& b) {
  if (a.tgid != b.tgid) return a.tgid < b.tgid;
  if (a.key.thread != b.key.thread) return !a.key.thread;
  if (a.key.tid != b.key.tid) return a.key.tid < b.key.tid;
  return a.key.start_ns < b.key.start_ns;
}

struct TickHeader {
  Tick tick;
  int64_t memory_total_bytes = 0;
};

// Metrics whose delta is, unless said otherwise, the difference to the update before.
using CounterSet = MetricBits;

struct RowState {
  int64_t task_id = 0;
  int64_t info_id = 0;
  uint64_t age_ticks = 0;  // ticks since the sample was taken; 0: the row was active at its update
  TaskSample sample;       // `info` stays null: it is named by info_id
};

struct StepChanges {
  std::vector<uint32_t> gone;     // present at the tick before, not at this one
  std::vector<uint32_t> updated;  // new rows, and rows with a new sample
};

class TickSource {
 public:
  virtual ~TickSource() = default;
  virtual const std::vector<TickHeader>& ticks() const = 0;
  // Applies the next tick. DataLoss on damage; after that the source is spent.
  virtual absl::Status Step(StepChanges* changes) = 0;
  virtual const RowState& row(uint32_t index) const = 0;
};

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
//
// The only write connection to the history file. Owned by one thread (tm-writer).
//
// Append writes one tick in one transaction: a small journal row with what changed, the events, new or changed task
// rows. After chunk_ticks ticks the journal of the open chunk becomes compressed columns and is deleted in one
// transaction. A file left by a crash is finished at Open: its journal becomes a closed chunk. The byte cap covers the
// database, its WAL and shared memory file, and holds before and after every call.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/sample.h"

namespace taskmon::storage {

// How a column is kept: counters and gauges share encodings, window maxima are 0 for tasks that were idle in the tick.
enum class ColumnKind : uint8_t { kCounter = 1, kGauge = 2, kWindowMax = 3 };

struct ColumnSpec {
  MetricId id;
  ColumnKind kind;
  bool stored;  // false: derived at reading, never written
};

struct RingOptions {
  std::string path;
  uint64_t cap_bytes = 512ull << 20;  // at least 1 MiB
  int64_t max_age_ns = 7ll * 86400 * 1000000000;
  uint32_t chunk_ticks = 60;
  std::vector<ColumnSpec> columns;
};

// Rows that belong to a tick that was appended before.
struct PastTick {
  uint64_t seq = 0;
  std::vector<std::shared_ptr<const TaskSample>> tasks;  // any order; tick_seq as in a snapshot of that tick
};

struct RingStats {
  uint64_t bytes = 0;          // database + WAL + shm
  int64_t oldest_wall_ns = 0;  // 0: empty
  int64_t newest_wall_ns = 0;
  uint64_t chunks_dropped = 0;  // by cap or age, since open
  std::string set_aside;        // path of the damaged file set aside last, at Open or later; empty: none
};

class RingWriter {
 public:
  // Creates or continues the file. FailedPrecondition: another process writes it, or its format is newer than ours.
  // A file that is not a database, or is damaged, is renamed to "<path>.damaged-<unix time>" and a new one begun.
  static absl::StatusOr<std::unique_ptr<RingWriter>> Open(const RingOptions& options);
  virtual ~RingWriter() = default;

  // The highest tick number in the file; 0 when empty. The daemon numbers on from here.
  virtual uint64_t last_tick_seq() const = 0;

  // Stores one tick and the events up to it, durably. Gives each event its id. On an error (ResourceExhausted: disk
  // full) nothing of the tick is stored, and the writer can be used again; the next tick stored is complete in itself.
  virtual absl::Status Append(const Snapshot& snapshot, std::vector<Event>* events) = 0;

  // Supplements ticks of the current boot that are stored already: readers find these rows in them as if they had been
  // appended with their tick; a row of a task that the tick has already replaces that row. All or nothing, in one
  // transaction. Ticks that are no more stored are left out without an error. InvalidArgument: a tick newer than the
  // last one appended, ticks that do not ascend, a task twice in a tick, or more than kMaxPastTicks ticks.
  virtual absl::Status AddPast(const std::vector<PastTick>& ticks) = 0;
  static constexpr size_t kMaxPastTicks = 4096;

  // Closes the open chunk and checkpoints. Called once, at an orderly stop; the destructor does not.
  virtual absl::Status Close() = 0;

  virtual RingStats stats() const = 0;
};

}  // namespace taskmon::storage

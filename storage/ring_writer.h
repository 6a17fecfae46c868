// SPDX-License-Identifier: Apache-2.0
//
// The only write connection to the history file. Owned by one thread (tm-writer).
//
// Append writes one tick in one transaction: a small journal row with what changed, the events, new or changed task
// rows. After chunk_ticks ticks the journal of the open chunk becomes compressed columns, as sampled and folded, and is
// deleted in one transaction. A file left by a crash is finished at Open: its journal becomes a closed chunk. The byte
// cap covers the database, its WAL and shared memory file, and holds before and after every call.
#pragma once

#include <array>
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
  // What is kept of it (storage/precision.h): multiples of `quantum` (0: exact), and of large values `digits` binary
  // digits (0: all).
  int64_t quantum = 0;
  uint8_t digits = 0;
  bool rounds_up = false;  // an instant since when: so that no wait is shown longer than it was
  // A circumstance of a window maximum; 0: it is not. It is kept where the maximum is at least `witness_from`, and
  // where the circumstance `witness_with` (0: none) is not 0.
  MetricId witness_of = 0;
  int64_t witness_from = 0;
  MetricId witness_with = 0;
  // A ratio that holds for its tick alone: over several ticks it is the mean, weighted by the increase of this counter.
  MetricId weight = 0;
  // A waiting time: with the time `spent` otherwise it makes up the time to `instant`, or to the tick while that is 0,
  // if the task has one thread. Nothing is lost where that does not hold. 0: not such a time.
  MetricId instant = 0;
  MetricId spent = 0;
  // A gauge of which coarser resolutions keep the least and the largest value as well.
  bool ranged = false;
};

// Ticks are kept as sampled, and folded into ticks of 10 s and of 1 min (what folding means: storage/recode.h).
inline constexpr size_t kResolutions = 3;

struct ResolutionLimits {
  int64_t max_age_ns = 0;  // 0: RingOptions::max_age_ns, which none exceeds
  uint64_t max_bytes = 0;  // 0: bounded by the cap alone
  uint32_t share = 1;      // when the cap asks for room: of what most exceeds its share the oldest goes first
};

struct RingOptions {
  std::string path;
  uint64_t cap_bytes = 512ull << 20;  // of everything: database, WAL and shared memory; at least 1 MiB
  int64_t max_age_ns = 7ll * 86400 * 1000000000;
  // A chunk is closed after so many ticks, or up to a fifth more to end with a minute; sooner if it grows large.
  uint32_t chunk_ticks = 300;
  std::vector<ColumnSpec> columns;
  std::array<ResolutionLimits, kResolutions> resolutions = {{{.share = 7}, {.share = 2}, {.share = 1}}};
  bool coarser = true;  // false: as sampled alone
  bool durable = true;  // false: a crash of the machine may cost the file
};

// Rows that belong to a tick that was appended before.
struct PastTick {
  uint64_t seq = 0;
  std::vector<std::shared_ptr<const TaskSample>> tasks;  // any order; tick_seq as in a snapshot of that tick
};

struct RingStats {
  uint64_t bytes = 0;          // database + WAL + shm
  uint64_t used_bytes = 0;     // pages in use, wherever they lie: what is stored
  int64_t oldest_wall_ns = 0;  // 0: empty
  int64_t newest_wall_ns = 0;
  uint64_t chunks_dropped = 0;  // by cap or age, since open, of all resolutions
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

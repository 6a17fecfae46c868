// SPDX-License-Identifier: Apache-2.0
//
// Finds closed chunks in a file and reads of them what is asked for. Belongs to a RingReader; every call must stand in
// a read transaction of the caller, who can let go of it when the call returns: what is loaded is in memory.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_set>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/chunk.h"
#include "storage/sqlite_db.h"

namespace taskmon::storage {

struct ChunkRef {
  int64_t id = 0;
  int64_t boot = 0;
  uint64_t first_seq = 0;
  uint64_t last_seq = 0;
  int tier = 0;
};

class ChunkLoader {
 public:
  static absl::StatusOr<std::unique_ptr<ChunkLoader>> Open(Database* db, const CounterSet& counters);

  // The first chunk of a resolution with ticks after `after_seq` and between the times.
  absl::StatusOr<std::optional<ChunkRef>> Next(int tier, uint64_t after_seq, int64_t begin_wall_ns,
                                               int64_t end_wall_ns);
  // Chunks of a resolution that reach into a stretch of time, newest first, and their ticks.
  absl::StatusOr<std::vector<ChunkRef>> Around(int tier, int64_t begin_wall_ns, int64_t end_wall_ns);
  absl::StatusOr<std::vector<TickHeader>> Ticks(const ChunkRef& ref);
  // Chunks that supplement ticks of these numbers, oldest first.
  absl::StatusOr<std::vector<ChunkRef>> Supplements(uint64_t first_seq, uint64_t last_seq);
  // Rows of the wanted tasks (null: all) with the metrics asked for.
  absl::StatusOr<ClosedChunk> Load(const ChunkRef& ref, const MetricSet& metrics, const ClosedChunk::Wanted& wanted);

 private:
  ChunkLoader(Database* db, const CounterSet& counters) : db_(db), counters_(counters) {}
  absl::Status Prepare();
  absl::StatusOr<std::optional<ChunkRef>> Take(Statement* select);
  absl::StatusOr<std::vector<ChunkRef>> TakeAll(Statement* select);
  // Leaves head_ at the row of the chunk.
  absl::Status SelectHead(const ChunkRef& ref);
  absl::StatusOr<ClosedChunk> LoadBody(ChunkHead head, int64_t id, const MetricSet& metrics,
                                       const ClosedChunk::Wanted& wanted);
  absl::StatusOr<ClosedChunk> LoadLegacy(std::vector<TickHeader> ticks, int64_t id, const MetricSet& metrics,
                                         const ClosedChunk::Wanted& wanted);
  absl::StatusOr<std::string> LegacyPart(int64_t id, uint16_t key);

  Database* const db_;
  const CounterSet counters_;
  BlobReader blob_;
  Statement next_, around_, past_, head_, part_;
};

}  // namespace taskmon::storage

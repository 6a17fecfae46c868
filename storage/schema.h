// SPDX-License-Identifier: Apache-2.0
//
// The tables of a history file, its format version, and how connections to it are set up. README.md describes the
// tables.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/ring_reader.h"
#include "storage/ring_writer.h"
#include "storage/sqlite_db.h"
#include "storage/tick_source.h"

namespace taskmon::storage {

inline constexpr int64_t kApplicationId = 0x544b4d4e;  // "TKMN"
inline constexpr int64_t kFormatVersion = 3;
inline constexpr int64_t kPageBytes = 4096;

// Resolutions: as sampled and two coarser ones; and chunks that only add rows to others (RingWriter::AddPast).
inline constexpr int kTiers = kResolutions;
inline constexpr int kPastTier = 3;
inline constexpr int64_t kTierNs[kTiers] = {0, 10ll * 1000000000, 60ll * 1000000000};

// The key of a chunk's body. In format 1 rows and columns are parts of their own, at this plus the metric.
inline int64_t PartKey(int64_t chunk, uint32_t metric) { return chunk << 16 | metric; }

// Pragmas of the write connection. The page cache never spills, so that a transaction reaches the WAL only at commit.
absl::Status ConfigureWriter(Database* db);

// Makes the tables in an empty file; checks identity and version of any other, and brings an older one up to date.
// DataLoss: not ours. FailedPrecondition: newer than this program.
absl::Status CreateOrCheckSchema(Database* db);
// As above for readers: an empty file is not a history file.
absl::Status CheckSchema(Database* db);

// The tables that came with version 3, and the views; for upgrade.cc.
absl::Status CreateTaskTables(Database* db);
absl::Status CreateViews(Database* db);

// Records the kinds of metrics new to the file, and reads back those of all: what was written under one kind is read
// under it.
absl::Status SaveMetricKinds(Database* db, const std::vector<ColumnSpec>& columns);
absl::StatusOr<CounterSet> LoadCounters(Database* db);

// Whom a cut was made for (table meta).
absl::Status SaveReceiver(Database* db, const Receiver& receiver);
absl::StatusOr<std::optional<Receiver>> LoadReceiver(Database* db);

}  // namespace taskmon::storage

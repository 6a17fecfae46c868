// SPDX-License-Identifier: Apache-2.0
//
// The tables of a history file, its format version, and how connections to it are set up. README.md describes the
// tables.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/ring_writer.h"
#include "storage/sqlite_db.h"
#include "storage/tick_source.h"

namespace taskmon::storage {

inline constexpr int64_t kApplicationId = 0x544b4d4e;  // "TKMN"
inline constexpr int64_t kFormatVersion = 2;
inline constexpr int64_t kPageBytes = 4096;

// The key of a part of a chunk: its rows (metric 0, which the catalogue does not use) or one of its columns.
inline int64_t PartKey(int64_t chunk, uint32_t metric) { return chunk << 16 | metric; }
inline constexpr uint32_t kRowsPart = 0;

// Pragmas of the write connection. The page cache never spills, so that a transaction reaches the WAL only at commit.
absl::Status ConfigureWriter(Database* db);

// Makes the tables in an empty file; checks identity and version of any other, and brings an older one up to date.
// DataLoss: not ours. FailedPrecondition: newer than this program.
absl::Status CreateOrCheckSchema(Database* db);
// As above for readers: an empty file is not a history file.
absl::Status CheckSchema(Database* db);

// Records the kinds of metrics new to the file, and reads back those of all: what was written under one kind is read
// under it.
absl::Status SaveMetricKinds(Database* db, const std::vector<ColumnSpec>& columns);
absl::StatusOr<CounterSet> LoadCounters(Database* db);

}  // namespace taskmon::storage

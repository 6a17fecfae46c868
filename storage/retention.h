// SPDX-License-Identifier: Apache-2.0
//
// Keeps the history file below its byte cap and age limit. Owned by the ring writer, on its thread and connection.
//
// The cap is divided beforehand, so that it holds at every moment, inside a transaction or a checkpoint as well:
//   cap >= database limit (PRAGMA max_page_count) + WAL limit + shared memory of such a WAL
// The page cache never spills: a transaction reaches the WAL only at Commit, which knows an upper bound of its pages
// and refuses when the WAL limit would be passed. Old chunks are dropped before the database would grow past its limit;
// the pages they leave are used again.
#pragma once

#include <cstdint>
#include <string>

#include <absl/status/status.h>

#include "storage/ring_writer.h"
#include "storage/sqlite_db.h"

namespace taskmon::storage {

class Retention {
 public:
  Retention(Database* db, const RingOptions& options);

  // Sets the limits and brings a file that is already larger below them.
  absl::Status Open();

  // Makes sure that `bytes` can be written: drops the oldest chunks and empties the WAL as needed.
  // ResourceExhausted: not possible.
  absl::Status MakeRoom(uint64_t bytes);
  // Drops the oldest chunk of a resolution when all of it is older than the age limit, or the resolution is larger than
  // its byte limit. At most one a call: a clock that jumps ahead for a moment must not cost the whole history. Where
  // none was found it is not looked for again for some seconds, unless a chunk was closed.
  absl::Status DropAged(int64_t now_wall_ns, bool chunk_closed);
  // Drops the oldest chunk of the resolution that most exceeds its share. NotFound: there is none.
  absl::Status DropOldest();

  // Commits if the WAL has room for it. ResourceExhausted: it has not, and the transaction is rolled back.
  absl::Status Commit(Transaction* transaction);
  // Empties the WAL when it has grown enough, or in any case when `force`. A reader in the way is no error.
  absl::Status Checkpoint(bool force);

  // Whether the database is at its limit, as against the disk.
  bool AtCap(uint64_t bytes_wanted) const;
  uint64_t database_limit() const { return database_limit_; }
  uint64_t wal_limit() const { return wal_limit_; }
  uint64_t UsedBytes() const;  // pages in use
  uint64_t FileBytes() const;  // database + WAL + shared memory, as the file system has them
  uint64_t chunks_dropped() const { return chunks_dropped_; }

 private:
  // A chunk goes with what supplements it. With the finest go the columns of events of its time, with the last of any
  // resolution all other events; tasks and names go when nothing is left that has them.
  absl::Status DropChunk(int64_t id);
  absl::Status DropWhatIsOver(int64_t last_event, int64_t last_task);
  absl::StatusOr<int64_t> OldestToDrop();
  absl::StatusOr<int64_t> PastLimits(int64_t now_wall_ns);
  absl::Status Shrink();
  // Deletes the rows of `table` that meet the condition, in as many transactions as the WAL needs.
  absl::Status DeleteInSteps(const char* table, const char* key, const std::string& condition);
  static int OnCommit(void* self, sqlite3* db, const char* name, int wal_frames);

  Database* db_;
  mutable Statement page_count_, free_count_;
  const std::string path_;
  const int64_t max_age_ns_;
  const std::array<ResolutionLimits, kResolutions> limits_;
  uint64_t wal_limit_;
  uint64_t database_limit_;
  uint64_t wal_bytes_ = 0;           // frames in use
  uint64_t usual_commit_bytes_ = 0;  // bound of the largest of the recent transactions
  uint64_t chunks_dropped_ = 0;
  int64_t looked_wall_ns_ = 0;  // for aged chunks, …
  bool found_aged_ = true;      // … and there may be more
};

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
//
// The writer's view of the tables `chunk` and `part`: puts closed chunks there, each with its share of the coarser
// resolutions, and keeps those at a good size. Owned by RingFile, on its thread.
//
//   tier 0  as sampled              fragment (merged 0): a chunk as the journal was
//   tier 1  10 s, tier 2  1 min     fragment: a chunk of the tier below, folded
//   merged 1: fragments that follow each other, joined; now folded into a fragment of the tier above (tier 0: before)
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/chunk.h"
#include "storage/event_store.h"
#include "storage/journal.h"
#include "storage/recode.h"
#include "storage/retention.h"
#include "storage/sqlite_db.h"

namespace taskmon::storage {

class ChunkStore {
 public:
  struct Settings {
    std::vector<ColumnSpec> columns;
    CounterSet counters;
    bool coarser = true;  // keep coarser resolutions
  };
  static absl::StatusOr<std::unique_ptr<ChunkStore>> Open(Database* db, Retention* retention, EventStore* events,
                                                          Settings settings);

  const Precision& precision() const { return precision_; }

  // Puts the journal there as a chunk, its events as blocks, and empties it, in one transaction.
  absl::Status CloseJournal(const std::vector<JournalEntry>& journal, int64_t boot);
  // Joins one run of fragments, if there are enough. True: it did, and there may be more to do.
  absl::StatusOr<bool> JoinFragments();
  // Rows that supplement ticks stored already (RingWriter::AddPast). In the caller's transaction.
  absl::Status AddPast(const EncodedChunk& chunk, int64_t boot);

 private:
  struct Stored {
    int64_t id;
    int64_t boot;
    uint64_t bytes;
    uint64_t ticks;
    uint64_t first_seq;
    int64_t behind_seq;  // the last tick of the joined chunk before it
  };
  ChunkStore(Database* db, Retention* retention, EventStore* events, Settings settings);
  absl::Status Prepare();
  absl::Status Insert(const EncodedChunk& chunk, int64_t boot, int tier, bool merged);
  absl::StatusOr<EncodedChunk> Fold(RowSource* rows, uint64_t first_seq, int tier) const;
  absl::StatusOr<ClosedChunk> Load(int64_t id);
  absl::StatusOr<std::vector<Stored>> Fragments(int tier);
  absl::StatusOr<bool> JoinTier(int tier);
  absl::Status Join(int tier, const std::vector<Stored>& fragments);
  absl::Status Replace(int tier, const std::vector<Stored>& fragments, const EncodedChunk& joined);
  // With all metrics, not walked yet.
  absl::StatusOr<ClosedChunk> OpenWhole(std::string_view head_bytes, std::string_view body) const;

  Database* const db_;
  Retention* const retention_;
  EventStore* const events_;
  const Settings settings_;
  const Precision precision_;
  const FoldRules rules_;
  Statement insert_chunk_, insert_part_, select_head_, select_body_, select_fragments_, delete_chunk_, delete_parts_;
};

}  // namespace taskmon::storage

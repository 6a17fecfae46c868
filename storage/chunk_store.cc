// SPDX-License-Identifier: Apache-2.0
#include "storage/chunk_store.h"

#include <algorithm>
#include <utility>

#include "storage/journal_rows.h"
#include "storage/schema.h"

namespace taskmon::storage {
namespace {

// Pages that a chunk dirties beside its own.
constexpr uint64_t kChunkBytes = 16 * kPageBytes;
// A run of fragments is joined when it has so many, by tier, or is as large as a chunk should be.
constexpr size_t kFragments[kTiers] = {2, 12, 12};
constexpr uint64_t kJoinedBytes = 2u << 20;
constexpr uint64_t kJoinedTicks = 600;

FetchPiece FromBody(std::string_view body) {
  return [body](const ChunkHead::Piece& piece) -> absl::StatusOr<std::string> {
    if (piece.offset > body.size() || piece.size > body.size() - piece.offset) return Damaged("short body of a chunk");
    return std::string(body.substr(piece.offset, piece.size));
  };
}

}  // namespace

ChunkStore::ChunkStore(Database* db, Retention* retention, EventStore* events, Settings settings)
    : db_(db),
      retention_(retention),
      events_(events),
      settings_(std::move(settings)),
      precision_(settings_.columns),
      rules_(settings_.columns) {}

absl::StatusOr<std::unique_ptr<ChunkStore>> ChunkStore::Open(Database* db, Retention* retention, EventStore* events,
                                                             Settings settings) {
  std::unique_ptr<ChunkStore> store(new ChunkStore(db, retention, events, std::move(settings)));
  absl::Status status = store->Prepare();
  if (!status.ok()) return status;
  return store;
}

absl::Status ChunkStore::Prepare() {
  const std::pair<Statement*, const char*> all[] = {
      {&insert_chunk_,
       "INSERT INTO chunk(boot, first_seq, last_seq, min_wall_ns, max_wall_ns, tick_count, row_count, ticks, tier,"
       " format, merged, bytes, last_event, last_task)"
       " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, 2, ?, ?, ?, (SELECT max(id) FROM task)) RETURNING id"},
      // A crash may have left the body of a chunk that is gone, whose number this one has now.
      {&insert_part_, "INSERT OR REPLACE INTO part(key, data) VALUES(?, ?)"},
      {&select_head_, "SELECT ticks FROM chunk WHERE id = ?"},
      {&select_body_, "SELECT data FROM part WHERE key = ?"},
      {&select_fragments_,
       "SELECT id, boot, bytes, tick_count, first_seq, (SELECT max(last_seq) FROM chunk WHERE tier = c.tier AND merged"
       " AND last_seq < c.last_seq) FROM chunk c WHERE tier = ? AND NOT merged ORDER BY last_seq LIMIT 64"},
      {&delete_chunk_, "DELETE FROM chunk WHERE id = ?"},
      {&delete_parts_, "DELETE FROM part WHERE key = ?"},
  };
  return db_->PrepareAll(all);
}

absl::Status ChunkStore::Insert(const EncodedChunk& chunk, int64_t boot, int tier, bool merged) {
  insert_chunk_.Bind(boot).Bind(chunk.first_seq).Bind(chunk.last_seq).Bind(chunk.min_wall_ns).Bind(chunk.max_wall_ns);
  insert_chunk_.Bind(chunk.tick_count).Bind(chunk.row_count).BindBlob(chunk.head).Bind(tier).Bind(merged);
  insert_chunk_.Bind(uint64_t{chunk.bytes()}).Bind(events_->last_id());
  absl::StatusOr<bool> row = insert_chunk_.Step();
  const int64_t id = row.ok() ? insert_chunk_.Int(0) : 0;
  insert_chunk_.Reset();
  if (!row.ok()) return row.status();
  return insert_part_.Bind(PartKey(id, 0)).BindBlob(chunk.body).Run();
}

absl::StatusOr<ClosedChunk> ChunkStore::OpenWhole(std::string_view head_bytes, std::string_view body) const {
  absl::StatusOr<ChunkHead> head = DecodeHead(head_bytes);
  if (!head.ok()) return head.status();
  const FetchPiece fetch = FromBody(body);
  absl::StatusOr<ClosedChunk> chunk = ClosedChunk::Open(*std::move(head), fetch, settings_.counters, nullptr);
  if (!chunk.ok()) return chunk;
  for (const ColumnSpec& column : settings_.columns) {
    absl::Status status = chunk->AddMetric(column.id, fetch);
    if (!status.ok()) return status;
  }
  return chunk;
}

absl::StatusOr<EncodedChunk> ChunkStore::Fold(RowSource* rows, uint64_t first_seq, int tier) const {
  absl::StatusOr<EncodedChunk> folded =
      Recode({rows}, kTierNs[tier], rules_, settings_.counters, precision_, kQuickLevel);
  if (folded.ok()) folded->first_seq = first_seq;
  return folded;
}

absl::Status ChunkStore::CloseJournal(const std::vector<JournalEntry>& journal, int64_t boot) {
  absl::StatusOr<JournalRows> rows = JournalRows::Open(journal, settings_.counters);
  if (!rows.ok()) return rows.status();
  absl::StatusOr<EncodedChunk> chunk = EncodeChunk(&*rows, settings_.counters, precision_);
  if (!chunk.ok()) return chunk.status();
  EncodedChunk folded;
  if (settings_.coarser) {
    absl::StatusOr<EncodedChunk> made = Fold(&*rows, chunk->first_seq, 1);
    if (!made.ok()) return made.status();
    folded = *std::move(made);
  }
  absl::StatusOr<int64_t> events = db_->QueryInt("SELECT sum(length(events)) FROM journal");
  if (!events.ok()) return events.status();
  absl::Status status =
      retention_->MakeRoom(chunk->bytes() + folded.bytes() + static_cast<uint64_t>(*events) + kChunkBytes);
  if (!status.ok()) return status;
  absl::StatusOr<Transaction> transaction = Transaction::Begin(db_, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  status = events_->PackJournal();
  if (status.ok()) status = Insert(*chunk, boot, 0, chunk->bytes() >= kJoinedBytes / 2);
  if (status.ok() && settings_.coarser) status = Insert(folded, boot, 1, false);
  if (status.ok()) status = db_->Exec("DELETE FROM journal");
  return status.ok() ? retention_->Commit(&*transaction) : status;
}

absl::Status ChunkStore::AddPast(const EncodedChunk& chunk, int64_t boot) {
  return Insert(chunk, boot, kPastTier, true);
}

absl::StatusOr<std::vector<ChunkStore::Stored>> ChunkStore::Fragments(int tier) {
  std::vector<Stored> fragments;
  select_fragments_.Bind(tier);
  absl::StatusOr<bool> row;
  while ((row = select_fragments_.Step()).ok() && *row) {
    fragments.push_back({select_fragments_.Int(0), select_fragments_.Int(1),
                         static_cast<uint64_t>(select_fragments_.Int(2)),
                         static_cast<uint64_t>(select_fragments_.Int(3)),
                         static_cast<uint64_t>(select_fragments_.Int(4)), select_fragments_.Int(5)});
  }
  select_fragments_.Reset();
  if (!row.ok()) return row.status();
  return fragments;
}

absl::StatusOr<bool> ChunkStore::JoinFragments() {
  for (int tier = 0; tier < (settings_.coarser ? kTiers : 1); ++tier) {
    absl::StatusOr<bool> joined = JoinTier(tier);
    if (!joined.ok() || *joined) return joined;
  }
  return false;
}

// The oldest fragments of one boot that follow each other, once there are enough or another boot or a chunk that is
// large enough by itself has come between.
absl::StatusOr<bool> ChunkStore::JoinTier(int tier) {
  absl::StatusOr<std::vector<Stored>> fragments = Fragments(tier);
  if (!fragments.ok()) return fragments.status();
  size_t count = 0;
  uint64_t bytes = 0, ticks = 0;
  bool enough = false;
  for (; count < fragments->size() && !enough; ++count) {
    const Stored& fragment = (*fragments)[count];
    if (fragment.boot != fragments->front().boot || fragment.behind_seq != fragments->front().behind_seq) break;
    bytes += fragment.bytes;
    ticks += fragment.ticks;
    enough = count + 1 == kFragments[tier] || bytes >= kJoinedBytes || ticks >= kJoinedTicks;
  }
  if (count == 0 || (!enough && count == fragments->size())) return false;
  fragments->resize(count);
  absl::Status status = Join(tier, *fragments);
  if (!status.ok()) return status;
  return true;
}

absl::StatusOr<ClosedChunk> ChunkStore::Load(int64_t id) {
  std::string head_bytes, body;
  for (auto [statement, key, out] :
       {std::tuple(&select_head_, id, &head_bytes), std::tuple(&select_body_, PartKey(id, 0), &body)}) {
    absl::StatusOr<bool> row = statement->Bind(key).Step();
    if (row.ok() && *row) *out = std::string(statement->Blob(0));
    statement->Reset();
    if (!row.ok()) return row.status();
  }
  return OpenWhole(head_bytes, body);
}

absl::Status ChunkStore::Join(int tier, const std::vector<Stored>& fragments) {
  std::vector<ClosedChunk> chunks;
  for (const Stored& fragment : fragments) {
    absl::StatusOr<ClosedChunk> chunk = Load(fragment.id);
    if (!chunk.ok()) return chunk.status();
    chunks.push_back(*std::move(chunk));
  }
  std::vector<RowSource*> sources;
  for (ClosedChunk& chunk : chunks) sources.push_back(&chunk);
  absl::StatusOr<EncodedChunk> joined = Recode(sources, 0, rules_, settings_.counters, precision_, kFinalLevel);
  if (!joined.ok()) return joined.status();
  joined->first_seq = fragments.front().first_seq;
  return Replace(tier, fragments, *joined);
}

absl::Status ChunkStore::Replace(int tier, const std::vector<Stored>& fragments, const EncodedChunk& joined) {
  EncodedChunk folded;
  const bool folds = tier > 0 && tier + 1 < kTiers;  // tier 0 was folded as it came
  if (folds) {
    absl::StatusOr<ClosedChunk> rows = OpenWhole(joined.head, joined.body);
    if (!rows.ok()) return rows.status();
    absl::StatusOr<EncodedChunk> made = Fold(&*rows, joined.first_seq, tier + 1);
    if (!made.ok()) return made.status();
    folded = *std::move(made);
  }
  const uint64_t dropped = retention_->chunks_dropped();
  absl::Status status = retention_->MakeRoom(joined.bytes() + folded.bytes() + kChunkBytes);
  if (!status.ok()) return status;
  // What made room may have been one of the fragments, whose tasks and names went with it. There is a next time.
  if (retention_->chunks_dropped() != dropped) return absl::OkStatus();
  absl::StatusOr<Transaction> transaction = Transaction::Begin(db_, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  status = Insert(joined, fragments.front().boot, tier, true);
  if (status.ok() && folds) status = Insert(folded, fragments.front().boot, tier + 1, false);
  for (const Stored& fragment : fragments) {
    if (status.ok()) status = delete_chunk_.Bind(fragment.id).Run();
    if (status.ok()) status = delete_parts_.Bind(PartKey(fragment.id, 0)).Run();
  }
  return status.ok() ? retention_->Commit(&*transaction) : status;
}

}  // namespace taskmon::storage

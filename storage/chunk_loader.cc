// SPDX-License-Identifier: Apache-2.0
#include "storage/chunk_loader.h"

#include <utility>

#include <fmt/format.h>

#include "storage/schema.h"

namespace taskmon::storage {
namespace {

// With more metrics than this it is quicker to read the whole body at once.
constexpr size_t kFewMetrics = 12;

absl::StatusOr<ClosedChunk> OpenChunk(ChunkHead head, const FetchPiece& fetch, const CounterSet& counters,
                                      const MetricSet& metrics, const ClosedChunk::Wanted& wanted) {
  absl::StatusOr<ClosedChunk> chunk = ClosedChunk::Open(std::move(head), fetch, counters, wanted);
  if (!chunk.ok() || chunk->row_count() == 0) return chunk;
  absl::Status status;
  MetricBits::Of(metrics).ForEach([&](size_t m) {
    if (status.ok()) status = chunk->AddMetric(static_cast<MetricId>(m), fetch);
  });
  if (!status.ok()) return status;
  return chunk;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChunkLoader>> ChunkLoader::Open(Database* db, const CounterSet& counters) {
  std::unique_ptr<ChunkLoader> loader(new ChunkLoader(db, counters));
  absl::Status status = loader->Prepare();
  if (!status.ok()) return status;
  return loader;
}

absl::Status ChunkLoader::Prepare() {
  absl::StatusOr<int64_t> version = db_->QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  // Format 1 knew one resolution.
  const char* const tier = *version >= 2 ? "tier" : "0";
  const std::string select = fmt::format("SELECT id, boot, first_seq, last_seq, {} FROM chunk", tier);
  const std::pair<Statement*, std::string> all[] = {
      {&next_, fmt::format("{} WHERE {} = ? AND last_seq > ? AND max_wall_ns >= ? AND min_wall_ns <= ?"
                           " ORDER BY last_seq LIMIT 1",
                           select, tier)},
      {&around_,
       fmt::format("{} WHERE {} = ? AND max_wall_ns >= ? AND min_wall_ns <= ? ORDER BY last_seq DESC", select, tier)},
      {&past_, fmt::format("{} WHERE {} = ? AND last_seq >= ? AND first_seq <= ? ORDER BY id", select, tier)},
      {&head_, fmt::format("SELECT ticks, {} FROM chunk WHERE id = ?", *version >= 2 ? "format" : "1")},
      {&part_, "SELECT data FROM part WHERE key = ?"},
  };
  return db_->PrepareAll(all);
}

absl::StatusOr<std::optional<ChunkRef>> ChunkLoader::Take(Statement* select) {
  absl::StatusOr<bool> row = select->Step();
  if (!row.ok()) return row.status();
  if (!*row) return std::optional<ChunkRef>();
  return std::optional<ChunkRef>({select->Int(0), select->Int(1), static_cast<uint64_t>(select->Int(2)),
                                  static_cast<uint64_t>(select->Int(3)), static_cast<int>(select->Int(4))});
}

absl::StatusOr<std::optional<ChunkRef>> ChunkLoader::Next(int tier, uint64_t after_seq, int64_t begin_wall_ns,
                                                          int64_t end_wall_ns) {
  ResetAtEnd reset(&next_);
  next_.Bind(tier).Bind(after_seq).Bind(begin_wall_ns).Bind(end_wall_ns);
  return Take(&next_);
}

absl::StatusOr<std::vector<ChunkRef>> ChunkLoader::TakeAll(Statement* select) {
  std::vector<ChunkRef> refs;
  for (;;) {
    absl::StatusOr<std::optional<ChunkRef>> ref = Take(select);
    if (!ref.ok()) return ref.status();
    if (!ref->has_value()) return refs;
    refs.push_back(**ref);
  }
}

absl::StatusOr<std::vector<ChunkRef>> ChunkLoader::Around(int tier, int64_t begin_wall_ns, int64_t end_wall_ns) {
  ResetAtEnd reset(&around_);
  return TakeAll(&around_.Bind(tier).Bind(begin_wall_ns).Bind(end_wall_ns));
}

absl::Status ChunkLoader::SelectHead(const ChunkRef& ref) {
  absl::StatusOr<bool> row = head_.Bind(ref.id).Step();
  if (!row.ok()) return row.status();
  return *row ? absl::OkStatus() : Damaged(fmt::format("chunk {} is missing", ref.id));
}

absl::StatusOr<std::vector<TickHeader>> ChunkLoader::Ticks(const ChunkRef& ref) {
  ResetAtEnd reset(&head_);
  if (absl::Status status = SelectHead(ref); !status.ok()) return status;
  if (head_.Int(1) == 1) return DecodeTicks(head_.Blob(0));
  absl::StatusOr<ChunkHead> head = DecodeHead(head_.Blob(0));
  if (!head.ok()) return head.status();
  return std::move(head->ticks);
}

absl::StatusOr<std::vector<ChunkRef>> ChunkLoader::Supplements(uint64_t first_seq, uint64_t last_seq) {
  ResetAtEnd reset(&past_);
  return TakeAll(&past_.Bind(kPastTier).Bind(first_seq).Bind(last_seq));
}

absl::StatusOr<ClosedChunk> ChunkLoader::Load(const ChunkRef& ref, const MetricSet& metrics,
                                              const ClosedChunk::Wanted& wanted) {
  ResetAtEnd reset(&head_);
  if (absl::Status status = SelectHead(ref); !status.ok()) return status;
  if (head_.Int(1) == 1) {
    absl::StatusOr<std::vector<TickHeader>> ticks = DecodeTicks(head_.Blob(0));
    if (!ticks.ok()) return ticks.status();
    return LoadLegacy(*std::move(ticks), ref.id, metrics, wanted);
  }
  absl::StatusOr<ChunkHead> head = DecodeHead(head_.Blob(0));
  if (!head.ok()) return head.status();
  return LoadBody(*std::move(head), ref.id, metrics, wanted);
}

absl::StatusOr<ClosedChunk> ChunkLoader::LoadBody(ChunkHead head, int64_t id, const MetricSet& metrics,
                                                  const ClosedChunk::Wanted& wanted) {
  absl::Status status = blob_.Open(db_, PartKey(id, 0));
  if (!status.ok()) return status;
  std::string whole;
  if (metrics.count() > kFewMetrics && !wanted) {
    absl::StatusOr<std::string> body = blob_.Read(0, blob_.size());
    if (!body.ok()) return body.status();
    whole = *std::move(body);
  }
  const FetchPiece fetch = [&](const ChunkHead::Piece& piece) -> absl::StatusOr<std::string> {
    if (whole.empty()) return blob_.Read(piece.offset, piece.size);
    if (piece.offset > whole.size() || piece.size > whole.size() - piece.offset)
      return Damaged("short body of a chunk");
    return whole.substr(piece.offset, piece.size);
  };
  absl::StatusOr<ClosedChunk> chunk = OpenChunk(std::move(head), fetch, counters_, metrics, wanted);
  blob_.Close();
  return chunk;
}

absl::StatusOr<std::string> ChunkLoader::LegacyPart(int64_t id, uint16_t key) {
  ResetAtEnd reset(&part_);
  absl::StatusOr<bool> row = part_.Bind(PartKey(id, key)).Step();
  if (!row.ok()) return row.status();
  return *row ? std::string(part_.Blob(0)) : std::string();
}

absl::StatusOr<ClosedChunk> ChunkLoader::LoadLegacy(std::vector<TickHeader> ticks, int64_t id, const MetricSet& metrics,
                                                    const ClosedChunk::Wanted& wanted) {
  std::map<uint16_t, std::string> parts;
  absl::StatusOr<std::string> rows = LegacyPart(id, kRowsKey);
  if (!rows.ok()) return rows.status();
  if (rows->empty()) return Damaged(fmt::format("chunk {} has no rows", id));
  parts[kRowsKey] = *std::move(rows);
  absl::StatusOr<ChunkHead> head = LegacyHead(std::move(ticks), parts[kRowsKey]);
  if (!head.ok()) return head.status();
  absl::Status status;
  MetricBits::Of(metrics).ForEach([&](size_t m) {
    if (!status.ok() || m == kRowsKey) return;
    const auto key = static_cast<uint16_t>(m);
    absl::StatusOr<std::string> part = LegacyPart(id, key);
    status = part.status();
    if (!status.ok() || part->empty()) return;
    parts[key] = *std::move(part);
    status = AddLegacyColumn(key, parts[key], &*head);
  });
  if (!status.ok()) return status;
  const FetchPiece fetch = [&](const ChunkHead::Piece& piece) -> absl::StatusOr<std::string> {
    return parts[static_cast<uint16_t>(piece.offset >> 48)].substr(piece.offset & 0xffffffffffff, piece.size);
  };
  return OpenChunk(*std::move(head), fetch, counters_, metrics, wanted);
}

}  // namespace taskmon::storage

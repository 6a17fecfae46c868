// SPDX-License-Identifier: Apache-2.0
#include "storage/chunk_head.h"

#include <utility>

namespace taskmon::storage {
namespace {

constexpr int kHeadLevel = 3;
constexpr uint32_t kLegacySegmentRows = 256;
// A count that no chunk comes near; damage must not make us allocate without end.
constexpr size_t kMaxRows = 1u << 24;
constexpr size_t kMaxColumns = 1024;

// Pieces lie one behind the other; only their sizes are written.
void PutPieces(const std::vector<ChunkHead::Piece>& pieces, ByteWriter* out) {
  for (const ChunkHead::Piece& piece : pieces) out->Varint(piece.size);
}

bool TakePiece(ByteReader* in, uint64_t* offset, ChunkHead::Piece* piece) {
  *piece = {*offset, in->Varint()};
  if (piece->size > UINT32_MAX) in->Fail();
  *offset += piece->size;
  return in->ok();
}

bool TakeColumns(ByteReader* in, uint64_t offset, ChunkHead* head) {
  uint64_t key = 0;
  for (size_t n = in->Count(kMaxColumns); n > 0 && in->ok(); --n) {
    key += in->Varint();
    if (key > UINT16_MAX || head->segments() > in->left()) in->Fail();
    if (!in->ok()) break;
    std::vector<ChunkHead::Piece>& pieces = head->columns[static_cast<uint16_t>(key)];
    pieces.resize(head->segments());
    for (ChunkHead::Piece& piece : pieces) TakePiece(in, &offset, &piece);
  }
  return in->ok();
}

}  // namespace

std::string EncodeTicks(const std::vector<TickHeader>& headers) {
  ByteWriter out;
  out.Varint(headers.size());
  TickHeader before;
  for (const TickHeader& h : headers) {
    const int64_t boot_step = WrapSub(static_cast<int64_t>(h.tick.boot_ns), static_cast<int64_t>(before.tick.boot_ns));
    out.Varint(h.tick.seq - before.tick.seq);
    out.Signed(boot_step);
    out.Signed(WrapSub(WrapSub(h.tick.wall_ns, before.tick.wall_ns), boot_step));
    out.Signed(WrapSub(static_cast<int64_t>(h.tick.elapsed_ns), boot_step));
    out.Varint(h.tick.lost_records);
    out.Signed(WrapSub(h.memory_total_bytes, before.memory_total_bytes));
    before = h;
  }
  return out.Take();
}

absl::StatusOr<std::vector<TickHeader>> DecodeTicks(std::string_view bytes) {
  ByteReader in(bytes);
  std::vector<TickHeader> headers(in.Count(in.left()));
  TickHeader before;
  for (TickHeader& h : headers) {
    h.tick.seq = before.tick.seq + in.Varint();
    const int64_t boot_step = in.Signed();
    h.tick.boot_ns = before.tick.boot_ns + static_cast<uint64_t>(boot_step);
    h.tick.wall_ns = WrapAdd(WrapAdd(before.tick.wall_ns, boot_step), in.Signed());
    h.tick.elapsed_ns = static_cast<uint64_t>(WrapAdd(boot_step, in.Signed()));
    h.tick.lost_records = in.Varint();
    h.memory_total_bytes = WrapAdd(before.memory_total_bytes, in.Signed());
    before = h;
  }
  if (!in.ok() || in.left() != 0 || headers.empty()) return Damaged("ticks of a chunk");
  return headers;
}

std::string EncodeHead(const ChunkHead& head) {
  ByteWriter out;
  out.Sized(EncodeTicks(head.ticks));
  out.Varint(head.row_count);
  out.Varint(head.segment_rows);
  out.Varint(head.ids.size);
  out.Varint(head.columns.size());
  uint16_t last_key = 0;
  for (const auto& [key, pieces] : head.columns) {
    out.Varint(key - last_key);
    PutPieces(pieces, &out);
    last_key = key;
  }
  return EncodeFrame(out.data(), kHeadLevel);
}

absl::StatusOr<ChunkHead> DecodeHead(std::string_view bytes) {
  absl::StatusOr<std::string> raw = DecodeFrame(bytes);
  if (!raw.ok()) return raw.status();
  ByteReader in(*raw);
  absl::StatusOr<std::vector<TickHeader>> ticks = DecodeTicks(in.Sized());
  if (!ticks.ok()) return ticks.status();
  ChunkHead head;
  head.ticks = *std::move(ticks);
  head.row_count = static_cast<uint32_t>(in.Count(kMaxRows));
  head.segment_rows = static_cast<uint32_t>(in.Count(kMaxRows));
  if (head.segment_rows == 0) return Damaged("head of a chunk");
  uint64_t offset = 0;
  TakePiece(&in, &offset, &head.ids);
  TakeColumns(&in, offset, &head);
  if (!in.ok() || in.left() != 0) return Damaged("head of a chunk");
  return head;
}

namespace {

bool TakeLegacyPieces(uint16_t key, std::string_view part, ByteReader* in, ChunkHead* head) {
  std::vector<ChunkHead::Piece>& pieces = head->columns[key];
  pieces.clear();
  for (size_t n = head->segments(); n > 0 && in->ok(); --n) {
    const std::string_view frame = in->Sized();
    if (!in->ok()) break;
    pieces.push_back({LegacyOffset(key, static_cast<uint64_t>(frame.data() - part.data())), frame.size()});
  }
  return in->ok() && in->left() == 0;
}

}  // namespace

absl::StatusOr<ChunkHead> LegacyHead(std::vector<TickHeader> ticks, std::string_view rows_part) {
  ChunkHead head;
  head.format = 1;
  head.ticks = std::move(ticks);
  head.segment_rows = kLegacySegmentRows;
  ByteReader in(rows_part);
  head.row_count = static_cast<uint32_t>(in.Count(kMaxRows));
  const std::string_view ids = in.Sized();
  if (!in.ok()) return Damaged("rows of a chunk");
  head.ids = {static_cast<uint64_t>(ids.data() - rows_part.data()), ids.size()};
  if (!TakeLegacyPieces(kRowsKey, rows_part, &in, &head)) return Damaged("rows of a chunk");
  return head;
}

absl::Status AddLegacyColumn(uint16_t key, std::string_view part, ChunkHead* head) {
  ByteReader in(part);
  return TakeLegacyPieces(key, part, &in, head) ? absl::OkStatus() : Damaged("column of a chunk");
}

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a closed chunk: the first two say how long the head is, the rest is the body. Both formats. It may be an
// error, or some chunk; what is read of it must be within its bounds, by ticks, by rows, as snapshots and from any tick
// on.
#include <cstdint>
#include <string>
#include <string_view>

#include "storage/chunk.h"
#include "tests/fuzz/assembling.h"

namespace {

using namespace taskmon;
using namespace taskmon::storage;

void Require(bool holds) {
  if (!holds) __builtin_trap();
}

FetchPiece FromBody(std::string_view body) {
  return [body](const ChunkHead::Piece& piece) -> absl::StatusOr<std::string> {
    const uint64_t offset = piece.offset & 0xffffffffffff;
    if (offset > body.size() || piece.size > body.size() - offset) return Damaged("short body");
    return std::string(body.substr(offset, piece.size));
  };
}

absl::StatusOr<ClosedChunk> Open(const ChunkHead& head, std::string_view body) {
  const CounterSet counters = {{0x5555555555555555, 0}};
  absl::StatusOr<ClosedChunk> chunk = ClosedChunk::Open(head, FromBody(body), counters, nullptr);
  if (!chunk.ok()) return chunk;
  for (MetricId m = 1; m < kMetricSlots; ++m) {
    absl::Status status = chunk->AddMetric(m, FromBody(body));
    if (!status.ok()) return status;
  }
  return chunk;
}

void WalkTicks(ClosedChunk* chunk, size_t first) {
  StepChanges changes;
  if (first > 0 && !chunk->SkipTo(static_cast<uint32_t>(first)).ok()) return;
  for (size_t tick = first; tick < chunk->ticks().size() && chunk->Step(&changes).ok(); ++tick) {
    for (uint32_t row : changes.updated) Require(row < chunk->row_count());
    for (uint32_t row : changes.gone) Require(row < chunk->row_count());
  }
}

void WalkAll(const ChunkHead& head, std::string_view body) {
  absl::StatusOr<ClosedChunk> chunk = Open(head, body);
  if (!chunk.ok()) return;
  (void)chunk->InfoIds();
  WalkTicks(&*chunk, 0);
  chunk = Open(head, body);
  if (chunk.ok()) AssembleAll(&*chunk);
  chunk = Open(head, body);
  if (chunk.ok()) WalkTicks(&*chunk, chunk->ticks().size() / 2);
  chunk = Open(head, body);
  for (uint32_t row = 0; chunk.ok() && row < chunk->row_count(); ++row) {
    uint32_t last = 0;
    (void)chunk->WalkRow(row, [&](uint32_t tick, const RowState&) {
      Require(tick >= last && tick < chunk->ticks().size());
      last = tick;
    });
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const size_t head_size = std::min<size_t>(data[0] | data[1] << 8, bytes.size());
  const std::string_view first = bytes.substr(0, head_size), rest = bytes.substr(head_size);
  // A checksum stands before the frames of a file; here the bytes inside are what is tried.
  for (const std::string& head : {std::string(first), std::string(1, '\0') + std::string(first)}) {
    absl::StatusOr<ChunkHead> decoded = DecodeHead(head);
    if (decoded.ok()) WalkAll(*decoded, rest);
  }
  absl::StatusOr<std::vector<TickHeader>> ticks = DecodeTicks(first);
  if (!ticks.ok()) return 0;
  absl::StatusOr<ChunkHead> legacy = LegacyHead(*ticks, rest);
  if (!legacy.ok()) return 0;
  (void)AddLegacyColumn(1, rest, &*legacy);
  WalkAll(*legacy, rest);
  return 0;
}

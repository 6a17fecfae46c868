// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as the journal of an open chunk, cut into ticks by their first bytes: read, closed as a chunk, and what
// was made of it read back, which must succeed: nothing that the encoder takes may be something that it cannot keep.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/chunk.h"
#include "storage/event_codec.h"
#include "storage/journal_rows.h"
#include "tests/fuzz/assembling.h"

namespace {

using namespace taskmon;
using namespace taskmon::storage;

void Require(bool holds) {
  if (!holds) __builtin_trap();
}

std::vector<JournalEntry> Entries(std::string_view bytes) {
  std::vector<JournalEntry> entries;
  while (!bytes.empty() && entries.size() < 64) {
    const size_t size = std::min<size_t>(static_cast<uint8_t>(bytes[0]), bytes.size() - 1);
    const uint64_t seq = entries.size() + 1;
    entries.push_back(
        {seq, static_cast<int64_t>(seq) * 1000000000, std::string(1, '\0') + std::string(bytes.substr(1, size))});
    bytes.remove_prefix(1 + size);
  }
  return entries;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)DecodeFinalSample(bytes, 1);
  const std::vector<JournalEntry> entries = Entries(bytes);
  if (entries.empty()) return 0;
  const CounterSet counters = {{0x5555555555555555, 0}};
  absl::StatusOr<JournalReplay> replay = JournalReplay::Open(entries, counters, nullptr);
  if (replay.ok()) AssembleAll(&*replay);
  const Precision precision(
      {{.id = 2, .kind = ColumnKind::kWindowMax, .stored = true, .quantum = 10, .digits = 5},
       {.id = 3, .kind = ColumnKind::kCounter, .stored = true, .quantum = 10, .instant = 5, .spent = 7}});
  absl::StatusOr<JournalRows> rows = JournalRows::Open(entries, counters);
  if (!rows.ok()) return 0;
  absl::StatusOr<EncodedChunk> chunk = EncodeChunk(&*rows, counters, precision);
  if (!chunk.ok()) return 0;
  absl::StatusOr<ChunkHead> head = DecodeHead(chunk->head);
  Require(head.ok());
  const FetchPiece fetch = [&](const ChunkHead::Piece& piece) -> absl::StatusOr<std::string> {
    return chunk->body.substr(piece.offset, piece.size);
  };
  absl::StatusOr<ClosedChunk> closed = ClosedChunk::Open(*head, fetch, counters, nullptr);
  Require(closed.ok());
  for (MetricId m = 1; m < kMetricSlots; ++m) Require(closed->AddMetric(m, fetch).ok());
  StepChanges changes;
  for (size_t i = 0; i < entries.size(); ++i) Require(closed->Step(&changes).ok());
  return 0;
}

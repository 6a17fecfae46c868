// SPDX-License-Identifier: Apache-2.0
//
// What a closed chunk says of itself: its ticks, and where in its body the frames of its rows and columns lie, so that
// a reader fetches only those it needs. Format 1 had no such directory; LegacyHead makes one from its parts. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/tick_source.h"

namespace taskmon::storage {

// Keys of columns: the metric alone for its values; with one of these for the least and the largest value of a gauge in
// each tick of a coarser resolution, as distance from its last value. Key 0 is the rows.
inline constexpr uint16_t kRowsKey = 0;
inline constexpr uint16_t kLeastKey = 0x100;
inline constexpr uint16_t kLargestKey = 0x200;

struct ChunkHead {
  struct Piece {
    uint64_t offset = 0;
    uint64_t size = 0;
  };
  int format = 2;
  std::vector<TickHeader> ticks;
  uint32_t row_count = 0;
  uint32_t segment_rows = 1;
  Piece ids;
  std::map<uint16_t, std::vector<Piece>> columns;  // one piece a segment

  size_t segments() const { return (row_count + segment_rows - 1) / segment_rows; }
};

// Fetches a piece of a chunk's body.
using FetchPiece = std::function<absl::StatusOr<std::string>(const ChunkHead::Piece&)>;

std::string EncodeHead(const ChunkHead& head);
absl::StatusOr<ChunkHead> DecodeHead(std::string_view bytes);

std::string EncodeTicks(const std::vector<TickHeader>& headers);
absl::StatusOr<std::vector<TickHeader>> DecodeTicks(std::string_view bytes);

// Format 1 kept rows and columns in parts of their own. `part` yields one by its key, empty when there is none; offsets
// of the pieces count through LegacyOffset.
using FetchPart = std::function<absl::StatusOr<std::string>(uint16_t key)>;
inline uint64_t LegacyOffset(uint16_t key, uint64_t offset) { return static_cast<uint64_t>(key) << 48 | offset; }
absl::StatusOr<ChunkHead> LegacyHead(std::vector<TickHeader> ticks, std::string_view rows_part);
// Adds the pieces of a column from its part.
absl::Status AddLegacyColumn(uint16_t key, std::string_view part, ChunkHead* head);

}  // namespace taskmon::storage

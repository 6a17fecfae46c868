// SPDX-License-Identifier: Apache-2.0
//
// A closed chunk: the ticks of one stretch of one boot as compressed columns, task-major. EncodeChunk makes one from
// the journal of the open chunk; ClosedChunk walks one tick by tick. Pure; a ClosedChunk belongs to one thread.
//
// Parts: the ticks, the rows (who, from which tick to which, at which ticks updated), and one column per metric. Rows
// and columns are cut into segments of kSegmentRows rows, each its own frame, so that one task costs one segment per
// part. A chunk needs nothing from the chunk before: each row starts from full values, and deltas of its first update
// are stored as they are. The layout is in README.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/column.h"
#include "storage/journal.h"
#include "storage/tick_source.h"

namespace taskmon::storage {

// More ticks make no chunk smaller, but dearer to read.
inline constexpr size_t kMaxChunkTicks = 8192;

struct EncodedChunk {
  uint64_t first_seq = 0;
  uint64_t last_seq = 0;
  int64_t min_wall_ns = 0;  // the clock may step back inside a chunk
  int64_t max_wall_ns = 0;
  uint32_t tick_count = 0;
  uint32_t row_count = 0;
  std::string ticks;
  std::string rows;
  std::vector<std::pair<MetricId, std::string>> columns;

  size_t bytes() const;
};

// `entries`: the whole journal, not empty, oldest first. DataLoss: the journal is damaged.
absl::StatusOr<EncodedChunk> EncodeChunk(const std::vector<JournalEntry>& entries, const CounterSet& counters);

std::string EncodeTicks(const std::vector<TickHeader>& headers);
absl::StatusOr<std::vector<TickHeader>> DecodeTicks(std::string_view bytes);

class ClosedChunk : public TickSource {
 public:
  using Wanted = std::function<bool(int64_t task_id)>;

  // `wanted` says which tasks are of interest; null: all. Only the segments that hold such tasks are unpacked.
  static absl::StatusOr<ClosedChunk> Open(std::vector<TickHeader> headers, std::string_view rows,
                                          const CounterSet& counters, const Wanted& wanted);
  // Adds a metric; call for each one of interest before the first Step. Metrics not added are not valid.
  absl::Status AddColumn(MetricId metric, std::string_view blob);

  size_t wanted_rows() const { return rows_.size(); }
  // The names that its rows refer to.
  std::vector<int64_t> InfoIds() const;
  const std::vector<TickHeader>& ticks() const override { return headers_; }
  absl::Status Step(StepChanges* changes) override;
  const RowState& row(uint32_t index) const override { return rows_[index].state; }

 private:
  struct RowExtra {
    uint32_t update;
    int64_t info_id;  // 0: as before
    uint64_t age_ticks;
  };
  struct Row {
    uint32_t chunk_row;  // position in the chunk, which columns go by
    uint32_t first_tick, last_tick;
    bool every_tick = false;  // updated at each of its ticks, so that `updates` is not needed
    uint32_t update_count = 0;
    std::vector<uint32_t> updates;  // ticks, the first one included
    std::vector<RowExtra> extras;   // by update
    uint32_t next_update = 0;
    size_t next_extra = 0;
    RowState state;
    std::vector<std::pair<MetricId, SeriesCursor>> cursors;
    std::vector<Exception> exceptions;  // by update, once sorted
    size_t next_exception = 0;
  };

  ClosedChunk() = default;
  absl::Status ReadSegment(std::string_view frame, const std::vector<int64_t>& task_ids, size_t first_row,
                           const Wanted& wanted);
  bool ReadRow(ByteReader* in, Row* row) const;
  static bool ReadUpdates(ByteReader* in, Row* row);
  absl::Status Advance(Row* row, uint32_t tick);
  void ApplyExceptions(Row* row, uint32_t update);

  std::vector<TickHeader> headers_;
  CounterSet counters_;
  size_t chunk_rows_ = 0;
  std::vector<Row> rows_;                            // wanted ones, in chunk order
  std::vector<std::unique_ptr<std::string>> bytes_;  // what cursors point into
  uint32_t next_tick_ = 0;
  bool sorted_ = false;
};

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
//
// A closed chunk: the ticks of one stretch of one boot as compressed columns, task-major. ChunkBuilder makes one, row
// by row; ClosedChunk walks one tick by tick, or one row at a time. Pure; both belong to one thread.
//
// Parts: the ticks, the rows (who, from which tick to which, at which ticks updated), and one column per metric. Rows
// and columns are cut into segments of kSegmentRows rows, each its own frame, so that one task costs one segment per
// column. A chunk needs nothing from the chunk before: each row starts from full values, and deltas of its first update
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

#include "storage/chunk_head.h"
#include "storage/column.h"
#include "storage/precision.h"
#include "storage/row_source.h"
#include "storage/tick_source.h"

namespace taskmon::storage {

// More ticks make no chunk smaller, but dearer to read.
inline constexpr size_t kMaxChunkTicks = 8192;
inline constexpr uint32_t kSegmentRows = 128;
// zstd's, for a chunk that may be joined with others soon, and for one that has its final size.
inline constexpr int kQuickLevel = 3;
inline constexpr int kFinalLevel = 9;

struct EncodedChunk {
  uint64_t first_seq = 0;  // the first tick that is in it, be it folded into a later one
  uint64_t last_seq = 0;
  int64_t min_wall_ns = 0;  // the clock may step back inside a chunk
  int64_t max_wall_ns = 0;
  uint32_t tick_count = 0;
  uint32_t row_count = 0;
  std::string head;
  std::string body;

  size_t bytes() const { return head.size() + body.size(); }
};

class ChunkBuilder {
 public:
  // `ticks`: oldest first, not empty.
  ChunkBuilder(std::vector<TickHeader> ticks, const CounterSet& counters, const Precision& precision,
               int level = kQuickLevel);
  ~ChunkBuilder();

  const std::vector<TickHeader>& ticks() const;
  // A row is present from `first_tick` to `last_tick` (positions in `ticks`), with an update at the first one.
  void BeginRow(int64_t task_id, uint32_t first_tick, uint32_t last_tick);
  // `state` as of the update; ticks ascend.
  void AddUpdate(uint32_t tick, const RowState& state);
  void EndRow();
  EncodedChunk Finish();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// The rows as they are. `source`: with at least one tick.
absl::StatusOr<EncodedChunk> EncodeChunk(RowSource* source, const CounterSet& counters, const Precision& precision);

// Each row may be gone through once, by ticks or by rows.
class ClosedChunk : public TickSource, public RowSource {
 public:
  using Wanted = std::function<bool(int64_t task_id)>;

  // `wanted` says which tasks are of interest; null: all. Only the segments that hold such tasks are fetched.
  static absl::StatusOr<ClosedChunk> Open(ChunkHead head, const FetchPiece& fetch, const CounterSet& counters,
                                          const Wanted& wanted);
  // Adds a metric, with the ranges that a gauge has in coarser resolutions; call for each one of interest before the
  // first Step. Metrics not added are not valid. A metric that the chunk has nothing of is no error.
  absl::Status AddMetric(MetricId metric, const FetchPiece& fetch);

  // Rows are the wanted ones, in chunk order.
  size_t row_count() const override { return rows_.size(); }
  // Tasks, and the names that their rows refer to.
  std::vector<std::pair<int64_t, int64_t>> InfoIds() const;
  const std::vector<TickHeader>& ticks() const override { return head_.ticks; }
  absl::Status Step(StepChanges* changes) override;
  const RowState& row(uint32_t index) const override { return rows_[index].state; }

  // Instead of stepping there: the next Step applies position `tick`, and reports all rows present at it as updated.
  // Call at most once, before the first Step.
  absl::Status SkipTo(uint32_t tick);

  // Instead of stepping.
  uint32_t first_tick(uint32_t row) const override { return rows_[row].first_tick; }
  uint32_t last_tick(uint32_t row) const override { return rows_[row].last_tick; }
  int64_t task_id(uint32_t row) const override { return rows_[row].state.task_id; }
  absl::Status WalkRow(uint32_t row, const UpdateSink& sink) override;

 private:
  struct RowExtra {
    uint32_t update;
    int64_t info_id;  // 0: as before
    uint64_t age_ticks;
  };
  struct Cursor {
    uint16_t key;
    ColumnForm form;
    SeriesCursor series;
    int64_t anchor = 0;  // residues: what value and expectation differ by at the first update, in quanta
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
    std::unique_ptr<GaugeRange> ahead;  // least and largest as distances from the value; null: no ranges
    std::vector<Cursor> cursors;
    std::vector<Exception> exceptions;  // by update, once sorted
    size_t next_exception = 0;

    uint32_t tick_of(uint32_t update) const { return every_tick ? first_tick + update : updates[update]; }
  };

  ClosedChunk() = default;
  absl::Status ReadRows(const FetchPiece& fetch, const Wanted& wanted);
  absl::Status ReadSegment(std::string_view frame, const std::vector<int64_t>& task_ids, size_t first_row,
                           const Wanted& wanted);
  bool ReadRow(ByteReader* in, Row* row) const;
  static bool ReadUpdates(ByteReader* in, Row* row);
  absl::Status AddColumn(uint16_t key, const FetchPiece& fetch);
  // Returns whether rows have residues instead of values.
  bool TakeSegment(uint16_t key, ColumnSegment* segment, size_t first_row, size_t begin, size_t end);
  static void SetBase(uint16_t key, const ColumnSegment& segment, uint32_t at, Row* row);
  void SortExceptions();
  absl::Status Advance(Row* row, uint32_t to_update);
  void SetAnchors(Row* row) const;
  absl::Status AdvanceCursors(Row* row, uint32_t updates, uint32_t to_update, bool counts);
  int64_t Expected(const Row& row, const ColumnForm& form, uint32_t update) const;
  void SetCursorValue(const Cursor& cursor, uint32_t update, bool counts, Row* row);
  void TakeExtras(Row* row, uint32_t to_update);
  void ApplyExceptions(Row* row, uint32_t to_update, bool at_target);
  static void ApplyException(const Exception& e, bool at_target, Row* row);
  static void RefreshRange(Row* row);

  ChunkHead head_;
  CounterSet counters_;
  std::vector<Row> rows_;
  std::vector<std::unique_ptr<std::string>> bytes_;  // what cursors point into
  uint32_t next_tick_ = 0;
  MetricSet added_;
  bool sorted_ = false;
  bool skipped_ = false;
};

}  // namespace taskmon::storage

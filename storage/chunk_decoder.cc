// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "storage/chunk.h"

namespace taskmon::storage {
namespace {

bool ReadTaskIds(std::string_view bytes, size_t count, std::vector<int64_t>* ids) {
  ByteReader list(bytes);
  if (count > list.left()) return false;
  ids->reserve(count);
  int64_t id = 0;
  for (size_t i = 0; i < count; ++i) {
    id = WrapAdd(id, list.Signed());
    ids->push_back(id);
  }
  return list.ok() && list.left() == 0;
}

absl::StatusOr<std::string> FetchFrame(const FetchPiece& fetch, const ChunkHead::Piece& piece) {
  absl::StatusOr<std::string> frame = fetch(piece);
  if (!frame.ok()) return frame.status();
  return DecodeFrame(*frame);
}

}  // namespace

absl::StatusOr<ClosedChunk> ClosedChunk::Open(ChunkHead head, const FetchPiece& fetch, const CounterSet& counters,
                                              const Wanted& wanted) {
  ClosedChunk chunk;
  chunk.head_ = std::move(head);
  chunk.counters_ = counters;
  absl::Status status = chunk.ReadRows(fetch, wanted);
  if (!status.ok()) return status;
  return chunk;
}

absl::Status ClosedChunk::ReadRows(const FetchPiece& fetch, const Wanted& wanted) {
  absl::StatusOr<std::string> ids = head_.format >= 2 ? FetchFrame(fetch, head_.ids) : fetch(head_.ids);
  if (!ids.ok()) return ids.status();
  std::vector<int64_t> task_ids;
  if (!ReadTaskIds(*ids, head_.row_count, &task_ids)) return Damaged("row list of a chunk");
  const auto rows = head_.columns.find(kRowsKey);
  if (rows == head_.columns.end()) return head_.row_count == 0 ? absl::OkStatus() : Damaged("rows of a chunk");
  if (!wanted) rows_.reserve(task_ids.size());
  for (size_t segment = 0; segment < rows->second.size(); ++segment) {
    const size_t first = segment * head_.segment_rows;
    const size_t end = std::min<size_t>(first + head_.segment_rows, task_ids.size());
    size_t any = first;
    while (any < end && wanted && !wanted(task_ids[any])) ++any;
    if (any >= end) continue;
    absl::StatusOr<std::string> bytes = FetchFrame(fetch, rows->second[segment]);
    if (!bytes.ok()) return bytes.status();
    absl::Status status = ReadSegment(*bytes, task_ids, first, wanted);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ClosedChunk::ReadSegment(std::string_view bytes, const std::vector<int64_t>& task_ids, size_t first_row,
                                      const Wanted& wanted) {
  const size_t end = std::min<size_t>(first_row + head_.segment_rows, task_ids.size());
  ByteReader in(bytes);
  int64_t last_info = 0;
  for (size_t i = first_row; i < end; ++i) {
    Row& row = rows_.emplace_back();
    if (!ReadRow(&in, &row)) return Damaged("row of a chunk");
    RowExtra& first = row.extras.front();
    last_info = first.info_id = WrapAdd(first.info_id, last_info);
    if (last_info == 0) return Damaged("names of a row of a chunk");
    row.chunk_row = static_cast<uint32_t>(i);
    row.state.task_id = task_ids[i];
    if (wanted && !wanted(task_ids[i])) rows_.pop_back();
  }
  return in.left() == 0 ? absl::OkStatus() : Damaged("row segment");
}

// See PutUpdates in chunk_builder.cc.
bool ClosedChunk::ReadUpdates(ByteReader* in, Row* row) {
  const size_t room = row->last_tick - row->first_tick;
  const size_t later = in->Count(room);
  row->update_count = static_cast<uint32_t>(later + 1);
  row->every_tick = later == room;
  if (row->every_tick || !in->ok()) return in->ok();
  row->updates.push_back(row->first_tick);
  if (later <= room / 8) {
    uint64_t tick = row->first_tick;
    for (size_t i = 0; i < later; ++i) {
      const uint64_t gap = in->Varint();
      if (!in->ok() || gap >= row->last_tick - tick) return false;
      tick += gap + 1;
      row->updates.push_back(static_cast<uint32_t>(tick));
    }
    return true;
  }
  const std::string_view bits = in->Bytes((room + 7) / 8);
  for (uint32_t i = 0; i < room && in->ok(); ++i) {
    if ((static_cast<uint8_t>(bits[i / 8]) >> (i % 8)) & 1) row->updates.push_back(row->first_tick + 1 + i);
  }
  return in->ok() && row->updates.size() == row->update_count;
}

bool ClosedChunk::ReadRow(ByteReader* in, Row* row) const {
  const size_t last_tick = head_.ticks.size() - 1;
  row->first_tick = static_cast<uint32_t>(in->Count(last_tick));
  row->last_tick = static_cast<uint32_t>(last_tick - in->Count(last_tick - row->first_tick));
  if (!in->ok() || !ReadUpdates(in, row)) return false;
  const size_t count = in->Count(row->update_count);
  uint64_t update = 0;
  for (size_t i = 0; i < count && in->ok(); ++i) {
    update += in->Count(row->update_count);
    const int64_t info = in->Signed();
    row->extras.push_back({static_cast<uint32_t>(update), info, in->Varint()});
  }
  return in->ok() && count > 0 && row->extras.front().update == 0;
}

absl::Status ClosedChunk::AddMetric(MetricId metric, const FetchPiece& fetch) {
  if (metric >= kMetricSlots || metric == kRowsKey || added_[metric]) return absl::OkStatus();
  added_.set(metric);
  for (uint16_t range : {uint16_t{0}, kLeastKey, kLargestKey}) {
    absl::Status status = AddColumn(static_cast<uint16_t>(range | metric), fetch);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ClosedChunk::AddColumn(uint16_t key, const FetchPiece& fetch) {
  const auto column = head_.columns.find(key);
  if (column == head_.columns.end()) return absl::OkStatus();
  ColumnSegment segment;
  size_t begin = 0;
  for (size_t i = 0; i < column->second.size() && begin < rows_.size(); ++i) {
    const size_t first = i * head_.segment_rows;
    const size_t count = std::min<size_t>(head_.segment_rows, head_.row_count - first);
    size_t end = begin;
    while (end < rows_.size() && rows_[end].chunk_row < first + count) ++end;
    if (end > begin && column->second[i].size > 0) {
      absl::StatusOr<std::string> bytes = FetchFrame(fetch, column->second[i]);
      if (!bytes.ok()) return bytes.status();
      bytes_.push_back(std::make_unique<std::string>(*std::move(bytes)));
      absl::Status status = segment.Parse(*bytes_.back(), count, head_.format);
      if (!status.ok()) return status;
      if (TakeSegment(key, &segment, first, begin, end)) {
        for (uint16_t other : {segment.form.instant, segment.form.spent}) {
          status = AddMetric(other, fetch);
          if (!status.ok()) return status;
        }
      }
    }
    begin = end;
  }
  return absl::OkStatus();
}

void ClosedChunk::SetBase(uint16_t key, const ColumnSegment& segment, uint32_t at, Row* row) {
  const auto metric = static_cast<size_t>(key & 0xff);
  const int64_t value = segment.form.ValueOf(segment.base[at]);
  if (key < kLeastKey) {
    row->state.sample.values.Set(metric, value);
    row->state.sample.valid[metric] = segment.valid[at];
    return;
  }
  if (row->ahead == nullptr) row->ahead = std::make_unique<GaugeRange>();
  (key < kLargestKey ? row->ahead->least : row->ahead->largest).Set(metric, value);
}

// Hands the segment's numbers to the rows [begin, end) of rows_.
bool ClosedChunk::TakeSegment(uint16_t key, ColumnSegment* segment, size_t first_row, size_t begin, size_t end) {
  std::stable_sort(segment->exceptions.begin(), segment->exceptions.end(),
                   [](const Exception& a, const Exception& b) { return a.row < b.row; });
  auto series = segment->series.begin();
  auto exception = segment->exceptions.begin();
  bool residues = false;
  for (; begin < end; ++begin) {
    Row& row = rows_[begin];
    const uint32_t at = row.chunk_row - static_cast<uint32_t>(first_row);
    SetBase(key, *segment, at, &row);
    while (series != segment->series.end() && series->row < at) ++series;
    if (series != segment->series.end() && series->row == at) {
      row.cursors.push_back({key, segment->form, series->cursor});
      residues = residues || series->cursor.is_residue();
    }
    while (exception != segment->exceptions.end() && exception->row < at) ++exception;
    for (; exception != segment->exceptions.end() && exception->row == at; ++exception) {
      if (key >= kLeastKey) continue;
      row.exceptions.push_back(*exception);
      row.exceptions.back().metric = key;
    }
  }
  return residues;
}

std::vector<std::pair<int64_t, int64_t>> ClosedChunk::InfoIds() const {
  std::vector<std::pair<int64_t, int64_t>> ids;
  for (const Row& row : rows_) {
    for (const RowExtra& extra : row.extras) {
      if (extra.info_id != 0) ids.emplace_back(row.state.task_id, extra.info_id);
    }
  }
  return ids;
}

}  // namespace taskmon::storage

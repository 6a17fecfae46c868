// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "storage/chunk.h"

namespace taskmon::storage {

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

namespace {

bool ReadTaskIds(ByteReader* in, std::vector<int64_t>* ids) {
  const uint64_t count = in->Varint();
  ByteReader list(in->Sized());
  if (!in->ok() || count > list.left()) return false;
  ids->reserve(count);
  int64_t id = 0;
  for (uint64_t i = 0; i < count; ++i) {
    id = WrapAdd(id, list.Signed());
    ids->push_back(id);
  }
  return list.ok() && list.left() == 0;
}

}  // namespace

absl::StatusOr<ClosedChunk> ClosedChunk::Open(std::vector<TickHeader> headers, std::string_view rows,
                                              const CounterSet& counters, const Wanted& wanted) {
  ClosedChunk chunk;
  chunk.headers_ = std::move(headers);
  chunk.counters_ = counters;
  ByteReader in(rows);
  std::vector<int64_t> task_ids;
  if (!ReadTaskIds(&in, &task_ids)) return Damaged("row list of a chunk");
  chunk.chunk_rows_ = task_ids.size();
  if (!wanted) chunk.rows_.reserve(task_ids.size());
  for (size_t first = 0; first < task_ids.size(); first += kSegmentRows) {
    absl::Status status = chunk.ReadSegment(in.Sized(), task_ids, first, wanted);
    if (!status.ok()) return status;
  }
  if (!in.ok() || in.left() != 0) return Damaged("rows of a chunk");
  return chunk;
}

absl::Status ClosedChunk::ReadSegment(std::string_view frame, const std::vector<int64_t>& task_ids, size_t first_row,
                                      const Wanted& wanted) {
  const size_t end = std::min(first_row + kSegmentRows, task_ids.size());
  const auto is_wanted = [&](size_t row) { return !wanted || wanted(task_ids[row]); };
  size_t any = first_row;
  while (any < end && !is_wanted(any)) ++any;
  if (any == end) return absl::OkStatus();
  absl::StatusOr<std::string> bytes = DecodeFrame(frame);
  if (!bytes.ok()) return bytes.status();
  ByteReader in(*bytes);
  int64_t last_info = 0;
  Row row;  // one for all: a row is large, and most may not be wanted
  for (size_t i = first_row; i < end; ++i) {
    row.updates.clear();
    row.extras.clear();
    if (!ReadRow(&in, &row)) return Damaged("row of a chunk");
    RowExtra& first = row.extras.front();
    last_info = first.info_id = WrapAdd(first.info_id, last_info);
    if (!is_wanted(i)) continue;
    row.chunk_row = static_cast<uint32_t>(i);
    row.state.task_id = task_ids[i];
    rows_.push_back(row);
  }
  return in.left() == 0 ? absl::OkStatus() : Damaged("row segment");
}

// See PutUpdates in chunk_encoder.cc.
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
  const size_t last_tick = headers_.size() - 1;
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

absl::Status ClosedChunk::AddColumn(MetricId metric, std::string_view blob) {
  if (metric >= kMetricSlots) return absl::OkStatus();
  ByteReader in(blob);
  ColumnSegment segment;
  size_t next = 0;
  for (size_t first = 0; first < chunk_rows_; first += kSegmentRows) {
    const std::string_view frame = in.Sized();
    if (!in.ok()) return Damaged("column of a chunk");
    const size_t count = std::min(kSegmentRows, chunk_rows_ - first);
    size_t end = next;
    while (end < rows_.size() && rows_[end].chunk_row < first + count) ++end;
    if (end == next) continue;
    absl::StatusOr<std::string> bytes = DecodeFrame(frame);
    if (!bytes.ok()) return bytes.status();
    bytes_.push_back(std::make_unique<std::string>(*std::move(bytes)));
    absl::Status status = segment.Parse(*bytes_.back(), count);
    if (!status.ok()) return status;
    size_t series = 0, exception = 0;
    std::stable_sort(segment.exceptions.begin(), segment.exceptions.end(),
                     [](const Exception& a, const Exception& b) { return a.row < b.row; });
    for (; next < end; ++next) {
      Row& row = rows_[next];
      const uint32_t at = row.chunk_row - static_cast<uint32_t>(first);
      row.state.sample.values[metric] = segment.base[at];
      row.state.sample.valid[metric] = segment.valid[at];
      while (series < segment.series.size() && segment.series[series].row < at) ++series;
      if (series < segment.series.size() && segment.series[series].row == at) {
        row.cursors.emplace_back(metric, segment.series[series].cursor);
      }
      while (exception < segment.exceptions.size() && segment.exceptions[exception].row < at) ++exception;
      for (; exception < segment.exceptions.size() && segment.exceptions[exception].row == at; ++exception) {
        row.exceptions.push_back(segment.exceptions[exception]);
        row.exceptions.back().metric = metric;
      }
    }
  }
  return in.left() == 0 ? absl::OkStatus() : Damaged("column of a chunk");
}

std::vector<int64_t> ClosedChunk::InfoIds() const {
  std::vector<int64_t> ids;
  for (const Row& row : rows_) {
    for (const RowExtra& extra : row.extras) {
      if (extra.info_id != 0) ids.push_back(extra.info_id);
    }
  }
  return ids;
}

void ClosedChunk::ApplyExceptions(Row* row, uint32_t update) {
  TaskSample& sample = row->state.sample;
  for (; row->next_exception < row->exceptions.size(); ++row->next_exception) {
    const Exception& e = row->exceptions[row->next_exception];
    if (e.update != update) return;
    switch (e.kind) {
      case Exception::Kind::kValid:
        sample.valid.flip(e.metric);
        sample.deltas[e.metric] = 0;
        break;
      case Exception::Kind::kFix: sample.deltas[e.metric] = WrapAdd(sample.deltas[e.metric], e.value); break;
      case Exception::Kind::kTaken:
        if (e.value == 0) {
          sample.taken_boot_ns.erase(e.metric);
        } else {
          sample.taken_boot_ns[e.metric] = e.value;
        }
    }
  }
}

absl::Status ClosedChunk::Advance(Row* row, uint32_t tick) {
  const uint32_t update = row->next_update++;
  RowState& state = row->state;
  TaskSample& sample = state.sample;
  state.age_ticks = 0;
  sample.deltas.fill(0);
  if (row->next_extra < row->extras.size() && row->extras[row->next_extra].update == update) {
    const RowExtra& extra = row->extras[row->next_extra++];
    if (extra.info_id != 0) state.info_id = extra.info_id;
    state.age_ticks = extra.age_ticks;
  }
  sample.tick_seq = headers_[tick].tick.seq - state.age_ticks;
  if (update > 0) {
    for (auto& [metric, cursor] : row->cursors) {
      const int64_t before = cursor.value();
      if (!cursor.Next()) return Damaged("series of a column");
      sample.values[metric] = cursor.value();
      const bool counts = state.age_ticks == 0 && counters_.test(metric) && sample.valid[metric];
      if (counts) sample.deltas[metric] = WrapSub(cursor.value(), before);
    }
  }
  ApplyExceptions(row, update);
  return absl::OkStatus();
}

absl::Status ClosedChunk::Step(StepChanges* changes) {
  changes->gone.clear();
  changes->updated.clear();
  if (next_tick_ >= headers_.size()) return absl::OutOfRangeError("no more ticks");
  if (!sorted_) {
    for (Row& row : rows_) {
      std::stable_sort(row.exceptions.begin(), row.exceptions.end(),
                       [](const Exception& a, const Exception& b) { return a.update < b.update; });
    }
    sorted_ = true;
  }
  const uint32_t tick = next_tick_++;
  for (uint32_t i = 0; i < rows_.size(); ++i) {
    Row& row = rows_[i];
    if (tick > 0 && row.last_tick == tick - 1) changes->gone.push_back(i);
    if (row.next_update >= row.update_count) continue;
    if ((row.every_tick ? row.first_tick + row.next_update : row.updates[row.next_update]) != tick) continue;
    absl::Status status = Advance(&row, tick);
    if (!status.ok()) return status;
    changes->updated.push_back(i);
  }
  return absl::OkStatus();
}

}  // namespace taskmon::storage

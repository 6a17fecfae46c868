// SPDX-License-Identifier: Apache-2.0
//
// The moving part of ClosedChunk: from update to update, by ticks or by rows.
#include <algorithm>

#include "storage/chunk.h"

namespace taskmon::storage {

void ClosedChunk::ApplyException(const Exception& e, bool at_target, Row* row) {
  TaskSample& sample = row->state.sample;
  switch (e.kind) {
    case Exception::Kind::kValid:
      sample.valid.flip(e.metric);
      sample.deltas.Set(e.metric, 0);
      break;
    case Exception::Kind::kFix:
      if (at_target) sample.deltas.Add(e.metric, e.value);
      break;
    case Exception::Kind::kTaken: sample.taken_boot_ns.Set(e.metric, e.value);
  }
}

void ClosedChunk::ApplyExceptions(Row* row, uint32_t to_update, bool at_target) {
  for (; row->next_exception < row->exceptions.size(); ++row->next_exception) {
    const Exception& e = row->exceptions[row->next_exception];
    if (e.update > to_update) return;
    ApplyException(e, at_target && e.update == to_update, row);
  }
}

void ClosedChunk::TakeExtras(Row* row, uint32_t to_update) {
  row->state.age_ticks = 0;
  for (; row->next_extra < row->extras.size() && row->extras[row->next_extra].update <= to_update; ++row->next_extra) {
    const RowExtra& extra = row->extras[row->next_extra];
    if (extra.info_id != 0) row->state.info_id = extra.info_id;
    if (extra.update == to_update) row->state.age_ticks = extra.age_ticks;
  }
}

int64_t ClosedChunk::Expected(const Row& row, const ColumnForm& form, uint32_t update) const {
  const MetricValues& values = row.state.sample.values;
  const auto tick_ns = static_cast<int64_t>(head_.ticks[row.tick_of(update)].tick.boot_ns);
  return form.Expected(values[form.instant], values[form.spent], tick_ns);
}

void ClosedChunk::SetAnchors(Row* row) const {
  for (Cursor& cursor : row->cursors) {
    if (!cursor.series.is_residue()) continue;
    const int64_t base = row->state.sample.values[cursor.key & 0xff] / cursor.form.quantum;
    cursor.anchor = WrapSub(base, Expected(*row, cursor.form, 0));
  }
}

void ClosedChunk::SetCursorValue(const Cursor& cursor, uint32_t update, bool counts, Row* row) {
  TaskSample& sample = row->state.sample;
  const auto metric = static_cast<size_t>(cursor.key & 0xff);
  int64_t number = cursor.series.value();
  if (cursor.series.is_residue()) {
    number = WrapAdd(WrapAdd(number, cursor.anchor), Expected(*row, cursor.form, update));
  }
  const int64_t value = cursor.form.ValueOf(number);
  if (cursor.key >= kLeastKey) {
    (cursor.key < kLargestKey ? row->ahead->least : row->ahead->largest).Set(metric, value);
    return;
  }
  const bool was_valid = sample.valid[metric];
  if (cursor.form.nullable) sample.valid[metric] = number != 0;
  if (counts && was_valid && sample.valid[metric] && counters_.test(metric)) {
    sample.deltas.Set(metric, WrapSub(value, sample.values[metric]));
  }
  sample.values.Set(metric, value);
}

// Values come before those that are told by residues of them.
absl::Status ClosedChunk::AdvanceCursors(Row* row, uint32_t updates, uint32_t to_update, bool counts) {
  const auto now_ns = static_cast<int64_t>(head_.ticks[row->tick_of(to_update)].tick.boot_ns);
  for (bool residues : {false, true}) {
    for (Cursor& cursor : row->cursors) {
      if (cursor.series.is_residue() != residues) continue;
      const int64_t now = cursor.series.is_age() ? now_ns / cursor.form.quantum : 0;
      if (!cursor.series.Advance(updates, now)) return Damaged("series of a column");
      SetCursorValue(cursor, to_update, counts, row);
    }
  }
  return absl::OkStatus();
}

void ClosedChunk::RefreshRange(Row* row) {
  if (row->ahead == nullptr) return;
  row->state.sample.range.reset();
  if (row->ahead->least.empty() && row->ahead->largest.empty()) return;
  auto range = std::make_shared<GaugeRange>();
  range->least = range->largest = row->state.sample.values;
  row->ahead->least.ForEach([&range](size_t m, int64_t distance) { range->least.Add(m, distance); });
  row->ahead->largest.ForEach([&range](size_t m, int64_t distance) { range->largest.Add(m, distance); });
  row->state.sample.range = std::move(range);
}

absl::Status ClosedChunk::Advance(Row* row, uint32_t to_update) {
  const TickHeader& header = head_.ticks[row->tick_of(to_update)];
  TaskSample& sample = row->state.sample;
  sample.deltas.Clear();
  TakeExtras(row, to_update);
  sample.tick_seq = header.tick.seq - row->state.age_ticks;
  // Base values are those of update 0.
  const uint32_t steps = to_update - (row->next_update == 0 ? 0 : row->next_update - 1);
  absl::Status status;
  if (row->next_update == 0) SetAnchors(row);
  // The last step makes the deltas, so the update before it is gone to first.
  if (steps > 1) {
    status = AdvanceCursors(row, steps - 1, to_update - 1, false);
    ApplyExceptions(row, to_update - 1, false);
  }
  if (steps > 0 && status.ok()) status = AdvanceCursors(row, 1, to_update, row->state.age_ticks == 0);
  if (!status.ok()) return status;
  ApplyExceptions(row, to_update, true);
  RefreshRange(row);
  row->next_update = to_update + 1;
  return absl::OkStatus();
}

void ClosedChunk::SortExceptions() {
  if (sorted_) return;
  for (Row& row : rows_) {
    std::stable_sort(row.exceptions.begin(), row.exceptions.end(),
                     [](const Exception& a, const Exception& b) { return a.update < b.update; });
  }
  sorted_ = true;
}

absl::Status ClosedChunk::SkipTo(uint32_t tick) {
  if (tick >= head_.ticks.size()) return absl::OutOfRangeError("no such tick");
  next_tick_ = tick;
  skipped_ = true;
  return absl::OkStatus();
}

absl::Status ClosedChunk::Step(StepChanges* changes) {
  changes->gone.clear();
  changes->updated.clear();
  if (next_tick_ >= head_.ticks.size()) return absl::OutOfRangeError("no more ticks");
  SortExceptions();
  const uint32_t tick = next_tick_++;
  const bool all = std::exchange(skipped_, false);
  for (uint32_t i = 0; i < rows_.size(); ++i) {
    Row& row = rows_[i];
    if (!all && tick > 0 && row.last_tick == tick - 1) changes->gone.push_back(i);
    if (row.next_update >= row.update_count || row.tick_of(row.next_update) > tick) continue;
    uint32_t target = row.next_update;
    if (all) {
      // Rows that ended before have no say any more.
      if (row.last_tick < tick) {
        row.next_update = row.update_count;
        continue;
      }
      while (target + 1 < row.update_count && row.tick_of(target + 1) <= tick) ++target;
    }
    absl::Status status = Advance(&row, target);
    if (!status.ok()) return status;
    changes->updated.push_back(i);
  }
  return absl::OkStatus();
}

absl::Status ClosedChunk::WalkRow(uint32_t index, const UpdateSink& sink) {
  SortExceptions();
  Row& row = rows_[index];
  for (uint32_t update = 0; update < row.update_count; ++update) {
    absl::Status status = Advance(&row, update);
    if (!status.ok()) return status;
    sink(row.tick_of(update), row.state);
  }
  return absl::OkStatus();
}

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
#include "storage/journal_rows.h"

#include <utility>

namespace taskmon::storage {

absl::StatusOr<JournalRows> JournalRows::Open(const std::vector<JournalEntry>& entries, const CounterSet& counters) {
  if (entries.empty()) return absl::InvalidArgumentError("an empty journal has no rows");
  absl::StatusOr<std::vector<JournalTick>> ticks = ParseJournal(entries);
  if (!ticks.ok()) return ticks.status();
  JournalRows rows;
  rows.ticks_ = *std::move(ticks);
  rows.counters_ = counters;
  rows.headers_.reserve(rows.ticks_.size());
  for (const JournalTick& tick : rows.ticks_) rows.headers_.push_back(tick.header);
  rows.FindRows();
  rows.GatherUpdates();
  return rows;
}

void JournalRows::FindRows() {
  const auto last_tick = static_cast<uint32_t>(ticks_.size() - 1);
  for (uint32_t t = 0; t < ticks_.size(); ++t) {
    for (uint32_t row : ticks_[t].gone) rows_[row].last_tick = t - 1;
    for (const JournalTick::Record& record : ticks_[t].records) {
      if (record.appeared) rows_.push_back({record.task_id, t, last_tick});
      ++rows_[record.row].update_count;
    }
  }
}

void JournalRows::GatherUpdates() {
  size_t total = 0;
  std::vector<size_t> next;
  next.reserve(rows_.size());
  for (Row& row : rows_) {
    row.first_update = total;
    next.push_back(total);
    total += row.update_count;
  }
  updates_.resize(total);
  for (uint32_t t = 0; t < ticks_.size(); ++t) {
    for (const JournalTick::Record& record : ticks_[t].records) updates_[next[record.row]++] = {t, record.body};
  }
}

absl::Status JournalRows::WalkRow(uint32_t index, const UpdateSink& sink) {
  const Row& row = rows_[index];
  RowState state;
  state.task_id = row.task_id;
  UpdateDetail detail;
  for (size_t i = row.first_update; i < row.first_update + row.update_count; ++i) {
    const Update& update = updates_[i];
    absl::Status status = DecodeRowUpdate(update.body, {headers_[update.tick].tick, counters_}, &state, &detail);
    if (!status.ok()) return status;
    sink(update.tick, state);
  }
  return absl::OkStatus();
}

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
//
// The open chunk as rows: a row's updates lie scattered over the ticks of the journal and are gathered. Rows may be
// walked more than once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/journal.h"
#include "storage/row_source.h"

namespace taskmon::storage {

class JournalRows : public RowSource {
 public:
  // `entries`: the whole journal, not empty, oldest first. DataLoss: it is damaged.
  static absl::StatusOr<JournalRows> Open(const std::vector<JournalEntry>& entries, const CounterSet& counters);

  const std::vector<TickHeader>& ticks() const override { return headers_; }
  size_t row_count() const override { return rows_.size(); }
  int64_t task_id(uint32_t row) const override { return rows_[row].task_id; }
  uint32_t first_tick(uint32_t row) const override { return rows_[row].first_tick; }
  uint32_t last_tick(uint32_t row) const override { return rows_[row].last_tick; }
  absl::Status WalkRow(uint32_t row, const UpdateSink& sink) override;

 private:
  struct Update {
    uint32_t tick;
    std::string_view body;
  };
  struct Row {
    int64_t task_id;
    uint32_t first_tick;
    uint32_t last_tick;
    size_t first_update = 0;
    size_t update_count = 0;
  };
  JournalRows() = default;
  void FindRows();
  void GatherUpdates();

  std::vector<JournalTick> ticks_;
  std::vector<TickHeader> headers_;
  CounterSet counters_;
  std::vector<Row> rows_;
  std::vector<Update> updates_;  // by row, then tick; their bodies are in ticks_
};

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
//
// One tick of the open chunk as bytes: what changed since the tick before. EncodeUpdate and DecodeUpdate are the only
// places that know how one sample becomes bytes; JournalTick is one parsed tick; JournalReplay is the open chunk as a
// TickSource. The layout is in README.md.
//
// A "complete" tick starts anew: all rows before it have ended, and each row in it is written in full. The first tick
// of a chunk is complete, and so is the first after a failed write.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/codec.h"
#include "storage/precision.h"
#include "storage/tick_source.h"

namespace taskmon::storage {

struct UpdateContext {
  Tick tick;
  CounterSet counters;
  MetricBits stored = {{~0ull, ~0ull}};  // metrics to write; decoding ignores it
  const Precision* precision = nullptr;  // how exactly to write; null: as they are
};

// What an update did, beside the state it led to.
struct UpdateDetail {
  MetricBits changed;  // value differs from the update before
  MetricBits toggled;  // validity differs
  MetricBits fixed;    // delta is not the one that follows from the values; `fixes` has the difference
  bool taken = false;  // taken_boot_ns was given
  std::array<int64_t, MetricBits::kBits> fixes;
};

// `before`: the sample this row had, null for a row that begins. `info_id` 0: as before.
void EncodeUpdate(const TaskSample* before, const TaskSample& now, int64_t info_id, const UpdateContext& context,
                  ByteWriter* out);

// Applies an update to `row`. For a row that begins, `row` is fresh.
absl::Status DecodeUpdate(std::string_view body, const UpdateContext& context, RowState* row, UpdateDetail* detail);
// The same of a row of the journal, which has names.
absl::Status DecodeRowUpdate(std::string_view body, const UpdateContext& context, RowState* row, UpdateDetail* detail);

class JournalWriter {
 public:
  // Begins a tick. Records follow in any order.
  void Begin(const TickHeader& header, bool complete);
  void Gone(uint32_t row);
  // Returns the number of the new row.
  uint32_t Appeared(int64_t task_id, std::string_view body);
  void Updated(uint32_t row, std::string_view body);
  std::string Finish();

 private:
  TickHeader header_;
  bool complete_ = false;
  std::vector<uint32_t> gone_;
  ByteWriter records_;
  size_t record_count_ = 0;
  uint32_t next_row_ = 0;
  uint32_t last_row_ = 0;
  int64_t last_task_ = 0;
};

// A journal row as the database has it.
struct JournalEntry {
  uint64_t seq = 0;
  int64_t wall_ns = 0;
  std::string blob;
};

struct JournalTick {
  struct Record {
    uint32_t row;  // as numbered in the whole chunk, complete ticks included
    bool appeared;
    int64_t task_id;  // of a row that appeared
    std::string_view body;
  };
  TickHeader header;
  std::vector<uint32_t> gone;
  std::vector<Record> records;
  std::string bytes;  // what the bodies point into
};

// Parses the ticks of one chunk. The bodies are not looked into.
absl::StatusOr<std::vector<JournalTick>> ParseJournal(const std::vector<JournalEntry>& entries);

class JournalReplay : public TickSource {
 public:
  // `wanted` says which tasks are of interest; null: all.
  using Wanted = std::function<bool(int64_t task_id)>;
  static absl::StatusOr<JournalReplay> Open(const std::vector<JournalEntry>& entries, const CounterSet& counters,
                                            const Wanted& wanted);
  const std::vector<TickHeader>& ticks() const override { return headers_; }
  absl::Status Step(StepChanges* changes) override;
  const RowState& row(uint32_t index) const override { return *rows_[index]; }

 private:
  JournalReplay() = default;
  void Begin(const JournalTick::Record& record);

  std::vector<JournalTick> ticks_;
  std::vector<TickHeader> headers_;
  CounterSet counters_;
  Wanted wanted_;
  size_t next_ = 0;
  std::vector<std::unique_ptr<RowState>> rows_;  // null: not wanted, or gone
};

}  // namespace taskmon::storage

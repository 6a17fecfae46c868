// SPDX-License-Identifier: Apache-2.0
//
// Journal -> rows: a row's updates lie scattered over the ticks; they are gathered and decoded one row at a time.

#include "storage/chunk.h"

namespace taskmon::storage {
namespace {

struct Span {
  uint32_t tick;
  std::string_view body;
};

struct RowPlan {
  int64_t task_id = 0;
  uint32_t first_tick = 0;
  uint32_t last_tick = 0;
  size_t first_span = 0;
  size_t span_count = 0;
};

struct Plan {
  std::vector<RowPlan> rows;
  std::vector<Span> spans;  // by row, then tick
};

void PlanRows(const std::vector<JournalTick>& ticks, std::vector<RowPlan>* rows) {
  const auto last_tick = static_cast<uint32_t>(ticks.size() - 1);
  for (uint32_t t = 0; t < ticks.size(); ++t) {
    for (uint32_t row : ticks[t].gone) (*rows)[row].last_tick = t - 1;
    for (const JournalTick::Record& record : ticks[t].records) {
      if (record.appeared) rows->push_back({record.task_id, t, last_tick});
      ++(*rows)[record.row].span_count;
    }
  }
}

Plan MakePlan(const std::vector<JournalTick>& ticks) {
  Plan plan;
  PlanRows(ticks, &plan.rows);
  size_t total = 0;
  std::vector<size_t> next;
  next.reserve(plan.rows.size());
  for (RowPlan& row : plan.rows) {
    row.first_span = total;
    next.push_back(total);
    total += row.span_count;
  }
  plan.spans.resize(total);
  for (uint32_t t = 0; t < ticks.size(); ++t) {
    for (const JournalTick::Record& record : ticks[t].records) plan.spans[next[record.row]++] = {t, record.body};
  }
  return plan;
}

absl::Status AddRow(const RowPlan& row, const Plan& plan, const std::vector<JournalTick>& ticks,
                    const CounterSet& counters, ChunkBuilder* builder) {
  RowState state;
  UpdateDetail detail;
  builder->BeginRow(row.task_id, row.first_tick, row.last_tick);
  for (size_t i = 0; i < row.span_count; ++i) {
    const Span& span = plan.spans[row.first_span + i];
    absl::Status status = DecodeUpdate(span.body, {ticks[span.tick].header.tick, counters}, &state, &detail);
    if (!status.ok()) return status;
    builder->AddUpdate(span.tick, state);
  }
  builder->EndRow();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<EncodedChunk> EncodeChunk(const std::vector<JournalEntry>& entries, const CounterSet& counters,
                                         const Precision& precision) {
  absl::StatusOr<std::vector<JournalTick>> ticks = ParseJournal(entries);
  if (!ticks.ok()) return ticks.status();
  if (ticks->empty()) return absl::InvalidArgumentError("an empty journal makes no chunk");
  std::vector<TickHeader> headers;
  headers.reserve(ticks->size());
  for (const JournalTick& tick : *ticks) headers.push_back(tick.header);
  ChunkBuilder builder(std::move(headers), counters, precision);
  const Plan plan = MakePlan(*ticks);
  for (const RowPlan& row : plan.rows) {
    absl::Status status = AddRow(row, plan, *ticks, counters, &builder);
    if (!status.ok()) return status;
  }
  return builder.Finish();
}

}  // namespace taskmon::storage

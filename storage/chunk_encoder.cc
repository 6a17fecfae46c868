// SPDX-License-Identifier: Apache-2.0
//
// Journal -> columns, one row at a time: a row's updates are decoded into a small matrix, which is then cut into
// columns. So the memory needed is the journal and the columns, never the samples of the whole chunk.
#include <algorithm>
#include <array>

#include "storage/chunk.h"

namespace taskmon::storage {
namespace {

constexpr int kColumnLevel = 3;

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

// The part of a row that says at which ticks it was updated; which of the forms it takes follows from the counts.
void PutUpdates(const RowPlan& row, const Span* spans, ByteWriter* out) {
  const size_t later = row.span_count - 1;
  const size_t room = row.last_tick - row.first_tick;
  out->Varint(later);
  if (later == room || later == 0) return;
  if (later <= room / 8) {
    for (size_t i = 1; i <= later; ++i) out->Varint(spans[i].tick - spans[i - 1].tick - 1);
    return;
  }
  std::string bits((room + 7) / 8, '\0');
  for (size_t i = 1; i <= later; ++i) {
    const uint32_t bit = spans[i].tick - row.first_tick - 1;
    bits[bit / 8] = static_cast<char>(bits[bit / 8] | 1 << (bit % 8));
  }
  out->Bytes(bits);
}

class Encoder {
 public:
  Encoder(const std::vector<JournalTick>& ticks, const CounterSet& counters)
      : ticks_(ticks), plan_(MakePlan(ticks)), counters_(counters) {}

  absl::Status Run(EncodedChunk* out);

 private:
  absl::Status AddRow(const RowPlan& row);
  absl::Status DecodeRow(const RowPlan& row);
  void NoteUpdate(uint32_t update, const UpdateDetail& detail);
  void NoteTaken(uint32_t update, const std::map<MetricId, int64_t>& before);
  void FinishSegment();

  const std::vector<JournalTick>& ticks_;
  const Plan plan_;
  const CounterSet counters_;

  // The row at work. Exceptions belong after the row's base, so they wait.
  struct Pending {
    MetricId metric;
    Exception exception;
  };
  RowState state_;
  std::vector<MetricValues> values_;
  MetricBits base_valid_;
  MetricBits changing_;
  std::vector<Pending> pending_;
  ByteWriter extras_;
  size_t extra_count_ = 0;
  uint32_t last_extra_ = 0;

  // The segment at work.
  size_t segment_rows_ = 0;
  int64_t last_info_ = 0;
  ByteWriter row_bytes_;
  std::array<ColumnBuilder, kMetricSlots> builders_;

  // The chunk.
  ByteWriter rows_;
  std::array<ByteWriter, kMetricSlots> columns_;
  std::array<bool, kMetricSlots> used_{};
};

void Encoder::NoteUpdate(uint32_t update, const UpdateDetail& detail) {
  if (update > 0) {
    changing_ = changing_ | detail.changed | detail.toggled;
    detail.toggled.ForEach([&](size_t m) {
      pending_.push_back({static_cast<MetricId>(m), {0, update, Exception::Kind::kValid}});
    });
  }
  detail.fixed.ForEach([&](size_t m) {
    pending_.push_back({static_cast<MetricId>(m), {0, update, Exception::Kind::kFix, 0, detail.fixes[m]}});
  });
}

void Encoder::NoteTaken(uint32_t update, const std::map<MetricId, int64_t>& before) {
  const std::map<MetricId, int64_t>& now = state_.sample.taken_boot_ns;
  for (const auto& [metric, taken] : now) {
    auto was = before.find(metric);
    if (was != before.end() && was->second == taken) continue;
    pending_.push_back({metric, {0, update, Exception::Kind::kTaken, 0, taken}});
  }
  for (const auto& [metric, taken] : before) {
    if (!now.contains(metric)) pending_.push_back({metric, {0, update, Exception::Kind::kTaken, 0, 0}});
  }
}

absl::Status Encoder::DecodeRow(const RowPlan& row) {
  state_ = RowState();
  changing_ = MetricBits();
  pending_.clear();
  extras_.Clear();
  extra_count_ = last_extra_ = 0;
  if (values_.size() < row.span_count) values_.resize(row.span_count);
  UpdateDetail detail;
  std::map<MetricId, int64_t> taken_before;
  for (uint32_t u = 0; u < row.span_count; ++u) {
    const Span& span = plan_.spans[row.first_span + u];
    const int64_t info_before = state_.info_id;
    if (!state_.sample.taken_boot_ns.empty() || !taken_before.empty()) taken_before = state_.sample.taken_boot_ns;
    absl::Status status = DecodeUpdate(span.body, {ticks_[span.tick].header.tick, counters_}, &state_, &detail);
    if (!status.ok()) return status;
    values_[u] = state_.sample.values;
    if (u == 0) base_valid_ = MetricBits::Of(state_.sample.valid);
    NoteUpdate(u, detail);
    if (detail.taken) NoteTaken(u, taken_before);
    const int64_t info = state_.info_id == info_before ? 0 : state_.info_id;
    if (u == 0 || info != 0 || state_.age_ticks != 0) {
      extras_.Varint(u - last_extra_);
      extras_.Signed(u == 0 ? info - last_info_ : info);
      extras_.Varint(state_.age_ticks);
      if (u == 0) last_info_ = info;
      last_extra_ = u;
      ++extra_count_;
    }
  }
  return absl::OkStatus();
}

absl::Status Encoder::AddRow(const RowPlan& row) {
  absl::Status status = DecodeRow(row);
  if (!status.ok()) return status;
  row_bytes_.Varint(row.first_tick);
  row_bytes_.Varint(ticks_.size() - 1 - row.last_tick);
  PutUpdates(row, &plan_.spans[row.first_span], &row_bytes_);
  row_bytes_.Varint(extra_count_);
  row_bytes_.Bytes(extras_.data());
  for (size_t m = 0; m < kMetricSlots; ++m) builders_[m].AddRow(values_[0][m], base_valid_.test(m));
  for (const Pending& p : pending_) {
    if (p.metric >= kMetricSlots) continue;
    builders_[p.metric].AddException(p.exception.kind, p.exception.update, p.exception.value);
  }
  std::vector<int64_t> series(row.span_count);
  changing_.ForEach([&](size_t m) {
    if (m >= kMetricSlots) return;
    for (size_t u = 0; u < row.span_count; ++u) series[u] = values_[u][m];
    builders_[m].AddSeries(series.data(), series.size());
  });
  if (++segment_rows_ == kSegmentRows) FinishSegment();
  return absl::OkStatus();
}

void Encoder::FinishSegment() {
  if (segment_rows_ == 0) return;
  rows_.Sized(EncodeFrame(row_bytes_.data(), kColumnLevel));
  for (size_t m = 0; m < kMetricSlots; ++m) {
    used_[m] = used_[m] || !builders_[m].never_valid();
    columns_[m].Sized(EncodeFrame(builders_[m].Finish(), kColumnLevel));
  }
  row_bytes_.Clear();
  segment_rows_ = 0;
  last_info_ = 0;
}

absl::Status Encoder::Run(EncodedChunk* out) {
  ByteWriter ids;
  int64_t last_id = 0;
  for (const RowPlan& row : plan_.rows) {
    ids.Signed(WrapSub(row.task_id, last_id));
    last_id = row.task_id;
  }
  rows_.Varint(plan_.rows.size());
  rows_.Sized(ids.data());
  for (const RowPlan& row : plan_.rows) {
    absl::Status status = AddRow(row);
    if (!status.ok()) return status;
  }
  FinishSegment();
  out->row_count = static_cast<uint32_t>(plan_.rows.size());
  out->rows = rows_.Take();
  for (size_t m = 0; m < kMetricSlots; ++m) {
    if (used_[m]) out->columns.emplace_back(static_cast<MetricId>(m), columns_[m].Take());
  }
  return absl::OkStatus();
}

}  // namespace

size_t EncodedChunk::bytes() const {
  size_t total = ticks.size() + rows.size();
  for (const auto& [metric, blob] : columns) total += blob.size();
  return total;
}

std::string EncodeTicks(const std::vector<TickHeader>& headers) {
  ByteWriter out;
  out.Varint(headers.size());
  TickHeader before;
  for (const TickHeader& h : headers) {
    const int64_t boot_step = WrapSub(static_cast<int64_t>(h.tick.boot_ns), static_cast<int64_t>(before.tick.boot_ns));
    out.Varint(h.tick.seq - before.tick.seq);
    out.Signed(boot_step);
    out.Signed(WrapSub(WrapSub(h.tick.wall_ns, before.tick.wall_ns), boot_step));
    out.Signed(WrapSub(static_cast<int64_t>(h.tick.elapsed_ns), boot_step));
    out.Varint(h.tick.lost_records);
    out.Signed(WrapSub(h.memory_total_bytes, before.memory_total_bytes));
    before = h;
  }
  return out.Take();
}

absl::StatusOr<EncodedChunk> EncodeChunk(const std::vector<JournalEntry>& entries, const CounterSet& counters) {
  absl::StatusOr<std::vector<JournalTick>> ticks = ParseJournal(entries);
  if (!ticks.ok()) return ticks.status();
  if (ticks->empty()) return absl::InvalidArgumentError("an empty journal makes no chunk");
  EncodedChunk chunk;
  std::vector<TickHeader> headers;
  headers.reserve(ticks->size());
  chunk.min_wall_ns = chunk.max_wall_ns = entries.front().wall_ns;
  for (const JournalTick& tick : *ticks) {
    headers.push_back(tick.header);
    chunk.min_wall_ns = std::min(chunk.min_wall_ns, tick.header.tick.wall_ns);
    chunk.max_wall_ns = std::max(chunk.max_wall_ns, tick.header.tick.wall_ns);
  }
  chunk.first_seq = entries.front().seq;
  chunk.last_seq = entries.back().seq;
  chunk.tick_count = static_cast<uint32_t>(ticks->size());
  chunk.ticks = EncodeTicks(headers);
  absl::Status status = Encoder(*ticks, counters).Run(&chunk);
  if (!status.ok()) return status;
  return chunk;
}

}  // namespace taskmon::storage

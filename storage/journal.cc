// SPDX-License-Identifier: Apache-2.0
#include "storage/journal.h"

#include <utility>

namespace taskmon::storage {
namespace {

enum UpdateFlag : uint8_t { kInfo = 1, kValid = 2, kFixes = 4, kTaken = 8, kAge = 16 };
enum TickFlag : uint8_t { kComplete = 1 };

// Journal rows live for one chunk only, so speed comes before size.
constexpr int kJournalLevel = 1;
// Below this a tick stays as it is: compressing would cost more than the pages it saves.
constexpr size_t kMinCompressTick = 4096;

struct Changes {
  MetricBits was_valid, valid, changed, fixed;
  std::array<int64_t, MetricBits::kBits> value_steps;
  std::array<int64_t, MetricBits::kBits> fixes;
};

const Precision& PrecisionOf(const UpdateContext& context) {
  static const Precision exact;
  return context.precision != nullptr ? *context.precision : exact;
}

// How the deltas differ from what the values tell.
void CompareDeltas(const TaskSample* before, const TaskSample& now, const UpdateContext& context, Changes* out) {
  const Precision& precision = PrecisionOf(context);
  const MetricBits follow = out->was_valid & out->valid & context.counters;  // from the values, unless it is said
  MetricBits none = follow & out->changed;
  now.deltas.ForEach([&](size_t m, int64_t delta) {
    none.clear(m);
    if (!out->valid.test(m)) return;
    const int64_t value = now.values[m];
    if (follow.test(m) && WrapSub(value, before->values[m]) == delta) return;
    // What the rounded total has grown by, so that the deltas of any stretch add up to the difference of its totals.
    const int64_t kept = WrapSub(precision.Round(m, value), precision.Round(m, WrapSub(value, delta)));
    const int64_t fix = WrapSub(kept, follow.test(m) && out->changed.test(m) ? out->value_steps[m] : 0);
    if (fix == 0) return;
    out->fixed.set(m);
    out->fixes[m] = fix;
  });
  none.ForEach([&](size_t m) {
    out->fixed.set(m);
    out->fixes[m] = WrapSub(0, out->value_steps[m]);
  });
}

// Values of metrics that are not valid count as 0 in the chain of differences. What is 0 and was 0 is not looked at.
void Compare(const TaskSample* before, const TaskSample& now, const UpdateContext& context, Changes* out) {
  static const MetricValues nothing;
  const Precision& precision = PrecisionOf(context);
  out->was_valid = before != nullptr ? precision.Kept(*before) & context.stored : MetricBits();
  out->valid = precision.Kept(now) & context.stored;
  now.values.ForEachWith(before != nullptr ? before->values : nothing, [&](size_t m, int64_t value, int64_t old) {
    if (!out->valid.test(m)) return;
    if (!out->was_valid.test(m)) old = 0;
    if (value == old) return;
    const int64_t step = WrapSub(precision.Round(m, value), precision.Round(m, old));
    if (step == 0) return;
    out->changed.set(m);
    out->value_steps[m] = step;
  });
  if (now.tick_seq == context.tick.seq) CompareDeltas(before, now, context, out);
}

void PutTaken(const TaskSample& now, const Tick& tick, ByteWriter* out) {
  out->Varint(now.taken_boot_ns.count());
  now.taken_boot_ns.ForEach([&](size_t metric, int64_t taken) {
    out->Varint(metric);
    out->Signed(WrapSub(static_cast<int64_t>(tick.boot_ns), taken));
  });
}

void GetTaken(ByteReader* in, const Tick& tick, TaskSample* sample) {
  sample->taken_boot_ns.Clear();
  for (size_t n = in->Count(MetricBits::kBits); n > 0; --n) {
    const uint64_t metric = in->Varint();
    const int64_t taken = WrapSub(static_cast<int64_t>(tick.boot_ns), in->Signed());
    if (metric < kMetricSlots) sample->taken_boot_ns.Set(metric, taken);
  }
}

// Metrics that stopped being valid fall out of the sample.
void SetValid(const MetricBits& valid, TaskSample* sample, UpdateDetail* detail) {
  detail->toggled = MetricBits::Of(sample->valid) ^ valid;
  detail->toggled.ForEach([&](size_t m) {
    if (m < kMetricSlots && !valid.test(m)) sample->values.Set(m, 0);
  });
  sample->valid = valid.ToSet();
}

}  // namespace

void EncodeUpdate(const TaskSample* before, const TaskSample& now, int64_t info_id, const UpdateContext& context,
                  ByteWriter* out) {
  Changes changes;
  Compare(before, now, context, &changes);
  const bool valid_changed = before == nullptr || (changes.valid ^ changes.was_valid).any();
  const bool taken_changed =
      before == nullptr ? !now.taken_boot_ns.empty() : now.taken_boot_ns != before->taken_boot_ns;
  const bool active = now.tick_seq == context.tick.seq;
  out->Byte(static_cast<uint8_t>((info_id != 0 ? kInfo : 0) | (valid_changed ? kValid : 0) |
                                 (changes.fixed.any() ? kFixes : 0) | (taken_changed ? kTaken : 0) |
                                 (active ? 0 : kAge)));
  if (info_id != 0) out->Signed(info_id);
  if (valid_changed) PutMetricBits(changes.valid, out);
  if (!active) out->Varint(context.tick.seq - now.tick_seq);
  PutMetricBits(changes.changed, out);
  changes.changed.ForEach([&](size_t m) { out->Signed(changes.value_steps[m]); });
  if (changes.fixed.any()) {
    PutMetricBits(changes.fixed, out);
    changes.fixed.ForEach([&](size_t m) { out->Signed(changes.fixes[m]); });
  }
  if (taken_changed) PutTaken(now, context.tick, out);
}

absl::Status DecodeUpdate(std::string_view body, const UpdateContext& context, RowState* row, UpdateDetail* detail) {
  ByteReader in(body);
  TaskSample& sample = row->sample;
  const uint8_t flags = in.Byte();
  const MetricBits was_valid = MetricBits::Of(sample.valid);
  sample.deltas.Clear();
  detail->toggled = detail->fixed = MetricBits();
  if (flags & kInfo) row->info_id = in.Signed();
  if (flags & kValid) SetValid(GetMetricBits(&in), &sample, detail);
  row->age_ticks = flags & kAge ? in.Varint() : 0;
  sample.tick_seq = context.tick.seq - row->age_ticks;
  detail->changed = GetMetricBits(&in);
  detail->changed.ForEach([&](size_t m) {
    const int64_t step = in.Signed();
    if (m >= kMetricSlots) return;
    sample.values.Add(m, step);
    if (row->age_ticks == 0 && was_valid.test(m) && context.counters.test(m)) sample.deltas.Set(m, step);
  });
  if (flags & kFixes) {
    detail->fixed = GetMetricBits(&in);
    detail->fixed.ForEach([&](size_t m) {
      detail->fixes[m] = in.Signed();
      if (m < kMetricSlots) sample.deltas.Add(m, detail->fixes[m]);
    });
  }
  detail->taken = (flags & kTaken) != 0;
  if (detail->taken) GetTaken(&in, context.tick, &sample);
  return in.ok() ? absl::OkStatus() : Damaged("journal record");
}

absl::Status DecodeRowUpdate(std::string_view body, const UpdateContext& context, RowState* row, UpdateDetail* detail) {
  absl::Status status = DecodeUpdate(body, context, row, detail);
  return status.ok() && row->info_id == 0 ? Damaged("names of a journal record") : status;
}

void JournalWriter::Begin(const TickHeader& header, bool complete) {
  header_ = header;
  complete_ = complete;
  gone_.clear();
  records_.Clear();
  record_count_ = 0;
  last_row_ = 0;
  last_task_ = 0;
  if (complete) next_row_ = 0;
}

void JournalWriter::Gone(uint32_t row) { gone_.push_back(row); }

uint32_t JournalWriter::Appeared(int64_t task_id, std::string_view body) {
  records_.Varint(1);
  records_.Signed(task_id - last_task_);
  records_.Sized(body);
  last_task_ = task_id;
  ++record_count_;
  return next_row_++;
}

void JournalWriter::Updated(uint32_t row, std::string_view body) {
  records_.Varint(ZigZag(static_cast<int64_t>(row) - last_row_) << 1);
  records_.Sized(body);
  last_row_ = row;
  ++record_count_;
}

std::string JournalWriter::Finish() {
  ByteWriter out;
  out.Byte(complete_ ? kComplete : 0);
  out.Varint(header_.tick.boot_ns);
  out.Varint(header_.tick.elapsed_ns);
  out.Varint(header_.tick.lost_records);
  out.Signed(header_.memory_total_bytes);
  out.Varint(gone_.size());
  int64_t last = 0;
  for (uint32_t row : gone_) {
    out.Signed(row - last);
    last = row;
  }
  out.Varint(record_count_);
  out.Bytes(records_.data());
  if (out.size() >= kMinCompressTick) return EncodeFrame(out.data(), kJournalLevel);
  return std::string(1, '\0') + out.data();
}

namespace {

// Rows of the whole chunk are numbered on through complete ticks; `first_row` is where the current numbering starts.
struct ParseState {
  uint64_t first_row = 0;
  uint64_t next_row = 0;
  std::vector<bool> present;
  std::vector<uint64_t> updated_seq;  // the tick of a row's newest record: it has one a tick
};

bool TakeRow(int64_t relative, const ParseState& state, uint32_t* row) {
  if (relative < 0 || static_cast<uint64_t>(relative) >= state.next_row - state.first_row) return false;
  *row = static_cast<uint32_t>(state.first_row + static_cast<uint64_t>(relative));
  return state.present[*row];
}

void ParseGone(ByteReader* in, ParseState* state, JournalTick* tick) {
  int64_t relative = 0;
  for (size_t n = in->Count(in->left()); n > 0 && in->ok(); --n) {
    relative = WrapAdd(relative, in->Signed());
    uint32_t row;
    if (!TakeRow(relative, *state, &row)) return in->Fail();
    state->present[row] = false;
    tick->gone.push_back(row);
  }
}

void ParseRecords(ByteReader* in, ParseState* state, JournalTick* tick) {
  int64_t relative = 0, task_id = 0;
  const size_t count = in->Count(in->left());
  tick->records.reserve(count);
  for (size_t i = 0; i < count && in->ok(); ++i) {
    JournalTick::Record record{};
    const uint64_t head = in->Varint();
    record.appeared = (head & 1) != 0;
    if (record.appeared) {
      task_id = WrapAdd(task_id, in->Signed());
      record.task_id = task_id;
      record.row = static_cast<uint32_t>(state->next_row++);
      state->present.push_back(true);
      state->updated_seq.push_back(tick->header.tick.seq);
    } else {
      relative = WrapAdd(relative, UnZigZag(head >> 1));
      if (!TakeRow(relative, *state, &record.row)) return in->Fail();
      if (std::exchange(state->updated_seq[record.row], tick->header.tick.seq) == tick->header.tick.seq)
        return in->Fail();
    }
    record.body = in->Sized();
    tick->records.push_back(record);
  }
}

void EndAllRows(ParseState* state, JournalTick* tick) {
  for (uint64_t row = state->first_row; row < state->next_row; ++row) {
    if (!state->present[row]) continue;
    state->present[row] = false;
    tick->gone.push_back(static_cast<uint32_t>(row));
  }
  state->first_row = state->next_row;
}

absl::Status ParseTick(const JournalEntry& entry, ParseState* state, JournalTick* tick) {
  absl::StatusOr<std::string> bytes = DecodeFrame(entry.blob);
  if (!bytes.ok()) return bytes.status();
  tick->bytes = *std::move(bytes);
  ByteReader in(tick->bytes);
  const uint8_t flags = in.Byte();
  Tick& t = tick->header.tick;
  t.seq = entry.seq;
  t.wall_ns = entry.wall_ns;
  t.boot_ns = in.Varint();
  t.elapsed_ns = in.Varint();
  t.lost_records = in.Varint();
  tick->header.memory_total_bytes = in.Signed();
  if (flags & kComplete) EndAllRows(state, tick);
  ParseGone(&in, state, tick);
  ParseRecords(&in, state, tick);
  return in.ok() && in.left() == 0 ? absl::OkStatus() : Damaged("journal tick");
}

}  // namespace

absl::StatusOr<std::vector<JournalTick>> ParseJournal(const std::vector<JournalEntry>& entries) {
  // Records point into their tick's bytes: a vector that never grows keeps short strings where they are.
  std::vector<JournalTick> ticks(entries.size());
  ParseState state;
  for (size_t i = 0; i < entries.size(); ++i) {
    absl::Status status = ParseTick(entries[i], &state, &ticks[i]);
    if (!status.ok()) return status;
  }
  return ticks;
}

absl::StatusOr<JournalReplay> JournalReplay::Open(const std::vector<JournalEntry>& entries, const CounterSet& counters,
                                                  const Wanted& wanted) {
  absl::StatusOr<std::vector<JournalTick>> ticks = ParseJournal(entries);
  if (!ticks.ok()) return ticks.status();
  JournalReplay replay;
  replay.ticks_ = *std::move(ticks);
  replay.counters_ = counters;
  replay.wanted_ = wanted;
  for (const JournalTick& tick : replay.ticks_) replay.headers_.push_back(tick.header);
  return replay;
}

void JournalReplay::Begin(const JournalTick::Record& record) {
  rows_.resize(record.row + 1);
  if (wanted_ && !wanted_(record.task_id)) return;
  rows_[record.row] = std::make_unique<RowState>();
  rows_[record.row]->task_id = record.task_id;
}

absl::Status JournalReplay::Step(StepChanges* changes) {
  changes->gone.clear();
  changes->updated.clear();
  if (next_ >= ticks_.size()) return absl::OutOfRangeError("no more ticks");
  JournalTick& tick = ticks_[next_++];
  for (uint32_t row : tick.gone) {
    if (rows_[row] == nullptr) continue;
    rows_[row].reset();
    changes->gone.push_back(row);
  }
  const UpdateContext context{tick.header.tick, counters_};
  UpdateDetail detail;
  for (const JournalTick::Record& record : tick.records) {
    if (record.appeared) Begin(record);
    if (rows_[record.row] == nullptr) continue;
    absl::Status status = DecodeRowUpdate(record.body, context, rows_[record.row].get(), &detail);
    if (!status.ok()) return status;
    changes->updated.push_back(record.row);
  }
  tick.bytes.clear();
  tick.records.clear();
  return absl::OkStatus();
}

}  // namespace taskmon::storage

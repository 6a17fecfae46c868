// SPDX-License-Identifier: Apache-2.0
//
// Rows -> columns. Of a row's updates each metric that changes is collected as a series of its own; one that does not
// change costs nothing beyond its first value. So the memory needed is one segment and the encoded columns, never the
// samples of the whole chunk.
#include <algorithm>
#include <array>

#include "storage/chunk.h"

namespace taskmon::storage {
namespace {

constexpr size_t kKeys = 3 * kMetricSlots;

// Position of a column among the builders, in the order of the keys.
size_t SlotOf(uint16_t key) { return static_cast<size_t>(key >> 8) * kMetricSlots + (key & 0xff); }
uint16_t KeyOf(size_t slot) { return static_cast<uint16_t>((slot / kMetricSlots) << 8 | slot % kMetricSlots); }
static_assert(kMetricSlots <= 0x100);

// Which ticks a row was updated at; which of the forms it takes follows from the counts.
void PutUpdates(const std::vector<uint32_t>& updates, uint32_t last_tick, ByteWriter* out) {
  const size_t later = updates.size() - 1;
  const size_t room = last_tick - updates.front();
  out->Varint(later);
  if (later == room || later == 0) return;
  if (later <= room / 8) {
    for (size_t i = 1; i <= later; ++i) out->Varint(updates[i] - updates[i - 1] - 1);
    return;
  }
  std::string bits((room + 7) / 8, '\0');
  for (size_t i = 1; i <= later; ++i) {
    const uint32_t bit = updates[i] - updates.front() - 1;
    bits[bit / 8] = static_cast<char>(bits[bit / 8] | 1 << (bit % 8));
  }
  out->Bytes(bits);
}

}  // namespace

class ChunkBuilder::Impl {
 public:
  Impl(std::vector<TickHeader> ticks, const CounterSet& counters, const Precision& precision, int level)
      : ticks_(std::move(ticks)), counters_(counters), precision_(precision), level_(level) {}

  const std::vector<TickHeader>& ticks() const { return ticks_; }
  void BeginRow(int64_t task_id, uint32_t first_tick, uint32_t last_tick);
  void AddUpdate(uint32_t tick, const RowState& state);
  void EndRow();
  EncodedChunk Finish();

 private:
  struct Pending {
    uint16_t metric;
    Exception exception;
  };
  // Numbers by update of the row at work.
  struct Series {
    int64_t last = 0;             // of the newest update
    bool changes = false;         // … or validity does
    std::vector<int64_t> values;  // by update, as far as the last change

    void Clear() {
      last = 0;
      changes = false;
      values.clear();
    }
  };
  void NoteValidity(uint32_t update, const MetricBits& valid);
  void NoteValues(uint32_t update, const TaskSample& sample);
  void NoteFixes(uint32_t update, const MetricValues& deltas, const MetricBits& follow);
  void NoteTaken(uint32_t update, const MetricValues& now);
  void NoteExtra(uint32_t update, const RowState& state);
  void NoteRange(uint32_t update, const TaskSample& sample);
  void NoteDistances(uint32_t update, uint16_t key, const MetricValues& edge, const MetricValues& values);
  void Extend(size_t slot, uint32_t update, int64_t value);
  const std::vector<int64_t>& Filled(size_t slot);
  void CutRow();
  std::vector<int64_t> ResiduesOf(size_t metric);
  void CutRange(uint16_t key, const MetricBits& metrics);
  void FinishSegment();
  ColumnBuilder& Builder(uint16_t key) { return builders_[SlotOf(key)]; }

  const std::vector<TickHeader> ticks_;
  const CounterSet counters_;
  const Precision precision_;
  const int level_;

  // The row at work. Exceptions belong after the row's base, so they wait.
  uint32_t first_tick_ = 0;
  uint32_t last_tick_ = 0;
  std::vector<uint32_t> updates_;
  std::array<Series, kKeys> series_;  // values of metrics, and what their least and largest differ from them by
  MetricBits nonzero_;                // metrics that are not 0 at the newest update
  MetricBits stepped_;                // … that changed with it, by `steps_`
  std::array<int64_t, MetricBits::kBits> steps_{};
  MetricBits first_valid_, valid_, ever_valid_, always_valid_;
  MetricBits has_least_, has_largest_;  // metrics that differed from them at an update
  MetricValues first_;
  MetricValues taken_;
  int64_t info_id_ = 0;
  std::vector<Pending> pending_;
  ByteWriter extras_;
  size_t extra_count_ = 0;
  uint32_t last_extra_ = 0;

  // The segment at work.
  uint32_t segment_rows_ = 0;
  int64_t last_info_ = 0;
  ByteWriter row_bytes_;
  ColumnBuilder::Times times_;
  std::array<ColumnBuilder, kKeys> builders_;

  // The chunk. A column's frames are only as many as segments were finished with something in them.
  uint32_t row_count_ = 0;
  uint32_t segments_ = 0;
  int64_t last_id_ = 0;
  ByteWriter ids_;
  std::vector<std::string> row_frames_;
  std::array<std::vector<std::string>, kKeys> frames_;
};

ChunkBuilder::ChunkBuilder(std::vector<TickHeader> ticks, const CounterSet& counters, const Precision& precision,
                           int level)
    : impl_(std::make_unique<Impl>(std::move(ticks), counters, precision, level)) {}
ChunkBuilder::~ChunkBuilder() = default;
const std::vector<TickHeader>& ChunkBuilder::ticks() const { return impl_->ticks(); }
void ChunkBuilder::BeginRow(int64_t task_id, uint32_t first_tick, uint32_t last_tick) {
  impl_->BeginRow(task_id, first_tick, last_tick);
}
void ChunkBuilder::AddUpdate(uint32_t tick, const RowState& state) { impl_->AddUpdate(tick, state); }
void ChunkBuilder::EndRow() { impl_->EndRow(); }
EncodedChunk ChunkBuilder::Finish() { return impl_->Finish(); }

void ChunkBuilder::Impl::BeginRow(int64_t task_id, uint32_t first_tick, uint32_t last_tick) {
  ids_.Signed(WrapSub(task_id, last_id_));
  last_id_ = task_id;
  first_tick_ = first_tick;
  last_tick_ = last_tick;
  updates_.clear();
  ever_valid_.ForEach([&](size_t m) { series_[m].Clear(); });
  has_least_.ForEach([&](size_t m) { series_[SlotOf(kLeastKey) + m].Clear(); });
  has_largest_.ForEach([&](size_t m) { series_[SlotOf(kLargestKey) + m].Clear(); });
  nonzero_ = first_valid_ = valid_ = ever_valid_ = has_least_ = has_largest_ = MetricBits();
  taken_.Clear();
  info_id_ = 0;
  pending_.clear();
  extras_.Clear();
  extra_count_ = last_extra_ = 0;
}

// The series has `value` from this update on.
void ChunkBuilder::Impl::Extend(size_t slot, uint32_t update, int64_t value) {
  Series& series = series_[slot];
  series.changes = series.changes || update > 0;
  series.values.resize(update, series.last);
  series.values.push_back(value);
  series.last = value;
}

// The whole series.
const std::vector<int64_t>& ChunkBuilder::Impl::Filled(size_t slot) {
  Series& series = series_[slot];
  series.values.resize(updates_.size(), series.last);
  return series.values;
}

void ChunkBuilder::Impl::NoteValidity(uint32_t update, const MetricBits& valid) {
  const MetricBits toggled = valid_ ^ valid;
  valid_ = valid;
  ever_valid_ = ever_valid_ | valid;
  always_valid_ = update == 0 ? valid : always_valid_ & valid;
  if (update == 0) return;
  toggled.ForEach([&](size_t m) {
    series_[m].changes = true;
    pending_.push_back({static_cast<uint16_t>(m), {0, update, Exception::Kind::kValid}});
  });
}

// Values that are not valid count as 0.
void ChunkBuilder::Impl::NoteValues(uint32_t update, const TaskSample& sample) {
  MetricBits nonzero;
  stepped_ = MetricBits();
  const auto note = [&](size_t m, int64_t value) {
    const int64_t step = WrapSub(value, series_[m].last);
    if (step == 0) return;
    stepped_.set(m);
    steps_[m] = step;
    Extend(m, update, value);
  };
  sample.values.ForEach([&](size_t m, int64_t value) {
    if (!valid_.test(m)) return;
    nonzero.set(m);
    note(m, value);
  });
  nonzero_.Without(nonzero).ForEach([&](size_t m) { note(m, 0); });
  nonzero_ = nonzero;
}

// Deltas that are not what the values of `follow` tell.
void ChunkBuilder::Impl::NoteFixes(uint32_t update, const MetricValues& deltas, const MetricBits& follow) {
  const auto note = [&](size_t m, int64_t fix) {
    if (fix != 0) pending_.push_back({static_cast<uint16_t>(m), {0, update, Exception::Kind::kFix, 0, fix}});
  };
  const MetricBits told = stepped_ & follow;
  MetricBits rest = told;
  deltas.ForEach([&](size_t m, int64_t delta) {
    rest.clear(m);
    if (valid_.test(m)) note(m, WrapSub(delta, told.test(m) ? steps_[m] : 0));
  });
  rest.ForEach([&](size_t m) { note(m, WrapSub(0, steps_[m])); });
}

void ChunkBuilder::Impl::NoteTaken(uint32_t update, const MetricValues& now) {
  if (now == taken_) return;
  for (uint16_t metric = 0; metric < kMetricSlots; ++metric) {
    if (now[metric] == taken_[metric]) continue;
    pending_.push_back({metric, {0, update, Exception::Kind::kTaken, 0, now[metric]}});
  }
  taken_ = now;
}

void ChunkBuilder::Impl::NoteExtra(uint32_t update, const RowState& state) {
  const int64_t info = state.info_id == info_id_ ? 0 : state.info_id;
  info_id_ = state.info_id;
  if (update > 0 && info == 0 && state.age_ticks == 0) return;
  extras_.Varint(update - last_extra_);
  extras_.Signed(update == 0 ? WrapSub(state.info_id, last_info_) : info);
  extras_.Varint(state.age_ticks);
  if (update == 0) last_info_ = state.info_id;
  last_extra_ = update;
  ++extra_count_;
}

// Distances from the value, which are 0 for most; a column is made only for those that are not.
void ChunkBuilder::Impl::NoteRange(uint32_t update, const TaskSample& sample) {
  static const MetricValues none;
  const GaugeRange* range = sample.range.get();
  if (range == nullptr && !(has_least_ | has_largest_).any()) return;
  NoteDistances(update, kLeastKey, range != nullptr ? range->least : none, range != nullptr ? sample.values : none);
  NoteDistances(update, kLargestKey, range != nullptr ? range->largest : none, range != nullptr ? sample.values : none);
}

void ChunkBuilder::Impl::NoteDistances(uint32_t update, uint16_t key, const MetricValues& edge,
                                       const MetricValues& values) {
  MetricBits& begun = key == kLeastKey ? has_least_ : has_largest_;
  MetricBits ended = begun;
  edge.ForEachWith(values, [&](size_t m, int64_t at, int64_t value) {
    if (!valid_.test(m) || at == value) return;
    ended.clear(m);
    begun.set(m);
    const size_t slot = SlotOf(key) + m;
    if (const int64_t distance = WrapSub(at, value); distance != series_[slot].last) Extend(slot, update, distance);
  });
  ended.ForEach([&](size_t m) {
    if (series_[SlotOf(key) + m].last != 0) Extend(SlotOf(key) + m, update, 0);
  });
}

void ChunkBuilder::Impl::AddUpdate(uint32_t tick, const RowState& state) {
  const auto update = static_cast<uint32_t>(updates_.size());
  updates_.push_back(tick);
  NoteExtra(update, state);
  const MetricBits was_valid = valid_;
  NoteValidity(update, MetricBits::Of(state.sample.valid));
  NoteValues(update, state.sample);
  if (update == 0) {
    first_valid_ = valid_;
    first_ = state.sample.values;
  }
  if (state.age_ticks == 0) NoteFixes(update, state.sample.deltas, was_valid & valid_ & counters_);
  NoteTaken(update, state.sample.taken_boot_ns);
  NoteRange(update, state.sample);
}

void ChunkBuilder::Impl::EndRow() {
  row_bytes_.Varint(first_tick_);
  row_bytes_.Varint(ticks_.size() - 1 - last_tick_);
  PutUpdates(updates_, last_tick_, &row_bytes_);
  row_bytes_.Varint(extra_count_);
  row_bytes_.Bytes(extras_.data());
  std::vector<int64_t>& times = times_.emplace_back();
  for (uint32_t tick : updates_) times.push_back(static_cast<int64_t>(ticks_[tick].tick.boot_ns));
  CutRow();
  ++row_count_;
  if (++segment_rows_ == kSegmentRows) FinishSegment();
}

void ChunkBuilder::Impl::CutRow() {
  ever_valid_.ForEach([&](size_t m) {
    const bool valid = first_valid_.test(m);
    Builder(static_cast<uint16_t>(m)).AddRow(segment_rows_, valid ? first_[m] : 0, valid);
  });
  for (const Pending& p : pending_) {
    if (p.metric >= kMetricSlots) continue;
    // An age may be known of a metric that never was.
    if (!ever_valid_.test(p.metric)) continue;
    Builder(p.metric).AddException(p.exception.kind, p.exception.update, p.exception.value);
  }
  ever_valid_.ForEach([&](size_t m) {
    if (!series_[m].changes) return;
    std::vector<int64_t> residues = ResiduesOf(m);
    Builder(static_cast<uint16_t>(m)).AddSeries(Filled(m), std::move(residues));
  });
  CutRange(kLeastKey, has_least_);
  CutRange(kLargestKey, has_largest_);
}

// See ColumnForm.
std::vector<int64_t> ChunkBuilder::Impl::ResiduesOf(size_t metric) {
  const ColumnForm& form = precision_.form(static_cast<MetricId>(metric));
  if (form.instant == 0) return {};
  for (size_t m : {metric, size_t{form.instant}, size_t{form.spent}}) {
    if (!always_valid_.test(m)) return {};
  }
  const std::vector<int64_t>& values = Filled(metric);
  const std::vector<int64_t>& instants = Filled(form.instant);
  const std::vector<int64_t>& spent = Filled(form.spent);
  std::vector<int64_t> residues(updates_.size());
  for (size_t u = 0; u < residues.size(); ++u) {
    residues[u] = WrapSub(values[u] / form.quantum, form.Expected(instants[u], spent[u], times_.back()[u]));
  }
  for (size_t u = residues.size(); u-- > 0;) residues[u] = WrapSub(residues[u], residues[0]);
  return residues;
}

void ChunkBuilder::Impl::CutRange(uint16_t key, const MetricBits& metrics) {
  metrics.ForEach([&](size_t m) {
    const std::vector<int64_t>& distances = Filled(SlotOf(key) + m);
    ColumnBuilder& builder = Builder(static_cast<uint16_t>(key | m));
    builder.AddRow(segment_rows_, distances[0], true);
    builder.AddSeries(distances);
  });
}

void ChunkBuilder::Impl::FinishSegment() {
  if (segment_rows_ == 0) return;
  row_frames_.push_back(EncodeFrame(row_bytes_.data(), level_));
  for (size_t slot = 0; slot < kKeys; ++slot) {
    if (builders_[slot].never_valid()) continue;
    frames_[slot].resize(segments_);  // empty frames for the segments before
    ColumnForm form = precision_.form(static_cast<MetricId>(slot % kMetricSlots));
    if (slot >= kMetricSlots) form = {.quantum = form.quantum};
    frames_[slot].push_back(EncodeFrame(builders_[slot].Finish(segment_rows_, form, times_), level_));
  }
  ++segments_;
  times_.clear();
  row_bytes_.Clear();
  segment_rows_ = 0;
  last_info_ = 0;
}

EncodedChunk ChunkBuilder::Impl::Finish() {
  FinishSegment();
  EncodedChunk chunk;
  chunk.first_seq = ticks_.front().tick.seq;
  chunk.last_seq = ticks_.back().tick.seq;
  chunk.min_wall_ns = chunk.max_wall_ns = ticks_.front().tick.wall_ns;
  for (const TickHeader& header : ticks_) {
    chunk.min_wall_ns = std::min(chunk.min_wall_ns, header.tick.wall_ns);
    chunk.max_wall_ns = std::max(chunk.max_wall_ns, header.tick.wall_ns);
  }
  chunk.tick_count = static_cast<uint32_t>(ticks_.size());
  chunk.row_count = row_count_;
  ChunkHead head;
  head.ticks = ticks_;
  head.row_count = row_count_;
  head.segment_rows = kSegmentRows;
  chunk.body = EncodeFrame(ids_.data(), level_);
  head.ids.size = chunk.body.size();
  const auto add = [&](uint16_t key, std::vector<std::string>& frames) {
    frames.resize(segments_);
    for (const std::string& frame : frames) {
      head.columns[key].push_back({0, frame.size()});
      chunk.body += frame;
    }
  };
  if (segments_ > 0) add(kRowsKey, row_frames_);
  for (size_t slot = 1; slot < kKeys; ++slot) {
    if (!frames_[slot].empty()) add(KeyOf(slot), frames_[slot]);
  }
  chunk.head = EncodeHead(head);
  return chunk;
}

absl::StatusOr<EncodedChunk> EncodeChunk(RowSource* source, const CounterSet& counters, const Precision& precision) {
  ChunkBuilder builder(source->ticks(), counters, precision);
  for (uint32_t row = 0; row < source->row_count(); ++row) {
    builder.BeginRow(source->task_id(row), source->first_tick(row), source->last_tick(row));
    absl::Status status =
        source->WalkRow(row, [&builder](uint32_t tick, const RowState& state) { builder.AddUpdate(tick, state); });
    if (!status.ok()) return status;
    builder.EndRow();
  }
  return builder.Finish();
}

}  // namespace taskmon::storage

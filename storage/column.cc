// SPDX-License-Identifier: Apache-2.0
#include "storage/column.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace taskmon::storage {
namespace {

enum ValidMode : uint8_t { kNone = 0, kAll = 1, kBitmap = 2, kNullable = 3 };

// Instants further back than this are no shorter as an age.
constexpr int64_t kAgeLimitNs = 3600ll * 1000000000;

// The place of a number among those with `digits` binary digits, and back. Neighbours have neighbouring places, so that
// large numbers that differ little are told by small ones.
int64_t PlaceOf(int64_t number, int digits) {
  const int spare = static_cast<int>(std::bit_width(static_cast<uint64_t>(number))) - digits;
  return spare <= 0 ? number : (static_cast<int64_t>(spare) << (digits - 1)) + (number >> spare);
}
int64_t NumberAt(int64_t place, int digits) {
  if (place < (int64_t{1} << digits)) return place;
  const int64_t spare = (place >> (digits - 1)) - 1;
  return spare > 62 ? 0 : ShiftLeft(place - (spare << (digits - 1)), static_cast<int>(spare));
}

bool GetValid(size_t rows, int format, ByteReader* in, std::vector<bool>* valid, bool* nullable) {
  const uint8_t mode = in->Byte();
  if (mode > (format >= 2 ? kNullable : kBitmap)) in->Fail();
  *nullable = mode == kNullable;
  valid->assign(rows, mode == kAll);
  if (mode != kBitmap) return in->ok();
  const std::string_view bits = in->Bytes((rows + 7) / 8);
  for (size_t row = 0; in->ok() && row < rows; ++row) {
    (*valid)[row] = (static_cast<uint8_t>(bits[row / 8]) >> (row % 8)) & 1;
  }
  return in->ok();
}

bool GetExceptions(Exception::Kind kind, size_t rows, ByteReader* in, std::vector<Exception>* out) {
  Exception e;
  e.kind = kind;
  for (size_t n = in->Count(in->left()); n > 0 && in->ok(); --n) {
    const uint64_t gap = in->Varint();
    const uint64_t update = in->Varint();
    if (gap >= rows - e.row || update > UINT32_MAX) in->Fail();
    e.row += static_cast<uint32_t>(gap);
    e.update = static_cast<uint32_t>(update);
    if (kind == Exception::Kind::kFix) e.value = in->Signed();
    if (kind == Exception::Kind::kTaken) e.value = WrapAdd(e.value, in->Signed());
    if (in->ok()) out->push_back(e);
  }
  return in->ok();
}

int64_t Nullable(int64_t number) { return number >= 0 ? number + 1 : number; }

// The times that ages refer to, in the column's unit; empty: the values are no recent instants.
std::vector<int64_t> TimesFor(const std::vector<int64_t>& values, const std::vector<int64_t>& times, int64_t quantum) {
  const auto instant = std::find_if(values.begin(), values.end(), [](int64_t v) { return v != 0; });
  if (instant == values.end() || values.size() != times.size()) return {};
  const int64_t now = times[static_cast<size_t>(instant - values.begin())];
  const int64_t age =
      WrapSub(now, static_cast<int64_t>(static_cast<uint64_t>(*instant) * static_cast<uint64_t>(quantum)));
  if (age > kAgeLimitNs || age < -kAgeLimitNs) return {};
  std::vector<int64_t> units(times);
  for (int64_t& time : units) time /= quantum;
  return units;
}

}  // namespace

int64_t ColumnForm::ValueOf(int64_t number) const {
  if (nullable && number > 0) --number;
  if (digits > 0) number = NumberAt(number, digits);
  return static_cast<int64_t>(static_cast<uint64_t>(number) * static_cast<uint64_t>(quantum));
}

void ColumnBuilder::AddRow(uint32_t row, int64_t base, bool valid) {
  base_.resize(row);
  valid_.resize(row);
  base_.push_back(base);
  valid_.push_back(valid);
  never_valid_ = never_valid_ && !valid;
}

void ColumnBuilder::AddSeries(std::vector<int64_t> values, std::vector<int64_t> residues) {
  series_.push_back({static_cast<uint32_t>(base_.size() - 1), std::move(values), std::move(residues)});
}

void ColumnBuilder::AddException(Exception::Kind kind, uint32_t update, int64_t value) {
  if (kind == Exception::Kind::kValid) never_valid_ = false;
  exceptions_.push_back({static_cast<uint32_t>(base_.size() - 1), update, kind, 0, value});
}

template <typename F>
bool ColumnBuilder::EveryValue(const F& holds) const {
  return std::all_of(base_.begin(), base_.end(), holds) &&
         std::all_of(series_.begin(), series_.end(), [&](const Series& series) {
           return std::all_of(series.values.begin(), series.values.end(), holds);
         });
}

template <typename F>
void ColumnBuilder::ChangeValues(const F& change) {
  for (int64_t& v : base_) v = change(v);
  for (Series& series : series_) {
    for (int64_t& v : series.values) v = change(v);
  }
}

bool ColumnBuilder::AllMultiples(int64_t quantum) const {
  const auto is_multiple = [quantum](int64_t v) { return v % quantum == 0; };
  const auto fits = [&](const Exception& e) { return e.kind != Exception::Kind::kFix || is_multiple(e.value); };
  return EveryValue(is_multiple) && std::all_of(exceptions_.begin(), exceptions_.end(), fits);
}

void ColumnBuilder::Divide(int64_t quantum) {
  ChangeValues([quantum](int64_t v) { return v / quantum; });
  for (Exception& e : exceptions_) {
    if (e.kind == Exception::Kind::kFix) e.value /= quantum;
  }
}

void ColumnBuilder::FoldRowIn(size_t* next_toggle, Series* series) {
  bool valid = valid_[series->row];
  for (uint32_t update = 0; update < series->values.size(); ++update) {
    for (; *next_toggle < exceptions_.size(); ++*next_toggle) {
      const Exception& e = exceptions_[*next_toggle];
      if (e.kind != Exception::Kind::kValid) continue;
      if (e.row > series->row || (e.row == series->row && e.update > update)) break;
      if (e.row == series->row) valid = !valid;
    }
    if (valid) series->values[update] = Nullable(series->values[update]);
  }
}

// Where validity changes, it goes into the values: one stream instead of a stream and a list of exceptions.
bool ColumnBuilder::FoldValidityIn() {
  const bool toggles = std::any_of(exceptions_.begin(), exceptions_.end(),
                                   [](const Exception& e) { return e.kind == Exception::Kind::kValid; });
  static constexpr int64_t kNoRoom = std::numeric_limits<int64_t>::max();
  const auto has_no_room = [](const Series& s) {
    return std::find(s.values.begin(), s.values.end(), kNoRoom) != s.values.end();
  };
  if (!toggles || std::find(base_.begin(), base_.end(), kNoRoom) != base_.end() ||
      std::any_of(series_.begin(), series_.end(), has_no_room)) {
    return false;
  }
  for (size_t row = 0; row < base_.size(); ++row) {
    if (valid_[row]) base_[row] = Nullable(base_[row]);
  }
  size_t next_toggle = 0;
  for (Series& series : series_) FoldRowIn(&next_toggle, &series);
  std::erase_if(exceptions_, [](const Exception& e) { return e.kind == Exception::Kind::kValid; });
  return true;
}

void ColumnBuilder::PutValid(bool nullable, ByteWriter* out) const {
  if (nullable) return out->Byte(kNullable);
  const auto valid = static_cast<size_t>(std::count(valid_.begin(), valid_.end(), true));
  if (valid == 0 || valid == valid_.size()) return out->Byte(valid == 0 ? kNone : kAll);
  out->Byte(kBitmap);
  std::string bits((valid_.size() + 7) / 8, '\0');
  for (size_t row = 0; row < valid_.size(); ++row) {
    if (valid_[row]) bits[row / 8] = static_cast<char>(bits[row / 8] | 1 << (row % 8));
  }
  out->Bytes(bits);
}

void ColumnBuilder::PutExceptions(Exception::Kind kind, ByteWriter* out) const {
  const auto is_kind = [kind](const Exception& e) { return e.kind == kind; };
  out->Varint(static_cast<uint64_t>(std::count_if(exceptions_.begin(), exceptions_.end(), is_kind)));
  Exception last;
  for (const Exception& e : exceptions_) {
    if (e.kind != kind) continue;
    out->Varint(e.row - last.row);
    out->Varint(e.update);
    if (kind == Exception::Kind::kFix) out->Signed(e.value);
    if (kind == Exception::Kind::kTaken) out->Signed(WrapSub(e.value, last.value));
    last = e;
  }
}

// Of what tells the values the shorter.
void ColumnBuilder::PutSeriesOf(const Series& series, const ColumnForm& form, const Times& times,
                                ByteWriter* out) const {
  std::vector<int64_t> now;
  if (form.digits == 0) now = TimesFor(series.values, times[series.row], form.quantum);
  ByteWriter plain;
  const size_t cost = PutSeries(series.values.data(), series.values.size(), now.empty() ? nullptr : now.data(), &plain);
  if (form.instant != 0 && !series.residues.empty()) {
    ByteWriter residues;
    if (PutResidues(series.residues.data(), series.residues.size(), &residues) < cost)
      return out->Bytes(residues.data());
  }
  out->Bytes(plain.data());
}

std::string ColumnBuilder::Finish(size_t rows, const ColumnForm& wanted, const Times& times) {
  base_.resize(rows);
  valid_.resize(rows);
  ColumnForm form;
  if (wanted.quantum > 1 && AllMultiples(wanted.quantum)) form.quantum = wanted.quantum;
  if (form.quantum > 1) Divide(form.quantum);
  const int digits = wanted.digits;
  if (digits > 0 && EveryValue([&](int64_t v) { return v >= 0 && NumberAt(PlaceOf(v, digits), digits) == v; })) {
    form.digits = digits;
    ChangeValues([&](int64_t v) { return PlaceOf(v, digits); });
  }
  form.nullable = FoldValidityIn();
  if (!form.nullable && form.quantum == wanted.quantum) form.instant = wanted.instant, form.spent = wanted.spent;
  ByteWriter out;
  out.Varint(static_cast<uint64_t>(form.quantum));
  out.Byte(static_cast<uint8_t>(form.digits));
  out.Varint(form.instant);
  if (form.instant != 0) out.Varint(form.spent);
  PutNumbers(base_, &out);
  PutValid(form.nullable, &out);
  for (auto kind : {Exception::Kind::kValid, Exception::Kind::kFix, Exception::Kind::kTaken}) PutExceptions(kind, &out);
  out.Varint(series_.size());
  uint32_t last_row = 0;
  for (const Series& series : series_) {
    out.Varint(series.row - last_row);
    PutSeriesOf(series, form, times, &out);
    last_row = series.row;
  }
  Clear();
  return out.Take();
}

// Metrics that are often in use would otherwise allocate anew for every segment.
void ColumnBuilder::Clear() {
  base_.clear();
  valid_.clear();
  series_.clear();
  exceptions_.clear();
  never_valid_ = true;
}

bool ColumnSegment::ParseForm(ByteReader* in, int format) {
  form = ColumnForm();
  if (format < 2) return true;
  form.quantum = static_cast<int64_t>(in->Varint());
  form.digits = in->Byte();
  const uint64_t instant = in->Varint();
  const uint64_t spent = instant != 0 ? in->Varint() : 0;
  form.instant = static_cast<uint16_t>(instant);
  form.spent = static_cast<uint16_t>(spent);
  return in->ok() && form.quantum >= 1 && form.digits <= 32 && instant < kMetricSlots && spent < kMetricSlots;
}

absl::Status ColumnSegment::Parse(std::string_view bytes, size_t rows, int format) {
  ByteReader in(bytes);
  exceptions.clear();
  series.clear();
  if (!ParseForm(&in, format)) return Damaged("column");
  GetNumbers(rows, &in, &base);
  GetValid(rows, format, &in, &valid, &form.nullable);
  for (auto kind : {Exception::Kind::kValid, Exception::Kind::kFix, Exception::Kind::kTaken}) {
    GetExceptions(kind, rows, &in, &exceptions);
  }
  for (Exception& e : exceptions) {
    if (e.kind == Exception::Kind::kFix) e.value = ColumnForm{.quantum = form.quantum}.ValueOf(e.value);
  }
  size_t row = 0;
  for (size_t n = in.Count(rows); n > 0 && in.ok(); --n) {
    const uint64_t gap = in.Varint();
    if (gap >= rows - row) in.Fail();
    if (!in.ok()) break;
    row += gap;
    series.push_back({static_cast<uint32_t>(row), SeriesCursor(base[row], &in)});
    if (series.back().cursor.is_residue() && form.instant == 0) in.Fail();
  }
  if (!in.ok() || in.left() != 0) return Damaged("column");
  for (size_t at = 0; form.nullable && at < rows; ++at) valid[at] = base[at] != 0;
  return absl::OkStatus();
}

}  // namespace taskmon::storage

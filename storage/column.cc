// SPDX-License-Identifier: Apache-2.0
#include "storage/column.h"

#include <algorithm>

namespace taskmon::storage {
namespace {

enum ValidMode : uint8_t { kNone = 0, kAll = 1, kBitmap = 2 };

bool GetValid(size_t rows, ByteReader* in, std::vector<bool>* valid) {
  const uint8_t mode = in->Byte();
  if (mode > kBitmap) in->Fail();
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

}  // namespace

void ColumnBuilder::AddRow(int64_t base, bool valid) {
  base_.push_back(base);
  valid_.push_back(valid);
  never_valid_ = never_valid_ && !valid;
}

void ColumnBuilder::AddSeries(const int64_t* values, size_t n) {
  const uint32_t row = static_cast<uint32_t>(base_.size() - 1);
  series_.Varint(row - series_row_);
  series_row_ = row;
  ++series_count_;
  PutSeries(values, n, &series_);
}

void ColumnBuilder::AddException(Exception::Kind kind, uint32_t update, int64_t value) {
  List& list = exceptions_[static_cast<size_t>(kind)];
  const uint32_t row = static_cast<uint32_t>(base_.size() - 1);
  list.bytes.Varint(row - list.row);
  list.bytes.Varint(update);
  if (kind == Exception::Kind::kFix) list.bytes.Signed(value);
  if (kind == Exception::Kind::kTaken) list.bytes.Signed(WrapSub(value, list.value));
  if (kind == Exception::Kind::kValid) never_valid_ = false;
  list.row = row;
  list.value = value;
  ++list.count;
}

void ColumnBuilder::PutValid(ByteWriter* out) const {
  const auto valid = static_cast<size_t>(std::count(valid_.begin(), valid_.end(), true));
  if (valid == 0 || valid == valid_.size()) return out->Byte(valid == 0 ? kNone : kAll);
  out->Byte(kBitmap);
  std::string bits((valid_.size() + 7) / 8, '\0');
  for (size_t row = 0; row < valid_.size(); ++row) {
    if (valid_[row]) bits[row / 8] = static_cast<char>(bits[row / 8] | 1 << (row % 8));
  }
  out->Bytes(bits);
}

std::string ColumnBuilder::Finish() {
  ByteWriter out;
  PutNumbers(base_, &out);
  PutValid(&out);
  for (List& list : exceptions_) {
    out.Varint(list.count);
    out.Bytes(list.bytes.data());
  }
  out.Varint(series_count_);
  out.Bytes(series_.data());
  // Metrics that are often in use would otherwise allocate anew for every segment.
  base_.clear();
  valid_.clear();
  for (List& list : exceptions_) list.bytes.Clear(), list.count = 0, list.row = 0, list.value = 0;
  series_.Clear();
  series_count_ = 0;
  series_row_ = 0;
  never_valid_ = true;
  return out.Take();
}

absl::Status ColumnSegment::Parse(std::string_view bytes, size_t rows) {
  ByteReader in(bytes);
  exceptions.clear();
  series.clear();
  GetNumbers(rows, &in, &base);
  GetValid(rows, &in, &valid);
  for (auto kind : {Exception::Kind::kValid, Exception::Kind::kFix, Exception::Kind::kTaken}) {
    GetExceptions(kind, rows, &in, &exceptions);
  }
  size_t row = 0;
  for (size_t n = in.Count(rows); n > 0 && in.ok(); --n) {
    const uint64_t gap = in.Varint();
    if (gap >= rows - row) in.Fail();
    if (!in.ok()) break;
    row += gap;
    series.push_back({static_cast<uint32_t>(row), SeriesCursor(base[row], &in)});
  }
  return in.ok() && in.left() == 0 ? absl::OkStatus() : Damaged("column");
}

}  // namespace taskmon::storage

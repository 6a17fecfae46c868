// SPDX-License-Identifier: Apache-2.0
//
// The series part of codec.h: one task's values of one metric over the ticks of a chunk.
#include <algorithm>
#include <bit>

#include "storage/codec.h"

namespace taskmon::storage {
namespace {

enum Encoding : uint8_t { kPlain = 1, kDelta = 2, kDeltaOfDelta = 3, kSparse = 4, kSteady = 5, kAge = 6, kResidue = 7 };

constexpr int kMaxShift = 31;
constexpr size_t kNever = SIZE_MAX;

int CommonShift(uint64_t all_bits) { return all_bits == 0 ? 0 : std::min(std::countr_zero(all_bits), kMaxShift); }

// An instant as its age. 0 stays 0, since for an instant it means that there is none; room is left for instants a
// little after the tick, which is stamped before its tasks are read. (An age of -9 has no number: see HasAges.)
constexpr int64_t kAgeOffset = 9;
uint64_t AgeOf(int64_t value, int64_t now) {
  return value == 0 ? 0 : static_cast<uint64_t>(WrapAdd(WrapSub(now, value), kAgeOffset));
}
int64_t ValueOf(uint64_t age, int64_t now) {
  return age == 0 ? 0 : WrapSub(now, WrapSub(static_cast<int64_t>(age), kAgeOffset));
}
bool HasAges(const int64_t* values, size_t n, const int64_t* now) {
  for (size_t i = 1; now != nullptr && i < n; ++i) {
    if (values[i] != 0 && AgeOf(values[i], now[i]) == 0) return false;
  }
  return now != nullptr;
}

// By encoding: an estimate of its size, and what it needs to know.
struct SeriesSizes {
  size_t plain = 0, delta = 0, delta2 = 0, sparse = 0, steady = 0, age = 0;
  int plain_shift = 0, delta_shift = 0;
  int64_t mean_step = 0;  // shifted
};

void MeasureShifts(const int64_t* values, size_t n, SeriesSizes* sizes) {
  uint64_t value_bits = 0, delta_bits = 0;
  for (size_t i = 1; i < n; ++i) {
    value_bits |= static_cast<uint64_t>(values[i]);
    delta_bits |= static_cast<uint64_t>(WrapSub(values[i], values[i - 1]));
  }
  sizes->plain_shift = CommonShift(value_bits);
  sizes->delta_shift = CommonShift(delta_bits);
  if (n > 1) {
    sizes->mean_step = (WrapSub(values[n - 1], values[0]) >> sizes->delta_shift) / static_cast<int64_t>(n - 1);
  }
}

// What a number costs once all is compressed, in bits, roughly: small ones are frequent, and frequent ones are short.
size_t Cost(uint64_t v) { return 1 + static_cast<size_t>(std::bit_width(v)); }

uint64_t Distance(int64_t a, int64_t b) {
  const auto d = static_cast<uint64_t>(a) - static_cast<uint64_t>(b);
  return std::min(d, 0 - d);
}

SeriesSizes MeasureSeries(const int64_t* values, size_t n, const int64_t* now) {
  SeriesSizes sizes;
  MeasureShifts(values, n, &sizes);
  sizes.steady = Cost(ZigZag(sizes.mean_step));
  int64_t slope = 0;
  uint64_t run = 0;
  for (size_t i = 1; i < n; ++i) {
    const int64_t delta = WrapSub(values[i], values[i - 1]) >> sizes.delta_shift;
    const size_t delta_size = Cost(ZigZag(delta));
    sizes.plain += Cost(ZigZag(values[i] >> sizes.plain_shift));
    sizes.delta += delta_size;
    sizes.delta2 += Cost(ZigZag(WrapSub(delta, slope)));
    sizes.steady += Cost(ZigZag(WrapSub(delta, sizes.mean_step)));
    if (now != nullptr) sizes.age += values[i] == 0 ? 1 : Cost(Distance(now[i], values[i])) - 1;  // without a sign
    slope = delta;
    if (delta == 0) {
      ++run;
    } else {
      sizes.sparse += Cost(run) + delta_size;
      run = 0;
    }
  }
  if (!HasAges(values, n, now)) sizes.age = kNever;
  return sizes;
}

// The first of equals is the quickest to read.
std::pair<size_t, Encoding> Choose(const SeriesSizes& sizes) {
  const std::pair<size_t, Encoding> all[] = {{sizes.sparse, kSparse},       {sizes.delta, kDelta},
                                             {sizes.steady, kSteady},       {sizes.plain, kPlain},
                                             {sizes.delta2, kDeltaOfDelta}, {sizes.age, kAge}};
  const auto* best = &all[0];
  for (const auto& one : all) {
    if (one.first < best->first) best = &one;
  }
  return *best;
}

void WriteSparse(const int64_t* values, size_t n, int shift, ByteWriter* out) {
  uint64_t run = 0;
  for (size_t i = 1; i < n; ++i) {
    const int64_t delta = WrapSub(values[i], values[i - 1]) >> shift;
    if (delta == 0) {
      ++run;
      continue;
    }
    out->Varint(run);
    out->Signed(delta);
    run = 0;
  }
}

void WriteSeries(Encoding encoding, const SeriesSizes& sizes, const int64_t* values, size_t n, const int64_t* now,
                 ByteWriter* out) {
  if (encoding == kSparse) return WriteSparse(values, n, sizes.delta_shift, out);
  if (encoding == kSteady) out->Signed(sizes.mean_step);
  int64_t slope = 0;
  for (size_t i = 1; i < n; ++i) {
    const int64_t delta = WrapSub(values[i], values[i - 1]) >> sizes.delta_shift;
    switch (encoding) {
      case kPlain: out->Signed(values[i] >> sizes.plain_shift); break;
      case kDelta: out->Signed(delta); break;
      case kDeltaOfDelta: out->Signed(WrapSub(delta, slope)); break;
      case kSteady: out->Signed(WrapSub(delta, sizes.mean_step)); break;
      default: out->Varint(AgeOf(values[i], now[i]));
    }
    slope = delta;
  }
}

// As ByteReader::Varint, for the loops that most of the time of a reader is spent in.
inline bool TakeVarint(const char** p, const char* end, uint64_t* v) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64 && *p != end; shift += 7) {
    const auto byte = static_cast<uint8_t>(*(*p)++);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      *v = value;
      return true;
    }
  }
  return false;
}

// Adds n numbers up; false: they are not all there.
bool SumSigned(const char** p, const char* end, size_t n, uint64_t* sum) {
  for (uint64_t v; n > 0; --n) {
    if (!TakeVarint(p, end, &v)) return false;
    *sum += static_cast<uint64_t>(UnZigZag(v));
  }
  return true;
}

size_t PutMeasured(const SeriesSizes& sizes, const int64_t* values, size_t n, const int64_t* now, ByteWriter* out) {
  const auto [cost, encoding] = Choose(sizes);
  const int shift = encoding == kPlain ? sizes.plain_shift : encoding == kAge ? 0 : sizes.delta_shift;
  ByteWriter bytes;
  WriteSeries(encoding, sizes, values, n, now, &bytes);
  out->Varint(bytes.size());
  out->Byte(static_cast<uint8_t>(encoding | shift << 3));
  out->Bytes(bytes.data());
  return cost;
}

}  // namespace

size_t PutSeries(const int64_t* values, size_t n, const int64_t* now, ByteWriter* out) {
  return PutMeasured(MeasureSeries(values, n, now), values, n, now, out);
}

size_t PutResidues(const int64_t* residues, size_t n, ByteWriter* out) {
  // They wander off slowly, so that their steps are more alike than they are.
  SeriesSizes sizes = MeasureSeries(residues, n, nullptr);
  sizes.plain = kNever;
  ByteWriter inner;
  const size_t cost = PutMeasured(sizes, residues, n, nullptr, &inner);
  out->Varint(inner.size());
  out->Byte(kResidue);
  out->Bytes(inner.data());
  return cost;
}

SeriesCursor::SeriesCursor(int64_t first, ByteReader* in) : value_(first) {
  const size_t size = in->Varint();
  const uint8_t header = in->Byte();
  if (header == kResidue) {
    ByteReader inner(in->Bytes(size));
    *this = SeriesCursor(0, &inner);
    if (residue_ || !inner.ok() || inner.left() != 0) in->Fail();
    residue_ = true;
    return;
  }
  encoding_ = header & 7;
  shift_ = header >> 3;
  ByteReader bytes(in->Bytes(size));
  if (encoding_ < kPlain || encoding_ > kAge) in->Fail();
  if (encoding_ == kSparse && bytes.left() > 0) run_ = bytes.Varint();
  if (encoding_ == kSteady) slope_ = bytes.Signed();
  if (!bytes.ok()) in->Fail();
  const std::string_view rest = bytes.Bytes(bytes.left());
  p_ = rest.data();
  end_ = rest.data() + rest.size();
}

// After the last change the series stays as it is.
bool SeriesCursor::NextSparse(size_t n) {
  while (n > 0 && p_ != end_) {
    if (run_ >= n) {
      run_ -= n;
      return true;
    }
    n -= run_ + 1;
    uint64_t delta;
    if (!TakeVarint(&p_, end_, &delta)) return false;
    value_ = WrapAdd(value_, ShiftLeft(UnZigZag(delta), shift_));
    if (p_ != end_ && !TakeVarint(&p_, end_, &run_)) return false;
  }
  return true;
}

bool SeriesCursor::Next(int64_t now) { return Advance(1, now); }

bool SeriesCursor::Advance(size_t n, int64_t now) {
  if (n == 0) return true;
  uint64_t v = 0, sum = 0;
  switch (encoding_) {
    case kSparse: return NextSparse(n);
    case kDelta:
    case kSteady:
      if (!SumSigned(&p_, end_, n, &sum)) return false;
      if (encoding_ == kSteady) sum += static_cast<uint64_t>(slope_) * n;
      value_ = WrapAdd(value_, ShiftLeft(static_cast<int64_t>(sum), shift_));
      return true;
    case kDeltaOfDelta:
      for (; n > 0; --n) {
        if (!TakeVarint(&p_, end_, &v)) return false;
        slope_ = WrapAdd(slope_, UnZigZag(v));
        value_ = WrapAdd(value_, ShiftLeft(slope_, shift_));
      }
      return true;
    default:
      for (; n > 0; --n) {
        if (!TakeVarint(&p_, end_, &v)) return false;
      }
      value_ = encoding_ == kAge ? ValueOf(v, now) : ShiftLeft(UnZigZag(v), shift_);
      return true;
  }
}

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
//
// The byte-level encodings of the history file: varints, number series, bit sets and zstd frames. Pure functions and
// value types, usable from any thread.
//
// Everything that decodes treats its input as untrusted: a ByteReader never reads past its end and turns "failed" for
// good at the first damage, a frame never unpacks to more than kMaxFrameBytes. Arithmetic wraps modulo 2^64, so that
// any int64 survives, and no damaged input is undefined behaviour.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/sample.h"

namespace taskmon::storage {

inline constexpr size_t kMaxFrameBytes = 64u << 20;

inline uint64_t ZigZag(int64_t v) { return (static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63); }
inline int64_t UnZigZag(uint64_t v) { return static_cast<int64_t>((v >> 1) ^ (~(v & 1) + 1)); }
inline int64_t WrapAdd(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
inline int64_t WrapSub(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}
// As an arithmetic shift to the left, but defined for all.
inline int64_t ShiftLeft(int64_t v, int shift) { return static_cast<int64_t>(static_cast<uint64_t>(v) << shift); }
// Bytes that `v` takes as a varint.
size_t VarintSize(uint64_t v);

class ByteWriter {
 public:
  void Byte(uint8_t v) { out_.push_back(static_cast<char>(v)); }
  void Varint(uint64_t v);
  void Signed(int64_t v) { Varint(ZigZag(v)); }
  void Bytes(std::string_view bytes) { out_.append(bytes); }
  void Sized(std::string_view bytes);  // length, then the bytes
  void Clear() { out_.clear(); }

  size_t size() const { return out_.size(); }
  const std::string& data() const { return out_; }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

// After a failure every read gives 0 or nothing; check ok() before believing a count and at the end.
class ByteReader {
 public:
  explicit ByteReader(std::string_view data) : p_(data.data()), end_(data.data() + data.size()) {}

  uint8_t Byte();
  uint64_t Varint();
  int64_t Signed() { return UnZigZag(Varint()); }
  std::string_view Bytes(size_t n);
  std::string_view Sized() { return Bytes(Varint()); }
  // A number of things of which at most `max` can exist: more is damage.
  size_t Count(size_t max);

  void Fail() { ok_ = false, p_ = end_; }
  bool ok() const { return ok_; }
  size_t left() const { return static_cast<size_t>(end_ - p_); }

 private:
  const char* p_;
  const char* end_;
  bool ok_ = true;
};

absl::Status Damaged(std::string_view what);  // DataLoss

// A set of metric numbers as formats hold it: room for more than this build's kMetricSlots.
struct MetricBits {
  static constexpr size_t kBits = 128;
  uint64_t word[2] = {0, 0};

  static MetricBits Of(const MetricSet& set);
  MetricSet ToSet() const;  // numbers this build does not know are left out
  bool test(size_t m) const { return (word[m / 64] >> (m % 64)) & 1; }
  void set(size_t m) { word[m / 64] |= 1ull << (m % 64); }
  void clear(size_t m) { word[m / 64] &= ~(1ull << (m % 64)); }
  bool any() const { return (word[0] | word[1]) != 0; }

  MetricBits Without(const MetricBits& o) const { return {{word[0] & ~o.word[0], word[1] & ~o.word[1]}}; }
  MetricBits operator&(const MetricBits& o) const { return {{word[0] & o.word[0], word[1] & o.word[1]}}; }
  MetricBits operator|(const MetricBits& o) const { return {{word[0] | o.word[0], word[1] | o.word[1]}}; }
  MetricBits operator^(const MetricBits& o) const { return {{word[0] ^ o.word[0], word[1] ^ o.word[1]}}; }

  template <typename F>
  void ForEach(F&& visit) const {
    for (size_t w = 0; w < 2; ++w) {
      for (uint64_t rest = word[w]; rest != 0; rest &= rest - 1) {
        visit(static_cast<size_t>(w * 64 + static_cast<size_t>(__builtin_ctzll(rest))));
      }
    }
  }
};
static_assert(kMetricSlots <= MetricBits::kBits);

void PutMetricBits(const MetricBits& bits, ByteWriter* out);  // length in bytes, then the bytes
MetricBits GetMetricBits(ByteReader* in);

// One value per row. Picks the smallest of: all equal, each number, difference to the row before; numbers are shifted
// right by the zero bits that all have in common.
void PutNumbers(const std::vector<int64_t>& numbers, ByteWriter* out);
bool GetNumbers(size_t count, ByteReader* in, std::vector<int64_t>* numbers);

// values[1..n) of a series whose values[0] the reader knows. Picks the smallest encoding; the bytes carry their own
// length, so that a reader can step over them. `now`, if not null, has the time of each value in the values' own unit:
// instants shortly before it are kept as their age. Returns an estimate of what it costs once compressed, in bits.
size_t PutSeries(const int64_t* values, size_t n, const int64_t* now, ByteWriter* out);
// A series of `residues` instead of the values themselves, from which the reader can tell the values; residues[0] is 0.
size_t PutResidues(const int64_t* residues, size_t n, ByteWriter* out);

// Walks a series without unpacking it.
class SeriesCursor {
 public:
  SeriesCursor() = default;
  // Takes one PutSeries from `in`, whose bytes must outlive the cursor. A damaged one fails at Next.
  SeriesCursor(int64_t first, ByteReader* in);
  int64_t value() const { return value_; }
  // The series holds ages, so that Next must be told the time.
  bool is_age() const { return encoding_ == 6; }
  // It holds residues; value() is one.
  bool is_residue() const { return residue_; }
  bool Next(int64_t now = 0);  // false: damaged or past the end
  // As n times Next, but quicker; the time matters for the last alone.
  bool Advance(size_t n, int64_t now = 0);

 private:
  bool NextSparse(size_t n);

  const char* p_ = nullptr;
  const char* end_ = nullptr;
  int64_t value_ = 0;
  int64_t slope_ = 0;
  uint64_t run_ = 0;  // sparse: steps without a change that are still to come
  uint8_t encoding_ = 0;
  uint8_t shift_ = 0;
  bool residue_ = false;
};

// A block that is compressed where that pays. `level` is zstd's.
std::string EncodeFrame(std::string_view raw, int level);
absl::StatusOr<std::string> DecodeFrame(std::string_view frame);

}  // namespace taskmon::storage

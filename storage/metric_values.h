// SPDX-License-Identifier: Apache-2.0
//
// Numbers by metric, of which only those that are not 0 take room: most counters of most tasks are 0. What is not there
// reads as 0. A value type; copies take no more than they need.
//
// Metrics are indexed by their catalogue number (proto/taskmon/v1/metric.proto).
#pragma once

#include <array>
#include <bit>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace taskmon {

// Room for metric numbers 0 … kMetricSlots - 1; not part of any format.
inline constexpr size_t kMetricSlots = 80;

using MetricId = uint16_t;
using MetricSet = std::bitset<kMetricSlots>;
// A number for each, as an array.
using MetricNumbers = std::array<int64_t, kMetricSlots>;

class MetricValues {
 public:
  // Those of `numbers` that belong to `which`, in no more room than they need.
  static MetricValues Of(const MetricNumbers& numbers, const MetricSet& which) {
    static const MetricSet low64(~0ull);
    MetricValues values;
    const std::array<uint64_t, 2> words = {(which & low64).to_ullong(), (which >> 64).to_ullong()};
    size_t count = 0;
    for (size_t word = 0; word < words.size(); ++word) {
      for (uint64_t rest = words[word]; rest != 0; rest &= rest - 1) {
        const auto bit = static_cast<size_t>(std::countr_zero(rest));
        const bool held = numbers[word * 64 + bit] != 0;
        values.held_[word] |= uint64_t{held} << bit;
        count += held;
      }
    }
    values.numbers_.reserve(count);
    for (size_t word = 0; word < words.size(); ++word) {
      for (uint64_t rest = values.held_[word]; rest != 0; rest &= rest - 1) {
        values.numbers_.push_back(numbers[word * 64 + static_cast<size_t>(std::countr_zero(rest))]);
      }
    }
    return values;
  }
  MetricNumbers AsArray() const {
    MetricNumbers numbers{};
    ForEach([&numbers](size_t metric, int64_t value) { numbers[metric] = value; });
    return numbers;
  }

  int64_t operator[](size_t metric) const { return Holds(metric) ? numbers_[Rank(metric)] : 0; }

  void Set(size_t metric, int64_t value) {
    if (Holds(metric)) {
      numbers_[Rank(metric)] = value;
    } else if (value != 0) {
      numbers_.insert(numbers_.begin() + static_cast<std::ptrdiff_t>(Rank(metric)), value);
      held_[metric / 64] |= 1ull << (metric % 64);
    }
  }
  // Modulo 2^64.
  void Add(size_t metric, int64_t increase) {
    if (!Holds(metric)) return Set(metric, increase);
    int64_t& number = numbers_[Rank(metric)];
    number = static_cast<int64_t>(static_cast<uint64_t>(number) + static_cast<uint64_t>(increase));
  }
  // All 0 again; the room is kept.
  void Clear() {
    held_ = {};
    numbers_.clear();
  }

  // visit(metric, value) for each that is not 0, metrics ascending.
  template <typename F>
  void ForEach(F&& visit) const {
    size_t at = 0;
    for (size_t word = 0; word < held_.size(); ++word) {
      for (uint64_t rest = held_[word]; rest != 0; rest &= rest - 1, ++at) {
        if (numbers_[at] != 0) visit(word * 64 + static_cast<size_t>(std::countr_zero(rest)), numbers_[at]);
      }
    }
  }
  // visit(metric, here, there) for each that is not 0 in this or in `other`, metrics ascending.
  template <typename F>
  void ForEachWith(const MetricValues& other, F&& visit) const {
    size_t at = 0, other_at = 0;
    for (size_t word = 0; word < held_.size(); ++word) {
      for (uint64_t rest = held_[word] | other.held_[word]; rest != 0; rest &= rest - 1) {
        const uint64_t bit = rest & (0 - rest);
        const int64_t here = (held_[word] & bit) != 0 ? numbers_[at++] : 0;
        const int64_t there = (other.held_[word] & bit) != 0 ? other.numbers_[other_at++] : 0;
        if (here != 0 || there != 0) visit(word * 64 + static_cast<size_t>(std::countr_zero(bit)), here, there);
      }
    }
  }
  bool empty() const { return count() == 0; }
  size_t count() const {
    size_t count = 0;
    ForEach([&count](size_t, int64_t) { ++count; });
    return count;
  }
  bool operator==(const MetricValues& other) const;
  // Of what it refers to.
  size_t heap_bytes() const { return numbers_.capacity() * sizeof(int64_t); }

 private:
  bool Holds(size_t metric) const { return (held_[metric / 64] >> (metric % 64) & 1) != 0; }
  // std::popcount is a call into libgcc: the instruction for it is not in every amd64.
  static size_t CountBits(uint64_t word) {
    word -= word >> 1 & 0x5555555555555555;
    word = (word & 0x3333333333333333) + (word >> 2 & 0x3333333333333333);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f;
    return word * 0x0101010101010101 >> 56;
  }
  // How many of smaller numbers there are.
  size_t Rank(size_t metric) const {
    const uint64_t below = (1ull << (metric % 64)) - 1;
    return (metric < 64 ? 0 : CountBits(held_[0])) + CountBits(held_[metric / 64] & below);
  }

  static_assert(kMetricSlots <= 128);
  std::array<uint64_t, 2> held_{};  // which metrics have a number; it may have become 0 since
  std::vector<int64_t> numbers_;    // of those, metrics ascending
};

inline bool MetricValues::operator==(const MetricValues& other) const {
  if (held_ == other.held_) return numbers_ == other.numbers_;
  for (size_t metric = 0; metric < kMetricSlots; ++metric) {
    if ((*this)[metric] != other[metric]) return false;
  }
  return true;
}

}  // namespace taskmon

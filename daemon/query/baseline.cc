// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/baseline.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace taskmon::query {
namespace {

constexpr size_t kSlots = 32;
constexpr uint64_t kNsPerSecond = 1'000'000'000;
constexpr uint64_t kWarmUpSlotNs = 2 * kNsPerSecond;
constexpr uint64_t kSlotNs = 8 * kNsPerSecond;
constexpr double kSigmaPerMad = 1.4826;
constexpr double kRelativeFloor = 0.02;
constexpr size_t kHabitTimes = 3;
constexpr int64_t kHabitSeconds = 1200;
constexpr float kHabitSlack = 1.25F;

double Root(double value) { return std::copysign(std::sqrt(std::abs(value)), value); }
double Squared(double root) { return std::copysign(root * root, root); }

// Changes the order of the values.
double MedianOf(std::array<double, kSlots>* values) {
  const auto middle = values->begin() + kSlots / 2;
  std::nth_element(values->begin(), middle, values->end());
  return (*middle + *std::max_element(values->begin(), middle)) / 2;
}

}  // namespace

// What is told of past values only counts once all slots are filled.
struct Baseline::Window {
  struct Departure {
    float peak = 0;  // from the median of the time, with its sign; 0: none
    uint32_t ended_s = 0;
  };

  std::array<float, kSlots> slots{};
  float median = 0;
  float low = 0;  // beyond these a value is outside
  float high = 0;
  float candidate = 0;  // for the slot that is open
  uint32_t seen = 0;    // ticks of it
  uint32_t random = 0x9e3779b9;
  uint32_t next = 0;
  bool outside = false;
  float peak = 0;                                 // of the departure that goes on
  std::array<Departure, kHabitTimes> departures;  // the last ones, oldest first

  // Marsaglia's xorshift: all that matters is that it keeps no step with the load.
  uint32_t Random() {
    random ^= random << 13;
    random ^= random >> 17;
    return random ^= random << 5;
  }

  void Sample(float value) {
    if (Random() % ++seen == 0) candidate = value;
  }

  void Learn(const Rule& rule) {
    std::array<double, kSlots> roots;
    std::transform(slots.begin(), slots.end(), roots.begin(), Root);
    const double middle = MedianOf(&roots);
    for (double& root : roots) root = std::abs(root - middle);
    const double reach = rule.distance * kSigmaPerMad * MedianOf(&roots);
    const double level = Squared(middle);
    const double least = rule.distance * std::max(rule.floor, kRelativeFloor * std::abs(level));
    median = static_cast<float>(level);
    high = static_cast<float>(std::max(Squared(middle + reach), level + least));
    low = static_cast<float>(std::min(Squared(middle - reach), level - least));
  }

  bool IsHabit(float departure, int64_t now_s) const {
    return std::all_of(departures.begin(), departures.end(), [&](const Departure& past) {
      return now_s - past.ended_s < kHabitSeconds && past.peak * departure > 0 &&
             std::abs(departure) <= kHabitSlack * std::abs(past.peak);
    });
  }

  void EndDeparture(int64_t now_s) {
    std::rotate(departures.begin(), departures.begin() + 1, departures.end());
    departures.back() = {.peak = peak, .ended_s = static_cast<uint32_t>(now_s)};
    outside = false;
    peak = 0;
  }

  // Whether the value is anomalous.
  bool Judge(float value, int64_t now_s) {
    if (value >= low && value <= high) {
      if (outside) EndDeparture(now_s);
      return false;
    }
    outside = true;
    const float departure = value - median;
    if (std::abs(departure) > std::abs(peak)) peak = departure;
    return !IsHabit(departure, now_s);
  }

  bool Unremarkable(int64_t now_s) const {
    const Departure& last = departures.back();
    const bool quiet = last.peak == 0 || now_s - last.ended_s >= kHabitSeconds;
    return !outside && quiet &&
           std::all_of(slots.begin(), slots.end(), [this](float slot) { return slot == slots[0]; });
  }
};

Baseline::Baseline() = default;
Baseline::~Baseline() = default;
Baseline::Baseline(Baseline&&) noexcept = default;
Baseline& Baseline::operator=(Baseline&&) noexcept = default;

double Baseline::median() const { return window_ == nullptr ? constant_ : window_->median; }

bool Baseline::settled() const { return window_ == nullptr && filled_ == kSlots; }

bool Baseline::CloseSlot(const Tick& tick, bool outside) {
  const uint64_t length = filled_ < kSlots ? kWarmUpSlotNs : outside ? 2 * kSlotNs : kSlotNs;
  if (tick.boot_ns - slot_began_boot_ns_ < length) return false;
  slot_began_boot_ns_ = tick.boot_ns;
  filled_ = static_cast<uint16_t>(std::min(kSlots, filled_ + size_t{1}));
  return true;
}

Truth Baseline::Judge(double value, const Tick& tick, const Rule& rule) {
  const auto number = static_cast<float>(value);
  const auto now_s = static_cast<int64_t>(tick.boot_ns / kNsPerSecond);
  if (slot_began_boot_ns_ == 0) {
    slot_began_boot_ns_ = tick.boot_ns - std::min(tick.boot_ns, tick.elapsed_ns);
    constant_ = number;
  }
  const bool known = filled_ == kSlots;
  if (window_ == nullptr && number == constant_) {
    CloseSlot(tick, false);
    return known ? Truth::kFalse : Truth::kUnknown;
  }
  if (window_ == nullptr) {
    window_ = std::make_unique<Window>();
    window_->slots.fill(constant_);
    window_->next = filled_ % kSlots;
    window_->Learn(rule);
  }
  const bool anomalous = known && window_->Judge(number, now_s);
  window_->Sample(number);
  if (CloseSlot(tick, window_->outside)) {
    window_->slots[window_->next] = window_->candidate;
    window_->next = (window_->next + 1) % kSlots;
    window_->seen = 0;
    if (filled_ == kSlots) window_->Learn(rule);
    if (filled_ == kSlots && window_->Unremarkable(now_s)) {
      constant_ = window_->slots[0];
      window_.reset();
    }
  }
  return known ? Known(anomalous) : Truth::kUnknown;
}

double AnomalyFloor(const MetricDesc& metric) {
  const bool rate = metric.kind == v1::COUNTER;
  switch (metric.unit) {
    case v1::PERCENT: return 1;                        // of a CPU, of memory
    case v1::BYTES: return rate ? 64 << 10 : 1 << 20;  // a disk does a thousand times that; an allocator's arena
    case v1::NANOSECONDS: return rate ? 10'000'000 : 1'000'000;  // 1 % of the time; a scheduler's slice
    case v1::JIFFIES: return 1;                                  // 1 % of a CPU
    case v1::COUNT: return rate ? 10 : 2;
    default: return 1;
  }
}

}  // namespace taskmon::query

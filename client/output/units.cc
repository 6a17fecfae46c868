// SPDX-License-Identifier: Apache-2.0
#include "client/output/units.h"

#include <cmath>

#include <fmt/format.h>

#include "client/output/number.h"

namespace taskmon::client {
namespace {

constexpr double kNsPerJiffy = 1e7;

// Three digits at most where a unit follows: one decimal below 100, none from there.
std::string Short(double value, const char* suffix) {
  return value < 99.95 ? fmt::format("{:.1f}{}", value, suffix) : fmt::format("{:.0f}{}", value, suffix);
}

std::string Scaled(double value, double step, const char* const* suffixes) {
  double scaled = value;
  while (scaled >= step - 0.5 && *(suffixes + 1) != nullptr) {
    scaled /= step;
    ++suffixes;
  }
  return Short(scaled, *suffixes);
}

// From one minute on: the two largest parts.
std::string LongDuration(uint64_t seconds) {
  const uint64_t minutes = seconds / 60;
  const uint64_t hours = minutes / 60;
  if (hours >= 24) return fmt::format("{}d{:02}h", hours / 24, hours % 24);
  if (hours > 0) return fmt::format("{}h{:02}m", hours, minutes % 60);
  return fmt::format("{}m{:02}s", minutes, seconds % 60);
}

double Unscaled(const MetricDesc& metric, int64_t value) {
  return static_cast<double>(value) / static_cast<double>(metric.scale);
}

}  // namespace

std::string HumanBytes(double bytes) {
  static constexpr const char* kSuffixes[] = {"K", "M", "G", "T", "P", "E", nullptr};
  if (bytes < 0) return "-" + HumanBytes(-bytes);
  if (bytes == 0) return "0";
  if (bytes < 1024) return fmt::format("{:.0f}B", bytes);
  return Scaled(bytes / 1024, 1024, kSuffixes);
}

std::string HumanCount(double count) {
  static constexpr const char* kSuffixes[] = {"k", "M", "G", "T", "P", "E", nullptr};
  if (count < 0) return "-" + HumanCount(-count);
  if (count < 99999.5) return fmt::format("{:.0f}", count);
  return Scaled(count / 1000, 1000, kSuffixes);
}

std::string Thousands(uint64_t value) {
  return value < 1000 ? std::to_string(value) : fmt::format("{},{:03}", Thousands(value / 1000), value % 1000);
}

std::string HumanDuration(double ns) {
  if (ns < 0) return "-" + HumanDuration(-ns);
  if (ns < 0.5) return "0";
  if (ns < 999.5) return fmt::format("{:.0f}ns", ns);
  if (ns < 999.5e3) return Short(ns / 1e3, "us");
  if (ns < 999.5e6) return Short(ns / 1e6, "ms");
  if (ns < 59.95e9) return Short(ns / 1e9, "s");
  return LongDuration(static_cast<uint64_t>(std::llround(ns / 1e9)));
}

std::string HumanPercent(double percent) { return Short(percent, ""); }

std::string HumanValue(const MetricDesc& metric, int64_t value) {
  switch (metric.unit) {
    case v1::BYTES: return HumanBytes(Unscaled(metric, value));
    case v1::COUNT: return HumanCount(Unscaled(metric, value));
    case v1::NANOSECONDS: return HumanDuration(Unscaled(metric, value));
    case v1::JIFFIES: return HumanDuration(Unscaled(metric, value) * kNsPerJiffy);
    case v1::PERCENT: return HumanPercent(Unscaled(metric, value));
    case v1::BOOLEAN: return value != 0 ? "yes" : "no";
    default: return PlainNumber(metric, value);
  }
}

std::string HumanReading(const MetricDesc& metric, double value, bool rate) {
  const std::string text = HumanValue(metric, std::llround(value * static_cast<double>(metric.scale)));
  return text + (metric.unit == v1::PERCENT ? "%" : "") + (rate ? "/s" : "");
}

std::string HumanRate(const MetricDesc& metric, int64_t increase, uint64_t elapsed_ns) {
  const double seconds = static_cast<double>(elapsed_ns) / 1e9;
  const double per_second = Unscaled(metric, increase) / seconds;
  switch (metric.unit) {
    case v1::BYTES: return HumanBytes(per_second) + "/s";
    case v1::NANOSECONDS: return HumanDuration(per_second) + "/s";
    case v1::JIFFIES: return HumanDuration(per_second * kNsPerJiffy) + "/s";
    default: return (per_second > 0 && per_second < 99.95 ? Short(per_second, "") : HumanCount(per_second)) + "/s";
  }
}

}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
#include "client/output/number.h"

#include <charconv>

#include <fmt/format.h>

#include "client/output/escape.h"

namespace taskmon::client {
namespace {

int64_t FloorDiv(int64_t value, int64_t divisor) {
  const int64_t quotient = value / divisor;
  return value % divisor < 0 ? quotient - 1 : quotient;
}

// All digits that the scale (a power of ten) holds, trailing zeros off, at least one decimal.
std::string WithDecimals(int64_t value, int64_t scale) {
  const bool negative = value < 0;
  const uint64_t magnitude = negative ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  int digits = 0;
  for (int64_t rest = scale; rest > 1; rest /= 10) ++digits;
  std::string text = fmt::format("{}{}.{:0{}}", negative ? "-" : "", magnitude / scale, magnitude % scale, digits);
  while (text.back() == '0' && text[text.size() - 2] != '.') text.pop_back();
  return text;
}

}  // namespace

std::string PlainNumber(const MetricDesc& metric, int64_t value) {
  if (metric.unit == v1::LETTER) return std::string(1, value > 0x20 && value < 0x7f ? static_cast<char>(value) : '?');
  if (metric.unit == v1::PERCENT && metric.scale > 1) return WithDecimals(value, metric.scale);
  return fmt::format("{}", FloorDiv(value, metric.scale));
}

std::optional<double> ParseReading(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional<double>(number) : std::nullopt;
}

void AppendJsonValue(const MetricDesc& metric, int64_t value, std::string* out) {
  if (metric.unit == v1::LETTER) {
    AppendJsonString(PlainNumber(metric, value), out);
  } else {
    out->append(PlainNumber(metric, value));
  }
}

}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/expression_literal.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <vector>

#include <fmt/format.h>

#include "daemon/query/expression_lexer.h"

namespace taskmon::query {
namespace {

enum class Dimension { kPlain, kCount, kBytes, kTime, kPercent };

struct UnitSpec {
  std::string_view name;
  Dimension dimension;
  double factor;  // bytes, ns, percent or things
};

constexpr UnitSpec kUnits[] = {
    {"B", Dimension::kBytes, 1},
    {"KiB", Dimension::kBytes, 1024.0},
    {"MiB", Dimension::kBytes, 1024.0 * 1024},
    {"GiB", Dimension::kBytes, 1024.0 * 1024 * 1024},
    {"TiB", Dimension::kBytes, 1024.0 * 1024 * 1024 * 1024},
    {"kB", Dimension::kBytes, 1e3},
    {"MB", Dimension::kBytes, 1e6},
    {"GB", Dimension::kBytes, 1e9},
    {"TB", Dimension::kBytes, 1e12},
    {"ns", Dimension::kTime, 1},
    {"us", Dimension::kTime, 1e3},
    {"ms", Dimension::kTime, 1e6},
    {"s", Dimension::kTime, 1e9},
    {"m", Dimension::kTime, 60e9},
    {"h", Dimension::kTime, 3600e9},
    {"d", Dimension::kTime, 86400e9},
    {"%", Dimension::kPercent, 1},
    {"k", Dimension::kCount, 1e3},
    {"M", Dimension::kCount, 1e6},
    {"G", Dimension::kCount, 1e9},
};

constexpr double kNsPerJiffy = 1e7;

Dimension DimensionOf(const Field& field) {
  if (field.type == FieldType::kDuration) return Dimension::kTime;
  if (field.metric == nullptr) return Dimension::kPlain;
  switch (field.metric->unit) {
    case v1::BYTES: return Dimension::kBytes;
    case v1::NANOSECONDS:
    case v1::JIFFIES: return Dimension::kTime;
    case v1::PERCENT: return Dimension::kPercent;
    case v1::COUNT:
    case v1::NUMBER: return Dimension::kCount;
    default: return Dimension::kPlain;
  }
}

bool Fits(const UnitSpec& unit, Dimension dimension) {
  // 2G of bytes are as clear as 2GB.
  return unit.dimension == dimension || (dimension == Dimension::kBytes && unit.dimension == Dimension::kCount);
}

std::string UnitsOf(Dimension dimension) {
  std::string names;
  for (const UnitSpec& unit : kUnits) {
    if (!Fits(unit, dimension)) continue;
    if (!names.empty()) names += ' ';
    names += unit.name;
  }
  return names;
}

const UnitSpec* FindUnit(std::string_view name) {
  for (const UnitSpec& unit : kUnits) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

absl::Status WrongUnit(std::string_view unit_untrusted, const Field& field, Dimension dimension) {
  const std::string_view verdict = FindUnit(unit_untrusted) == nullptr ? "is no unit" : "does not fit";
  const std::string units = UnitsOf(dimension);
  return absl::InvalidArgumentError(
      fmt::format("unit {} {}; '{}' is {}, expected {}", Quote(unit_untrusted), verdict, field.name,
                  FieldTypeName(field), units.empty() ? std::string("a number without unit") : "one of " + units));
}

absl::StatusOr<double> WithUnit(double number, std::string_view unit_untrusted, const Field& field) {
  const Dimension dimension = DimensionOf(field);
  double factor = 1;
  if (!unit_untrusted.empty()) {
    const UnitSpec* unit = FindUnit(unit_untrusted);
    if (unit == nullptr || !Fits(*unit, dimension)) return WrongUnit(unit_untrusted, field, dimension);
    factor = unit->factor;
    if (field.metric != nullptr && field.metric->unit == v1::JIFFIES) factor /= kNsPerJiffy;
  } else if (field.type == FieldType::kDuration && number != 0) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' needs a unit, expected one of {}", field.name, UnitsOf(dimension)));
  }
  const double value = number * factor;
  if (!std::isfinite(value)) return absl::InvalidArgumentError("number too large");
  return value;
}

}  // namespace

std::optional<NumberWord> SplitNumber(std::string_view word) {
  std::string_view digits = word;
  if (!digits.empty() && digits.front() == '-') digits.remove_prefix(1);
  if (!digits.empty() && digits.front() == '.') digits.remove_prefix(1);
  // Keeps from_chars from reading "inf" and "nan".
  if (digits.empty() || digits.front() < '0' || digits.front() > '9') return std::nullopt;
  NumberWord split;
  const char* end = word.data() + word.size();
  const auto [rest, error] = std::from_chars(word.data(), end, split.number, std::chars_format::fixed);
  if (error != std::errc() && error != std::errc::result_out_of_range) return std::nullopt;
  if (error == std::errc::result_out_of_range) split.number = std::numeric_limits<double>::infinity();
  split.unit = std::string_view(rest, static_cast<size_t>(end - rest));
  return split;
}

bool IsUnit(std::string_view word) { return FindUnit(word) != nullptr; }

absl::StatusOr<double> ToNumber(std::string_view word_untrusted, std::string_view unit_word_untrusted,
                                const Field& field) {
  const std::optional<NumberWord> split = SplitNumber(word_untrusted);
  if (!split) {
    return absl::InvalidArgumentError(
        fmt::format("expected {}, found {}", ExpectedLiteral(field), Quote(word_untrusted)));
  }
  return WithUnit(split->number, unit_word_untrusted.empty() ? split->unit : unit_word_untrusted, field);
}

std::string ExpectedLiteral(const Field& field) {
  switch (field.type) {
    case FieldType::kText:
    case FieldType::kTextList: return "text";
    case FieldType::kBoolean: return "true or false";
    case FieldType::kLetter: return "a state letter (R S D T t Z X I)";
    case FieldType::kTime: return "a time such as \"2026-01-31 14:30\"";
    default: break;
  }
  switch (DimensionOf(field)) {
    case Dimension::kBytes: return "a size such as 10MiB";
    case Dimension::kTime: return "a time such as 10ms";
    case Dimension::kPercent: return "a percentage such as 80%";
    default: return "a number";
  }
}

std::string_view FieldTypeName(const Field& field) {
  switch (field.type) {
    case FieldType::kText: return "text";
    case FieldType::kTextList: return "a list of texts";
    case FieldType::kBoolean: return "true or false";
    case FieldType::kLetter: return "a state letter";
    case FieldType::kTime: return "a point in time";
    default: break;
  }
  switch (DimensionOf(field)) {
    case Dimension::kBytes: return "a size in bytes";
    case Dimension::kTime: return "a length of time";
    case Dimension::kPercent: return "a percentage";
    default: return "a number";
  }
}

}  // namespace taskmon::query

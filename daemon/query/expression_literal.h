// SPDX-License-Identifier: Apache-2.0
//
// Numbers with units, checked against the unit of the field that they are compared with. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "daemon/query/field.h"

namespace taskmon::query {

// "80%" → 80 and "%". nullopt: no number in front.
struct NumberWord {
  double number = 0;
  std::string_view unit;
};
std::optional<NumberWord> SplitNumber(std::string_view word);

// Any unit of any field: what may follow a number after a blank.
bool IsUnit(std::string_view word);

// In the unit that ReadNumber gives the field in. `unit_word` is the unit when it stood apart; else empty.
// InvalidArgument (without a column): not a number, a unit that does not fit the field.
absl::StatusOr<double> ToNumber(std::string_view word_untrusted, std::string_view unit_word_untrusted,
                                const Field& field);

// What may stand on the right: "a size such as 10MiB", "text".
std::string ExpectedLiteral(const Field& field);

// What the field is, for messages: "text", "a percentage", "a size in bytes".
std::string_view FieldTypeName(const Field& field);

}  // namespace taskmon::query

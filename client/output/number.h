// SPDX-License-Identifier: Apache-2.0
//
// Plain numbers in catalogue units, as the contract of JSON, CSV and --raw has them. Exact: held integers are divided
// by their scale without going through a double. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/catalogue.h"

namespace taskmon::client {

// "42"; percent with decimals ("12.345", "3.0"); jiffies as whole numbers, rounded down; a letter as itself ("S", "?"
// for what is no printable ASCII code); a boolean as 0 or 1.
std::string PlainNumber(const MetricDesc& metric, int64_t value);

// PlainNumber as a JSON value: letters in quotes.
void AppendJsonValue(const MetricDesc& metric, int64_t value, std::string* out);

// A plain number, and nothing but that.
std::optional<double> ParseReading(std::string_view text);

}  // namespace taskmon::client

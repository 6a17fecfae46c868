// SPDX-License-Identifier: Apache-2.0
//
// Numbers for people: short enough for a table column, with the unit attached. Plain numbers in catalogue units, as
// JSON, CSV and --raw print them, are in output/number.h. Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "proto/catalogue.h"

namespace taskmon::client {

// "0", "512B", "1.2K", "34.5M", "678M", "1.2G": powers of 1024.
std::string HumanBytes(double bytes);
// "0", "99999", "123k", "4.5M": powers of 1000.
std::string HumanCount(double count);
// "1,234,567": for numbers that are read, not added up.
std::string Thousands(uint64_t value);
// "0", "850ns", "51.2us", "3.4ms", "1.2s", "1m05s", "2h05m", "3d04h".
std::string HumanDuration(double ns);
// "0.0", "12.3", "1234".
std::string HumanPercent(double percent);

// A held value (1/scale units) of the metric by its unit.
std::string HumanValue(const MetricDesc& metric, int64_t value);

// A reading in the catalogue's unit, with "%" or, where it is a rate, "/s" behind it.
std::string HumanReading(const MetricDesc& metric, double value, bool rate);

// A held value's increase over `elapsed_ns` as "…/s": bytes, counts, or time per time. Precondition: elapsed_ns > 0.
std::string HumanRate(const MetricDesc& metric, int64_t increase, uint64_t elapsed_ns);

}  // namespace taskmon::client

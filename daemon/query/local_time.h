// SPDX-License-Identifier: Apache-2.0
//
// Between moments and what a local clock shows, daylight saving included. Uses the process's time zone and nothing
// else; safe from every thread as long as nobody changes TZ.
#pragma once

#include <cstdint>
#include <vector>

namespace taskmon::query {

struct Date {
  int year = 0;
  int month = 0;
  int day = 0;
};

// A time of day.
struct Clock {
  int hour = 0;
  int minute = 0;
  int second = 0;
  int64_t fraction_ns = 0;
};

// Whether the calendar has that day.
bool IsDate(const Date& date);

// Seconds since the epoch at which a local clock shows this, oldest first: none in the hour that spring skips, two in
// the one that autumn repeats. Ignores the fraction. Precondition: IsDate(date).
std::vector<int64_t> LocalMoments(const Date& date, const Clock& clock);

// The local date so many calendar days before the one of `seconds`.
Date LocalDate(int64_t seconds, int days_before);

}  // namespace taskmon::query

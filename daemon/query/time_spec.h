// SPDX-License-Identifier: Apache-2.0
//
// The TIME grammar of every command: now, 10m, -10m, "10 min ago", 3d2h, 14:30[:05], today, yesterday [03:12],
// "2026-01-31 14:30[:05]", RFC 3339, @epoch (seconds, fractions allowed). Bare clock times are in local time, and mean
// their latest occurrence that is not in the future; a day's name alone is its midnight. A local time that spring skips
// is refused; of one that autumn repeats, a dated time means the first. Pure but for the zone: the clock is handed in.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace taskmon::query {

// Wall-clock ns since the epoch. InvalidArgument says what would be right.
absl::StatusOr<int64_t> ParseTime(std::string_view text_untrusted, int64_t now_wall_ns);

// "250ms", "1s", "10m", "3d2h", "1h30m", "10 min" → ns, positive. InvalidArgument otherwise.
absl::StatusOr<int64_t> ParseDuration(std::string_view text_untrusted);

// "2026-11-22T08:15:30.123456789Z"
std::string FormatRfc3339(int64_t wall_ns);
// "2026-11-22 08:15:30" in local time, for people.
std::string FormatLocal(int64_t wall_ns);

}  // namespace taskmon::query

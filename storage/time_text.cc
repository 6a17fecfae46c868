// SPDX-License-Identifier: Apache-2.0
#include "storage/time_text.h"

#include <ctime>

#include <fmt/format.h>

namespace taskmon::storage {

std::string TimeText(int64_t wall_ns) {
  constexpr int64_t kSecond = 1000000000;
  int64_t seconds = wall_ns / kSecond;
  int64_t rest = wall_ns % kSecond;
  if (rest < 0) rest += kSecond, --seconds;
  const time_t time = seconds;
  struct tm utc {};
  gmtime_r(&time, &utc);
  const std::string millis = rest >= 1000000 ? fmt::format(".{:03}", rest / 1000000) : std::string();
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec, millis);
}

}  // namespace taskmon::storage

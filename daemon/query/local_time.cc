// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/local_time.h"

#include <algorithm>
#include <array>
#include <ctime>

namespace taskmon::query {
namespace {

bool SameLocalTime(const std::tm& a, const std::tm& b) {
  return a.tm_year == b.tm_year && a.tm_mon == b.tm_mon && a.tm_mday == b.tm_mday && a.tm_hour == b.tm_hour &&
         a.tm_min == b.tm_min && a.tm_sec == b.tm_sec;
}

}  // namespace

std::vector<int64_t> LocalMoments(const Date& date, const Clock& clock) {
  std::vector<int64_t> moments;
  for (int dst : {-1, 0, 1}) {
    std::tm wanted{};
    wanted.tm_year = date.year - 1900;
    wanted.tm_mon = date.month - 1;
    wanted.tm_mday = date.day;
    wanted.tm_hour = clock.hour;
    wanted.tm_min = clock.minute;
    wanted.tm_sec = clock.second;
    std::tm normalized = wanted;
    normalized.tm_isdst = dst;
    const std::time_t moment = std::mktime(&normalized);
    std::tm shown{};
    if (localtime_r(&moment, &shown) != nullptr && SameLocalTime(shown, wanted)) moments.push_back(moment);
  }
  std::sort(moments.begin(), moments.end());
  moments.erase(std::unique(moments.begin(), moments.end()), moments.end());
  return moments;
}

Date LocalDate(int64_t seconds, int days_before) {
  const std::time_t moment = seconds;
  std::tm local{};
  localtime_r(&moment, &local);
  // Noon exists on every day; midnight does not.
  local.tm_hour = 12;
  local.tm_min = local.tm_sec = 0;
  local.tm_mday -= days_before;
  local.tm_isdst = -1;
  std::mktime(&local);
  return {local.tm_year + 1900, local.tm_mon + 1, local.tm_mday};
}

bool IsDate(const Date& date) {
  static constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (date.month < 1 || date.month > 12 || date.day < 1) return false;
  const bool leap = date.year % 4 == 0 && (date.year % 100 != 0 || date.year % 400 == 0);
  return date.day <= kDays[date.month - 1] + (date.month == 2 && leap);
}

}  // namespace taskmon::query

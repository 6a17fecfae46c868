// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/time_spec.h"

#include <cstdlib>
#include <ctime>
#include <string>

#include <gtest/gtest.h>

namespace taskmon::query {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kDay = 24 * kHour;
constexpr int64_t kNow = 1'700'000'000 * kSecond;  // 2023-11-14T22:13:20Z, 23:13:20 in Berlin

class ScopedZone {
 public:
  explicit ScopedZone(const char* zone) {
    setenv("TZ", zone, 1);
    tzset();
  }
  ~ScopedZone() {
    unsetenv("TZ");
    tzset();
  }
};

// POSIX rules, so that no zone database is needed.
constexpr const char* kBerlin = "CET-1CEST,M3.5.0,M10.5.0/3";

std::string At(const std::string& text, int64_t now = kNow) {
  absl::StatusOr<int64_t> time = ParseTime(text, now);
  if (time.ok()) return FormatRfc3339(*time);
  EXPECT_EQ(time.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(time.status().message());
}

// Why a time is refused, without the text in front and the hint behind.
std::string WhyNot(const std::string& text) {
  absl::StatusOr<int64_t> time = ParseTime(text, kNow);
  if (time.ok()) return "parsed as " + FormatRfc3339(*time);
  std::string message(time.status().message());
  const size_t from = message.find("': ");
  const size_t to = message.find("; write now, 10m, ");
  if (from == std::string::npos || to == std::string::npos) return "no hint in: " + message;
  return message.substr(from + 3, to - from - 3);
}

TEST(ParseTime, TakesTimesBeforeNow) {
  const std::pair<const char*, int64_t> kCases[] = {
      {"now", 0},
      {" NOW ", 0},
      {"0s", 0},
      {"10m", 10 * kMinute},
      {"-10m", 10 * kMinute},
      {"- 10 min", 10 * kMinute},
      {"10 min ago", 10 * kMinute},
      {"10min ago", 10 * kMinute},
      {"10m ago", 10 * kMinute},
      {"3d2h", 3 * kDay + 2 * kHour},
      {"5h30s", 5 * kHour + 30 * kSecond},
      {"1.5h", 90 * kMinute},
      {"250ms", kSecond / 4},
      {"1 week", 7 * kDay},
      {"2 days 3 hr 15m 10sec ago", 2 * kDay + 3 * kHour + 15 * kMinute + 10 * kSecond},
      {"2 DAYS  3 hours\tago", 2 * kDay + 3 * kHour},
  };
  for (const auto& [text, before] : kCases) {
    absl::StatusOr<int64_t> time = ParseTime(text, kNow);
    ASSERT_TRUE(time.ok()) << text << ": " << time.status();
    EXPECT_EQ(kNow - *time, before) << text;
  }
}

TEST(ParseTime, TakesAbsoluteTimesInUtc) {
  const ScopedZone zone("UTC");
  EXPECT_EQ(At("@1700000000"), "2023-11-14T22:13:20.000000000Z");
  EXPECT_EQ(At("@1700000000.5"), "2023-11-14T22:13:20.500000000Z");
  EXPECT_EQ(At("@0"), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(At("2026-01-31"), "2026-01-31T00:00:00.000000000Z");
  EXPECT_EQ(At("2026-01-31 14:30"), "2026-01-31T14:30:00.000000000Z");
  EXPECT_EQ(At("2026-01-31 14:30:05"), "2026-01-31T14:30:05.000000000Z");
  EXPECT_EQ(At("2026-01-31T14:30:05Z"), "2026-01-31T14:30:05.000000000Z");
  EXPECT_EQ(At("2026-01-31t14:30:05.123456789z"), "2026-01-31T14:30:05.123456789Z");
  EXPECT_EQ(At("2026-01-31T14:30:05+02:00"), "2026-01-31T12:30:05.000000000Z");
  EXPECT_EQ(At("2026-01-31T14:30:05.25-0530"), "2026-01-31T20:00:05.250000000Z");
  EXPECT_EQ(At("2024-02-29"), "2024-02-29T00:00:00.000000000Z");
}

TEST(ParseTime, BareClockTimesAreTheLatestNotInTheFuture) {
  const ScopedZone zone(kBerlin);  // 23:13:20 there
  EXPECT_EQ(At("14:30"), "2023-11-14T13:30:00.000000000Z");
  EXPECT_EQ(At("23:13:20"), "2023-11-14T22:13:20.000000000Z");
  EXPECT_EQ(At("23:13:21"), "2023-11-13T22:13:21.000000000Z") << "a second too late for today";
  EXPECT_EQ(At("23:13:20.5"), "2023-11-13T22:13:20.500000000Z");
  EXPECT_EQ(At("9:05"), "2023-11-14T08:05:00.000000000Z");
}

TEST(ParseTime, NamesOfDaysAreLocal) {
  const ScopedZone zone(kBerlin);
  EXPECT_EQ(At("today"), "2023-11-13T23:00:00.000000000Z");
  EXPECT_EQ(At("yesterday"), "2023-11-12T23:00:00.000000000Z");
  EXPECT_EQ(At("yesterday 03:12"), "2023-11-13T02:12:00.000000000Z");
  EXPECT_EQ(At("Today 03:12:07"), "2023-11-14T02:12:07.000000000Z");
  // 00:30 local on the 15th is still the 14th in UTC.
  EXPECT_EQ(At("yesterday", kNow + 77 * kMinute), "2023-11-13T23:00:00.000000000Z");
}

TEST(ParseTime, SpringSkipsAnHour) {
  const ScopedZone zone(kBerlin);
  EXPECT_EQ(At("2026-03-29 01:59"), "2026-03-29T00:59:00.000000000Z");
  EXPECT_EQ(At("2026-03-29 03:00"), "2026-03-29T01:00:00.000000000Z");
  EXPECT_NE(At("2026-03-29 02:30").find("02:30 does not exist on 2026-03-29 in the local time zone"),
            std::string::npos);
  // At noon of that day a bare 02:30 is the day before's.
  EXPECT_EQ(At("02:30", *ParseTime("2026-03-29 12:00", kNow)), "2026-03-28T01:30:00.000000000Z");
  EXPECT_EQ(At("yesterday 12:00", *ParseTime("2026-03-30 00:10", kNow)), "2026-03-29T10:00:00.000000000Z");
}

TEST(ParseTime, AutumnRepeatsAnHour) {
  const ScopedZone zone(kBerlin);
  EXPECT_EQ(At("2026-10-25 02:30"), "2026-10-25T00:30:00.000000000Z") << "a dated time means the first";
  const int64_t noon = *ParseTime("2026-10-25 12:00", kNow);
  EXPECT_EQ(At("02:30", noon), "2026-10-25T01:30:00.000000000Z") << "a bare one the latest";
  const int64_t between = *ParseTime("2026-10-25T01:10:00Z", kNow);  // 02:10, the second time
  EXPECT_EQ(At("02:30", between), "2026-10-25T00:30:00.000000000Z");
}

TEST(ParseTime, RefusesGarbageAndSaysWhy) {
  const std::pair<const char*, const char*> kCases[] = {
      {"", "empty"},
      {"   ", "empty"},
      {"soon", "not a time"},
      {"nowish", "not a time"},
      {"now and then", "unexpected ' and then'"},
      {"tomorrow", "not a time"},
      {"+10m", "the future is not recorded"},
      {"10", "a number needs a unit (s, m, h, d, …)"},
      {"1700000000", "a number needs a unit (s, m, h, d, …)"},
      {"10 fortnights", "unknown unit 'fortnights'"},
      {"10m 3h", "units go from large to small, each once"},
      {"10m10m", "units go from large to small, each once"},
      {"-10m ago", "'-' and 'ago' say the same twice"},
      {"10m ago please", "expected a number, found 'ago please'"},
      {"10m!", "expected a number, found '!'"},
      {"--10m", "expected a number, found '-10m'"},
      {"-", "expected a number, found the end"},
      {"1.m", "expected digits after the point"},
      {"99999999999999999999s", "number too long"},
      {"999999999999999999w", "longer than 292 years"},
      {"60 weeks 3000w", "units go from large to small, each once"},
      {"3000w", "before 1970"},
      {"@", "'@' needs seconds since the epoch"},
      {"@-5", "'@' needs seconds since the epoch"},
      {"@1700000000.1234567890", "a fraction of a second has 1 to 9 digits"},
      {"@99999999999", "after the year 2262"},
      {"@1700000000x", "unexpected 'x'"},
      {"14:3", "expected a clock time such as 14:30 or 14:30:05"},
      {"24:00", "a clock time goes from 00:00:00 to 23:59:59"},
      {"14:60", "a clock time goes from 00:00:00 to 23:59:59"},
      {"14:30:60", "a clock time goes from 00:00:00 to 23:59:59"},
      {"14:30pm", "unexpected 'pm'"},
      {"yesterday 3", "expected a clock time such as 14:30"},
      {"yesterdays", "not a time"},
      {"2026-02-29", "no such date as 2026-02-29"},
      {"2026-13-01", "no such date as 2026-13-01"},
      {"2026-00-10", "no such date as 2026-00-10"},
      {"2026-01-31x", "expected a clock time after the date"},
      {"2026-01-31 14", "expected a clock time such as 14:30"},
      {"2026-01-31T14:30:00+2", "expected a zone such as Z or +02:00"},
      {"2026-01-31T14:30:00Z+1", "unexpected '+1'"},
      {"1969-12-31T23:59:59Z", "before 1970"},
      {"9999-12-31T00:00:00Z", "after the year 2262"},
      {"2026-1-3", "a number needs a unit (s, m, h, d, …)"},
  };
  for (const auto& [text, why] : kCases) EXPECT_EQ(WhyNot(text), why) << text;
  EXPECT_EQ(WhyNot(std::string(200, '1')), "too long");
}

TEST(ParseTime, ShowsTheWholeMessage) {
  EXPECT_EQ(At("soon"),
            "bad time 'soon': not a time; write now, 10m, \"10 min ago\", 14:30, \"yesterday 03:12\", "
            "\"2026-01-31 14:30\", 2026-01-31T14:30:00Z or @1700000000");
}

TEST(ParseDuration, TakesPositiveLengths) {
  EXPECT_EQ(*ParseDuration("250ms"), kSecond / 4);
  EXPECT_EQ(*ParseDuration("1s"), kSecond);
  EXPECT_EQ(*ParseDuration("10 min"), 10 * kMinute);
  EXPECT_EQ(*ParseDuration("1h30m"), 90 * kMinute);
  EXPECT_EQ(*ParseDuration("3d2h"), 3 * kDay + 2 * kHour);
  EXPECT_EQ(*ParseDuration("0.1s"), kSecond / 10);
  EXPECT_EQ(*ParseDuration("0.000000001s"), 1);
}

TEST(ParseDuration, RefusesTheRest) {
  EXPECT_EQ(ParseDuration("0s").status().message(),
            "bad duration '0s': must be longer than 0; write 250ms, 1s, 10m, 1h30m, 3d2h or \"10 min\"");
  for (const char* text :
       {"", "10", "-1s", "s", "1s ago", "1y", "1s1s", "1 1s", "10000000w", "1e3s", "inf", "nan s", "+1s"}) {
    EXPECT_FALSE(ParseDuration(text).ok()) << text;
  }
}

TEST(Format, WritesUtcWithNanosecondsAndLocalWithoutThem) {
  const ScopedZone zone(kBerlin);
  EXPECT_EQ(FormatRfc3339(kNow + 123456789), "2023-11-14T22:13:20.123456789Z");
  EXPECT_EQ(FormatRfc3339(-1), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(FormatLocal(kNow), "2023-11-14 23:13:20");
  EXPECT_EQ(*ParseTime(FormatRfc3339(kNow + 123456789), 0), kNow + 123456789);
}

}  // namespace
}  // namespace taskmon::query

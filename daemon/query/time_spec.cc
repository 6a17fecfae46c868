// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/time_spec.h"

#include <ctime>
#include <limits>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "daemon/query/expression_lexer.h"
#include "daemon/query/local_time.h"

namespace taskmon::query {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kDay = 86'400 * kSecond;
constexpr size_t kMaxLength = 128;
constexpr std::string_view kTimeHint =
    "write now, 10m, \"10 min ago\", 14:30, \"yesterday 03:12\", \"2026-01-31 14:30\", 2026-01-31T14:30:00Z or "
    "@1700000000";
constexpr std::string_view kDurationHint = "write 250ms, 1s, 10m, 1h30m, 3d2h or \"10 min\"";

struct DurationUnit {
  std::string_view name;
  int64_t ns;
};

constexpr DurationUnit kDurationUnits[] = {
    {"ns", 1},
    {"us", 1000},
    {"ms", 1'000'000},
    {"s", kSecond},
    {"sec", kSecond},
    {"secs", kSecond},
    {"second", kSecond},
    {"seconds", kSecond},
    {"m", 60 * kSecond},
    {"min", 60 * kSecond},
    {"mins", 60 * kSecond},
    {"minute", 60 * kSecond},
    {"minutes", 60 * kSecond},
    {"h", 3600 * kSecond},
    {"hr", 3600 * kSecond},
    {"hrs", 3600 * kSecond},
    {"hour", 3600 * kSecond},
    {"hours", 3600 * kSecond},
    {"d", kDay},
    {"day", kDay},
    {"days", kDay},
    {"w", 7 * kDay},
    {"week", 7 * kDay},
    {"weeks", 7 * kDay},
};

absl::Status Bad(const std::string& why) { return absl::InvalidArgumentError(why); }

// Reads from the front of a text; every reader leaves it untouched when it does not find what it wants.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool done() const { return text_.empty(); }
  std::string_view rest() const { return text_; }

  bool Take(char c) {
    if (done() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  bool TakeWord(std::string_view word) {
    if (text_.substr(0, word.size()) != word) return false;
    const std::string_view after = text_.substr(word.size());
    if (!after.empty() && after.front() != ' ') return false;
    text_ = after;
    return true;
  }

  void SkipBlanks() {
    while (Take(' ')) {
    }
  }

  std::string_view TakeLetters() {
    return TakeWhile([](char c) { return c >= 'a' && c <= 'z'; });
  }
  std::string_view TakeDigits() {
    return TakeWhile([](char c) { return c >= '0' && c <= '9'; });
  }

  // A number of min…max digits that no further digit follows.
  std::optional<int> TakeNumber(size_t min, size_t max) {
    Scanner ahead = *this;
    const std::string_view digits = ahead.TakeDigits();
    if (digits.size() < min || digits.size() > max) return std::nullopt;
    int number = 0;
    for (char digit : digits) number = number * 10 + (digit - '0');
    *this = ahead;
    return number;
  }

 private:
  template <typename Predicate>
  std::string_view TakeWhile(Predicate predicate) {
    size_t length = 0;
    while (length < text_.size() && predicate(text_[length])) ++length;
    const std::string_view taken = text_.substr(0, length);
    text_.remove_prefix(length);
    return taken;
  }

  std::string_view text_;
};

// Lower case, blanks of every kind as one, none at the ends.
std::string Normalize(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\t' || c == '\n' || c == '\r') c = ' ';
    if (c == ' ' && (out.empty() || out.back() == ' ')) continue;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

absl::StatusOr<int64_t> WallNs(__int128 seconds, int64_t fraction_ns) {
  const __int128 ns = seconds * kSecond + fraction_ns;
  if (ns < 0) return Bad("before 1970");
  if (ns > std::numeric_limits<int64_t>::max()) return Bad("after the year 2262");
  return static_cast<int64_t>(ns);
}

absl::StatusOr<int64_t> LocalWallNs(const Date& date, const Clock& clock) {
  const std::vector<int64_t> moments = LocalMoments(date, clock);
  if (moments.empty()) {
    return Bad(fmt::format("{:02}:{:02} does not exist on {:04}-{:02}-{:02} in the local time zone", clock.hour,
                           clock.minute, date.year, date.month, date.day));
  }
  return WallNs(moments.front(), clock.fraction_ns);
}

// ---- Parts

// ".123456789" or nothing.
absl::StatusOr<int64_t> TakeFraction(Scanner* in) {
  if (!in->Take('.')) return 0;
  const std::string_view digits = in->TakeDigits();
  if (digits.empty() || digits.size() > 9) return Bad("a fraction of a second has 1 to 9 digits");
  int64_t ns = 0;
  for (size_t i = 0; i < 9; ++i) ns = ns * 10 + (i < digits.size() ? digits[i] - '0' : 0);
  return ns;
}

absl::StatusOr<Clock> TakeClock(Scanner* in) {
  Clock clock;
  const std::optional<int> hour = in->TakeNumber(1, 2);
  if (!hour || !in->Take(':')) return Bad("expected a clock time such as 14:30");
  const std::optional<int> minute = in->TakeNumber(2, 2);
  std::optional<int> second = 0;
  if (in->Take(':')) {
    second = in->TakeNumber(2, 2);
    absl::StatusOr<int64_t> fraction = TakeFraction(in);
    if (!fraction.ok()) return fraction.status();
    clock.fraction_ns = *fraction;
  }
  if (!minute || !second) return Bad("expected a clock time such as 14:30 or 14:30:05");
  if (*hour > 23 || *minute > 59 || *second > 59) return Bad("a clock time goes from 00:00:00 to 23:59:59");
  clock.hour = *hour;
  clock.minute = *minute;
  clock.second = *second;
  return clock;
}

// "z", "+02:00" or "+0200" → seconds east of UTC; nullopt: no zone.
absl::StatusOr<std::optional<int>> TakeZone(Scanner* in) {
  if (in->Take('z')) return std::optional<int>(0);
  int sign = 0;
  if (in->Take('+')) sign = 1;
  if (sign == 0 && in->Take('-')) sign = -1;
  if (sign == 0) return std::optional<int>();
  std::optional<int> hours;
  std::optional<int> minutes;
  if (std::optional<int> both = in->TakeNumber(4, 4)) {
    hours = *both / 100;
    minutes = *both % 100;
  } else {
    hours = in->TakeNumber(2, 2);
    if (in->Take(':')) minutes = in->TakeNumber(2, 2);
  }
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return Bad("expected a zone such as Z or +02:00");
  return std::optional<int>(sign * (*hours * 3600 + *minutes * 60));
}

std::optional<Date> TakeDate(Scanner* in) {
  Scanner ahead = *in;
  const std::optional<int> year = ahead.TakeNumber(4, 4);
  if (!year || !ahead.Take('-')) return std::nullopt;
  const std::optional<int> month = ahead.TakeNumber(2, 2);
  if (!month || !ahead.Take('-')) return std::nullopt;
  const std::optional<int> day = ahead.TakeNumber(2, 2);
  if (!day) return std::nullopt;
  *in = ahead;
  return Date{*year, *month, *day};
}

// ---- Durations

absl::StatusOr<int64_t> UnitNs(std::string_view name) {
  for (const DurationUnit& unit : kDurationUnits) {
    if (unit.name == name) return unit.ns;
  }
  if (name.empty()) return Bad("a number needs a unit (s, m, h, d, …)");
  return Bad(fmt::format("unknown unit {}", Quote(name)));
}

// One "1.5h": whole part, fraction and unit, in ns.
absl::StatusOr<__int128> TakeAmount(Scanner* in, int64_t* unit_ns) {
  const std::string_view whole = in->TakeDigits();
  if (whole.empty()) return Bad(fmt::format("expected a number, found {}", in->done() ? "the end" : Quote(in->rest())));
  std::string_view fraction;
  if (in->Take('.')) {
    fraction = in->TakeDigits();
    if (fraction.empty()) return Bad("expected digits after the point");
  }
  if (whole.size() > 18 || fraction.size() > 9) return Bad("number too long");
  in->SkipBlanks();
  absl::StatusOr<int64_t> unit = UnitNs(in->TakeLetters());
  if (!unit.ok()) return unit.status();
  __int128 amount = 0;
  for (char digit : whole) amount = amount * 10 + (digit - '0');
  int64_t part = 0;
  int64_t parts = 1;
  for (char digit : fraction) {
    part = part * 10 + (digit - '0');
    parts *= 10;
  }
  amount = amount * *unit + static_cast<__int128>(part) * *unit / parts;
  *unit_ns = *unit;
  return amount;
}

// "2 days 3 hr 15m10sec": from large units to small ones, which catches most slips.
absl::StatusOr<int64_t> TakeDuration(Scanner* in) {
  __int128 sum = 0;
  int64_t last_unit = std::numeric_limits<int64_t>::max();
  do {
    int64_t unit = 0;
    absl::StatusOr<__int128> amount = TakeAmount(in, &unit);
    if (!amount.ok()) return amount.status();
    if (unit >= last_unit) return Bad("units go from large to small, each once");
    last_unit = unit;
    sum += *amount;
    if (sum > std::numeric_limits<int64_t>::max()) return Bad("longer than 292 years");
    in->SkipBlanks();
  } while (!in->done() && in->rest() != "ago");
  return static_cast<int64_t>(sum);
}

// ---- Whole times

// "10m", "-10m", "10 min ago": before now.
absl::StatusOr<int64_t> Ago(Scanner* in, int64_t now_wall_ns) {
  const bool minus = in->Take('-');
  in->SkipBlanks();
  absl::StatusOr<int64_t> duration = TakeDuration(in);
  if (!duration.ok()) return duration.status();
  if (in->TakeWord("ago") && minus) return Bad("'-' and 'ago' say the same twice");
  if (*duration > now_wall_ns) return Bad("before 1970");
  return now_wall_ns - *duration;
}

absl::StatusOr<int64_t> Epoch(Scanner* in) {
  const std::string_view digits = in->TakeDigits();
  if (digits.empty() || digits.size() > 11) return Bad("'@' needs seconds since the epoch");
  __int128 seconds = 0;
  for (char digit : digits) seconds = seconds * 10 + (digit - '0');
  absl::StatusOr<int64_t> fraction = TakeFraction(in);
  return fraction.ok() ? WallNs(seconds, *fraction) : fraction;
}

// "today", "yesterday 03:12": midnight when no clock time follows.
absl::StatusOr<int64_t> NamedDay(Scanner* in, int64_t now_wall_ns, int days_before) {
  in->SkipBlanks();
  Clock clock;
  if (!in->done()) {
    absl::StatusOr<Clock> taken = TakeClock(in);
    if (!taken.ok()) return taken.status();
    clock = *taken;
  }
  return LocalWallNs(LocalDate(now_wall_ns / kSecond, days_before), clock);
}

absl::StatusOr<int64_t> Dated(Scanner* in, const Date& date) {
  if (!IsDate(date)) return Bad(fmt::format("no such date as {:04}-{:02}-{:02}", date.year, date.month, date.day));
  if (in->done()) return LocalWallNs(date, {});
  if (!in->Take('t') && !in->Take(' ')) return Bad("expected a clock time after the date");
  absl::StatusOr<Clock> clock = TakeClock(in);
  if (!clock.ok()) return clock.status();
  in->SkipBlanks();
  absl::StatusOr<std::optional<int>> zone = TakeZone(in);
  if (!zone.ok()) return zone.status();
  if (!zone->has_value()) return LocalWallNs(date, *clock);
  std::tm utc{};
  utc.tm_year = date.year - 1900;
  utc.tm_mon = date.month - 1;
  utc.tm_mday = date.day;
  utc.tm_hour = clock->hour;
  utc.tm_min = clock->minute;
  utc.tm_sec = clock->second;
  return WallNs(static_cast<__int128>(timegm(&utc)) - **zone, clock->fraction_ns);
}

// A bare clock time is its latest occurrence that is not in the future; two days back is enough, since a clock time
// that spring skips exists the day before.
absl::StatusOr<int64_t> LatestOccurrence(const Clock& clock, int64_t now_wall_ns) {
  for (int days_before = 0; days_before <= 2; ++days_before) {
    const std::vector<int64_t> moments = LocalMoments(LocalDate(now_wall_ns / kSecond, days_before), clock);
    for (auto moment = moments.rbegin(); moment != moments.rend(); ++moment) {
      absl::StatusOr<int64_t> wall_ns = WallNs(*moment, clock.fraction_ns);
      if (wall_ns.ok() && *wall_ns <= now_wall_ns) return wall_ns;
    }
  }
  return Bad("before 1970");
}

bool LooksLikeClock(std::string_view text) {
  const size_t colon = text.find(':');
  return colon != std::string_view::npos && colon <= 2;
}

absl::StatusOr<int64_t> Dispatch(Scanner* in, int64_t now_wall_ns) {
  if (in->done()) return Bad("empty");
  if (in->TakeWord("now")) return now_wall_ns;
  if (in->TakeWord("today")) return NamedDay(in, now_wall_ns, 0);
  if (in->TakeWord("yesterday")) return NamedDay(in, now_wall_ns, 1);
  if (in->Take('@')) return Epoch(in);
  if (std::optional<Date> date = TakeDate(in)) return Dated(in, *date);
  if (LooksLikeClock(in->rest())) {
    absl::StatusOr<Clock> clock = TakeClock(in);
    return clock.ok() ? LatestOccurrence(*clock, now_wall_ns) : absl::StatusOr<int64_t>(clock.status());
  }
  const char first = in->rest().front();
  if (first == '+') return Bad("the future is not recorded");
  if (first != '-' && (first < '0' || first > '9')) return Bad("not a time");
  return Ago(in, now_wall_ns);
}

// The whole text must have been used up; a failure gets the text in front and the hint behind.
absl::StatusOr<int64_t> Finish(absl::StatusOr<int64_t> result, const Scanner& in, std::string_view what,
                               std::string_view text_untrusted, std::string_view hint) {
  if (result.ok() && in.done()) return result;
  const std::string why =
      result.ok() ? fmt::format("unexpected {}", Quote(in.rest())) : std::string(result.status().message());
  return Bad(fmt::format("bad {} {}: {}; {}", what, Quote(text_untrusted), why, hint));
}

}  // namespace

absl::StatusOr<int64_t> ParseTime(std::string_view text_untrusted, int64_t now_wall_ns) {
  const std::string text = Normalize(text_untrusted.substr(0, kMaxLength + 1));
  Scanner in(text);
  if (text_untrusted.size() > kMaxLength) return Finish(Bad("too long"), in, "time", text_untrusted, kTimeHint);
  absl::StatusOr<int64_t> time = Dispatch(&in, now_wall_ns);
  return Finish(std::move(time), in, "time", text_untrusted, kTimeHint);
}

absl::StatusOr<int64_t> ParseDuration(std::string_view text_untrusted) {
  const std::string text = Normalize(text_untrusted.substr(0, kMaxLength + 1));
  Scanner in(text);
  if (text_untrusted.size() > kMaxLength) return Finish(Bad("too long"), in, "duration", text_untrusted, kDurationHint);
  absl::StatusOr<int64_t> duration = text.empty() ? Bad("empty") : TakeDuration(&in);
  if (duration.ok() && *duration == 0) duration = Bad("must be longer than 0");
  return Finish(std::move(duration), in, "duration", text_untrusted, kDurationHint);
}

std::string FormatRfc3339(int64_t wall_ns) {
  std::time_t seconds = wall_ns / kSecond;
  int64_t fraction = wall_ns % kSecond;
  if (fraction < 0) {
    fraction += kSecond;
    --seconds;
  }
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec, fraction);
}

std::string FormatLocal(int64_t wall_ns) {
  std::time_t seconds = wall_ns / kSecond;
  if (wall_ns % kSecond < 0) --seconds;
  std::tm local{};
  localtime_r(&seconds, &local);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", local.tm_year + 1900, local.tm_mon + 1, local.tm_mday,
                     local.tm_hour, local.tm_min, local.tm_sec);
}

}  // namespace taskmon::query

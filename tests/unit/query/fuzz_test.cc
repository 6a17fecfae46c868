// SPDX-License-Identifier: Apache-2.0
//
// The two parsers of untrusted text against mutated and random input: no crash, no endless work, and every refusal says
// where. The seed is fixed, so a failure can be repeated.
#include <chrono>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/query/expression.h"
#include "daemon/query/time_spec.h"
#include "tests/unit/query/world.h"

namespace taskmon::query {
namespace {

constexpr int kRounds = 40'000;

class Mutator {
 public:
  Mutator(std::vector<std::string> seeds, std::vector<std::string> pieces)
      : seeds_(std::move(seeds)), pieces_(std::move(pieces)) {}

  std::string Next() {
    std::string text = seeds_[Below(seeds_.size())];
    for (size_t edits = 1 + Below(6); edits > 0; --edits) Edit(&text);
    return text;
  }

 private:
  size_t Below(size_t limit) { return random_() % limit; }

  void Edit(std::string* text) {
    const size_t at = Below(text->size() + 1);
    switch (Below(6)) {
      case 0: text->insert(at, 1, static_cast<char>(Below(256))); break;
      case 1: text->erase(at, 1 + Below(4)); break;
      case 2: text->insert(at, pieces_[Below(pieces_.size())]); break;
      case 3: *text += *text; break;
      case 4: text->insert(at, seeds_[Below(seeds_.size())]); break;
      default:
        if (at < text->size()) (*text)[at] = static_cast<char>(Below(256));
    }
    if (text->size() > 6000) text->resize(6000);
  }

  std::mt19937 random_{20261122};
  const std::vector<std::string> seeds_;
  const std::vector<std::string> pieces_;
};

TEST(Fuzz, ExpressionsNeverCrashAndAlwaysSayWhere) {
  Mutator mutator({"comm == \"nginx\" || app in (mysql, postgres, redis)", "uid != 0 && cmdline =~ \"org\\.(a|b)+\"",
                   "kthread && comm =~ \"^(kswapd|jbd2|kworker)\"", "cpu > 80% for 10s || task_pm_size > 2GiB",
                   "!(total(read) > 10 MiB) && state in (R, D)", "age < 1h && start_time > \"2026-01-31 14:30\"",
                   "unit == \"ssh.service\" || container !~ \"^web\"", "anomaly(cpu, 6)", "rules == x && tcp == true"},
                  {"(", ")", "!", "&&", "||", "\"", "\\", "in (", "total(", "{1000}", "(a*)*", "%", "1e999", "-",
                   "==", "\xff", "é"});
  const Snapshot world = World(3, {TaskBuilder(1, "nginx").Set(v1::TASK_RUNTIME_NS, 5, 5).Set(v1::TASK_TCP_USED, 1)});
  int parsed = 0;
  for (int i = 0; i < kRounds; ++i) {
    const std::string text = mutator.Next();
    absl::StatusOr<Expression> expression = Expression::Parse(text);
    if (expression.ok()) {
      ++parsed;
      expression->Matches(MakeRow(world, *world.tasks[0], kAlice));
      continue;
    }
    ASSERT_EQ(expression.status().code(), absl::StatusCode::kInvalidArgument) << text;
    ASSERT_EQ(expression.status().message().substr(0, 7), "column ") << text;
    ASSERT_EQ(expression.status().message().find('\n'), absl::string_view::npos) << "one line: " << text;
  }
  EXPECT_GT(parsed, 100) << "mutations too wild to reach evaluation";
}

TEST(Fuzz, TimesNeverCrash) {
  Mutator mutator(
      {"now", "10m", "-10m", "10 min ago", "3d2h", "14:30:05", "today", "yesterday 03:12", "2026-01-31 14:30",
       "2026-01-31T14:30:00.123456789+02:00", "@1700000000.5", "2 days 3 hr 15m 10sec ago"},
      {"9999999999", "-", ":", ".", "T", "Z", "+", "ago", "d", " ", "@", "0", "\xff", "24", "60"});
  int parsed = 0;
  for (int i = 0; i < kRounds; ++i) {
    const std::string text = mutator.Next();
    absl::StatusOr<int64_t> time = ParseTime(text, kStart);
    absl::StatusOr<int64_t> duration = ParseDuration(text);
    if (time.ok()) {
      ++parsed;
      ASSERT_GE(*time, 0) << text;
      FormatRfc3339(*time);
      FormatLocal(*time);
    } else {
      ASSERT_EQ(time.status().message().substr(0, 9), "bad time ") << text;
      ASSERT_EQ(time.status().message().find('\n'), absl::string_view::npos) << text;
    }
    ASSERT_TRUE(!duration.ok() || *duration > 0) << text;
  }
  EXPECT_GT(parsed, 100);
}

TEST(Fuzz, HostileRegexesTakeBoundedTime) {
  const Snapshot world =
      World(3, {TaskBuilder(1).Info([](TaskInfo& info) { info.cmdline = std::string(4096, 'a') + "!"; })});
  const auto begin = std::chrono::steady_clock::now();
  for (const char* regex :
       {"(a*)*b", "(a|a)*b", "(a|aa)+$", "(a|b)*a(a|b){12}c", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*)(.*)(.*)x"}) {
    absl::StatusOr<Expression> expression = Expression::Parse(std::string("cmdline =~ \"") + regex + "\"");
    ASSERT_TRUE(expression.ok()) << regex << ": " << expression.status();
    for (int i = 0; i < 20; ++i) expression->Matches(MakeRow(world, *world.tasks[0], kRoot));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

}  // namespace
}  // namespace taskmon::query

// SPDX-License-Identifier: Apache-2.0
//
// anomaly() on scripted loads of an hour at one tick a second. Prints what it found as a table: in how many of the
// seeds a change was noticed, how late, for how long, and the ticks that alarmed where nothing was wrong.
#include "daemon/query/baseline.h"

#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/query/world.h"

namespace taskmon::query {
namespace {

constexpr int kHour = 3600;
constexpr int kChange = 1800;  // the tick at which the scripted change happens
constexpr int kSeeds = 10;
constexpr double kPi = 3.14159265358979;

Tick At(int second) {
  return {.seq = static_cast<uint64_t>(second) + 1,
          .boot_ns = kBoot + static_cast<uint64_t>(second) * kSecond,
          .elapsed_ns = kSecond};
}

class Noise {
 public:
  explicit Noise(uint32_t seed) : random_(seed) {}
  double Gauss(double sigma) { return std::normal_distribution<double>(0, sigma)(random_); }
  double Exponential(double mean) { return std::exponential_distribution<double>(1 / mean)(random_); }
  double Poisson(double mean) { return std::poisson_distribution<int>(mean)(random_); }
  bool Chance(double share) { return std::uniform_real_distribution<double>()(random_) < share; }

 private:
  std::mt19937 random_;
};

using Load = std::function<double(int second, Noise& noise)>;

std::vector<Truth> Judge(const Load& load, uint32_t seed, double distance, double floor) {
  Baseline baseline;
  Noise noise(seed);
  std::vector<Truth> truths;
  for (int second = 0; second < kHour; ++second) {
    truths.push_back(baseline.Judge(load(second, noise), At(second), {distance, floor}));
  }
  return truths;
}

// Over all seeds: of an hour each.
struct Outcome {
  int noticed = 0;      // seeds in which the change alarmed within a minute
  int latest = 0;       // seconds from the change to the first alarm, in the worst seed
  int longest = 0;      // seconds of alarm after the change
  int false_ticks = 0;  // alarms before the change, or later than ten minutes after it
  int unknown = 0;      // ticks of warm-up
};

Outcome RunHour(const Load& load, bool changes, double floor) {
  Outcome outcome;
  for (uint32_t seed = 1; seed <= kSeeds; ++seed) {
    const std::vector<Truth> truths = Judge(load, seed, Baseline::kDefaultDistance, floor);
    int first = -1;
    int alarms = 0;
    for (int second = 0; second < kHour; ++second) {
      outcome.unknown += truths[second] == Truth::kUnknown;
      if (truths[second] != Truth::kTrue) continue;
      const bool due = changes && second >= kChange && second < kChange + 600;
      outcome.false_ticks += !due;
      alarms += due;
      if (due && first < 0) first = second - kChange;
    }
    outcome.noticed += first >= 0 && first < 60;
    outcome.latest = std::max(outcome.latest, first);
    outcome.longest = std::max(outcome.longest, alarms);
  }
  return outcome;
}

struct Case {
  const char* name;
  bool changes;
  double floor;
  Load load;
};

constexpr double kCpu = 1;      // the floor of percentages
constexpr double kMemory = 1;   // of sizes, in MiB
constexpr double kEvents = 10;  // of rates of things

double StepAt(int second, double before, double after) { return second < kChange ? before : after; }

const std::vector<Case>& Cases() {
  static const auto* const cases = new std::vector<Case>{
      {"cpu: step 20 % to 90 %", true, kCpu, [](int s, Noise& n) { return StepAt(s, 20, 90) + n.Gauss(2); }},
      {"cpu: step 2 % to 25 %", true, kCpu, [](int s, Noise& n) { return StepAt(s, 2, 25) + n.Gauss(0.5); }},
      {"cpu: idle, then 100 %", true, kCpu, [](int s, Noise&) { return StepAt(s, 0, 100); }},
      {"cpu: 95 %, then stops", true, kCpu, [](int s, Noise& n) { return StepAt(s, 95 + n.Gauss(1), 0); }},
      {"cpu: ramp 20 % to 90 % in 60 s", true, kCpu,
       [](int s, Noise& n) { return 20 + std::min(std::max(s - kChange, 0), 60) * 70.0 / 60 + n.Gauss(2); }},
      {"cpu: one spike of one tick", true, kCpu, [](int s, Noise& n) { return (s == kChange ? 95 : 10) + n.Gauss(2); }},
      {"cpu: burst of 30 s", true, kCpu,
       [](int s, Noise& n) { return (s >= kChange && s < kChange + 30 ? 90 : 10) + n.Gauss(2); }},
      {"memory: 500 MiB, 200 more at once", true, kMemory,
       [](int s, Noise& n) { return StepAt(s, 500, 700) + n.Gauss(1); }},
      {"faults: 100/s, then 1000/s", true, kEvents, [](int s, Noise& n) { return n.Poisson(StepAt(s, 100, 1000)); }},
      {"cpu: steady 97 %", false, kCpu, [](int, Noise& n) { return std::min(100.0, 97 + n.Gauss(1)); }},
      {"cpu: exactly 100 %", false, kCpu, [](int, Noise&) { return 100.0; }},
      {"cpu: ramp 0 % to 100 % in an hour", false, kCpu, [](int s, Noise& n) { return s / 36.0 + n.Gauss(1); }},
      {"cpu: noise 50 % +- 5", false, kCpu, [](int, Noise& n) { return 50 + n.Gauss(5); }},
      {"cpu: exponential noise, mean 20 %", false, kCpu, [](int, Noise& n) { return n.Exponential(20); }},
      {"faults: Poisson noise, 5/s", false, kEvents, [](int, Noise& n) { return n.Poisson(5); }},
      {"faults: Poisson noise, 1000/s", false, kEvents, [](int, Noise& n) { return n.Poisson(1000); }},
      {"cpu: idle, 5 % every 50 s", false, kCpu, [](int s, Noise&) { return s % 50 == 0 ? 5.0 : 0.0; }},
      {"fds: 1000, one more now and then", false, 2, [](int, Noise& n) { return 1000.0 + n.Chance(0.1); }},
      {"cpu: sine 10-90 %, period 60 s", false, kCpu,
       [](int s, Noise& n) { return 50 + 40 * std::sin(s * 2 * kPi / 60) + n.Gauss(2); }},
      {"cpu: 90 % for 6 s of every 60 s", false, kCpu,
       [](int s, Noise& n) { return (s % 60 >= 30 && s % 60 < 36 ? 90 : 5) + n.Gauss(1); }},
      {"cpu: on and off at random, 30 % on", false, kCpu, [](int, Noise& n) { return n.Chance(0.3) ? 80.0 : 1.0; }},
      {"memory: garbage collector's sawtooth", false, kMemory, [](int s, Noise&) { return 500 + (s % 90) * 5.0; }},
      {"memory: leak of 1 MiB/s", false, kMemory, [](int s, Noise&) { return 100.0 + s; }},
  };
  return *cases;
}

std::string Line(const Case& test, const Outcome& outcome) {
  const double hours = kSeeds;
  return fmt::format("{:<38} {:>8} {:>7} {:>7} {:>15.1f}", test.name,
                     test.changes ? fmt::format("{}/{}", outcome.noticed, kSeeds) : std::string("-"),
                     test.changes ? fmt::format("{} s", outcome.latest) : std::string("-"),
                     test.changes ? fmt::format("{} s", outcome.longest) : std::string("-"),
                     outcome.false_ticks / hours);
}

TEST(Baseline, NoticesChangesAndLetsHabitsBe) {
  fmt::print("{:<38} {:>8} {:>7} {:>7} {:>15}\n", "load, 10 seeds", "noticed", "after", "lasts", "false ticks/h");
  for (const Case& test : Cases()) {
    const Outcome outcome = RunHour(test.load, test.changes, test.floor);
    fmt::print("{}\n", Line(test, outcome));
    if (test.changes) {
      EXPECT_EQ(outcome.noticed, kSeeds) << test.name;
      EXPECT_LE(outcome.longest, 400) << "becomes the new normal: " << test.name;
    }
    // Random on and off looks like anything for a while, and a rare burst is learned as a habit by its third time.
    const bool erratic = std::string(test.name).find("on and off") != std::string::npos ||
                         std::string(test.name).find("of every 60 s") != std::string::npos;
    EXPECT_LE(outcome.false_ticks, kSeeds * (erratic ? 30 : 1)) << test.name;
    EXPECT_LE(outcome.unknown, kSeeds * 70) << test.name;
  }
}

}  // namespace
}  // namespace taskmon::query

// SPDX-License-Identifier: Apache-2.0
#include "daemon/self_control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace taskmon::daemon {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uint64_t kSecond = 1'000'000'000;

// A taskmond whose cost is what a test makes of the time and of what is shed.
class SimulatedLoad {
 public:
  using Cpu = std::function<double(const SelfControl&, uint64_t second)>;  // percent of a CPU

  explicit SimulatedLoad(SelfControl::Options options) : control_(options) {}

  // One tick a second.
  void Run(uint64_t seconds, const Cpu& cpu, uint64_t stall_ns = 0) {
    for (uint64_t i = 0; i < seconds; ++i) {
      usage_.boot_ns += kSecond;
      usage_.cpu_ns += static_cast<uint64_t>(cpu(control_, usage_.boot_ns / kSecond) * 1e7);
      usage_.stall_ns += control_.IsShed(Shed::kSmaps) ? 0 : stall_ns;
      if (const auto change = control_.OnTick(usage_)) {
        changes_.push_back(*change);
        times_s_.push_back(usage_.boot_ns / kSecond);
      }
    }
  }
  // The hooks cost so much now, as a measurement of the last second found.
  void MeasureBpf(double percent) {
    usage_.bpf = {.taken_boot_ns = usage_.boot_ns, .began_boot_ns = usage_.boot_ns - kSecond, .percent = percent};
  }

  std::vector<Shed> ShedNow() const { return control_.figures().shed; }
  const SelfControl& control() const { return control_; }
  const std::vector<SelfControl::Change>& changes() const { return changes_; }
  const std::vector<uint64_t>& times_s() const { return times_s_; }

 private:
  SelfControl control_;
  SelfControl::Usage usage_{.boot_ns = 100 * kSecond};
  std::vector<SelfControl::Change> changes_;
  std::vector<uint64_t> times_s_;
};

SimulatedLoad::Cpu Constant(double percent) {
  return [percent](const SelfControl&, uint64_t) { return percent; };
}

constexpr SelfControl::Options kTenPercent = {.cpu_percent = 10, .bpf_percent = 5, .stall_ns = 10'000'000};

TEST(SelfControl, ShedsNothingWithinTheBudget) {
  SimulatedLoad load(kTenPercent);
  load.Run(3600, Constant(9.9));
  EXPECT_THAT(load.changes(), IsEmpty());
  EXPECT_NEAR(load.control().figures().cpu_percent, 9.9, 0.01);
  EXPECT_EQ(load.control().interval_factor(), 1u);
}

TEST(SelfControl, ALimitOf0IsNone) {
  SimulatedLoad load({});
  load.MeasureBpf(90);
  load.Run(3600, Constant(100), kSecond / 2);
  EXPECT_THAT(load.changes(), IsEmpty());
}

TEST(SelfControl, AShortPeakShedsNothing) {
  SimulatedLoad load(kTenPercent);
  load.Run(600, [](const SelfControl&, uint64_t second) { return second % 10 == 0 ? 80.0 : 1.0; });
  EXPECT_THAT(load.changes(), IsEmpty());
}

TEST(SelfControl, ShedsInTheStatedOrderAStepAWindow) {
  SimulatedLoad load(kTenPercent);
  load.Run(100, Constant(50));
  EXPECT_THAT(load.ShedNow(), ElementsAre(Shed::kSmaps, Shed::kThreadRows, Shed::kWatchedHooks, Shed::kHooks,
                                          Shed::kInterval2, Shed::kInterval4, Shed::kInterval8));
  EXPECT_THAT(load.times_s(), ElementsAre(111, 121, 131, 141, 151, 161, 171));
  EXPECT_EQ(load.control().figures().times_shed, 7u);
  EXPECT_EQ(load.control().interval_factor(), 8u);
  EXPECT_THAT(ChangeText(load.changes()[0]),
              AllOf(HasSubstr("smaps values are not read"), HasSubstr("50.0% of a CPU"), HasSubstr("budget is 10%")));
}

TEST(SelfControl, StepsThatWouldChangeNothingArePassedOver) {
  SelfControl::Options options = kTenPercent;
  options.pointless.set(static_cast<size_t>(Shed::kSmaps));
  options.pointless.set(static_cast<size_t>(Shed::kInterval8));
  SimulatedLoad load(options);
  load.Run(200, Constant(50));
  EXPECT_THAT(load.ShedNow(),
              ElementsAre(Shed::kThreadRows, Shed::kWatchedHooks, Shed::kHooks, Shed::kInterval2, Shed::kInterval4));
}

TEST(SelfControl, StopsSheddingWhenThatWasEnough) {
  SimulatedLoad load(kTenPercent);
  load.Run(300, [](const SelfControl& control, uint64_t) { return control.IsShed(Shed::kThreadRows) ? 8.0 : 20.0; });
  EXPECT_THAT(load.ShedNow(), ElementsAre(Shed::kSmaps, Shed::kThreadRows));
}

TEST(SelfControl, TakesBackInReverseOrderAfterAHoldTimeEach) {
  SimulatedLoad load(kTenPercent);
  load.Run(31, Constant(50));
  ASSERT_EQ(load.ShedNow().size(), 3u);
  load.Run(1000, Constant(1));
  EXPECT_THAT(load.ShedNow(), IsEmpty());
  ASSERT_EQ(load.changes().size(), 6u);
  EXPECT_EQ(load.changes()[3].step, Shed::kWatchedHooks);
  EXPECT_EQ(load.changes()[4].step, Shed::kThreadRows);
  EXPECT_EQ(load.changes()[5].step, Shed::kSmaps);
  EXPECT_FALSE(load.changes()[5].shed);
  EXPECT_THAT(load.times_s(), ElementsAre(111, 121, 131, 201, 261, 321));
  EXPECT_EQ(ChangeText(load.changes()[5]), "smaps values are read again");
}

TEST(SelfControl, BetweenReturnLineAndLimitNothingChanges) {
  SimulatedLoad load(kTenPercent);
  load.Run(21, Constant(50));
  ASSERT_EQ(load.ShedNow().size(), 2u);
  load.Run(3600, Constant(8));
  EXPECT_EQ(load.ShedNow().size(), 2u);
  EXPECT_EQ(load.changes().size(), 2u);
}

// The load is over the budget whenever smaps are read, and far below it otherwise: the worst case for a thermostat.
TEST(SelfControl, ALoadThatStaysDoesNotMakeItFlap) {
  SimulatedLoad load(kTenPercent);
  load.Run(24 * 3600, [](const SelfControl& control, uint64_t) { return control.IsShed(Shed::kSmaps) ? 1.0 : 30.0; });
  // After 60, 120, 240 … s, then once an hour: 6 while it doubles, 24 a day, each of them a change there and one back.
  EXPECT_LE(load.changes().size(), 2u * (6 + 24));
  uint64_t over_s = 0;
  for (size_t i = 2; i < load.times_s().size(); i += 2) over_s += load.times_s()[i] - load.times_s()[i - 1];
  EXPECT_LT(over_s, 24u * 36) << "of a day, less than 1 % over the budget";
}

TEST(SelfControl, AfterALongCalmItIsQuickAgain) {
  SimulatedLoad load(kTenPercent);
  const auto flapping = [](const SelfControl& control, uint64_t) { return control.IsShed(Shed::kSmaps) ? 1.0 : 30.0; };
  load.Run(3600, flapping);
  load.Run(3 * 3600, Constant(1));
  ASSERT_THAT(load.ShedNow(), IsEmpty());
  const size_t before = load.changes().size();
  load.Run(20, Constant(30));
  load.Run(200, Constant(1));
  ASSERT_GE(load.changes().size(), before + 3);
  const auto& times = load.times_s();
  EXPECT_LE(times[before + 2] - times[before + 1], 70u);
}

TEST(SelfControl, CostlyHooksAreDetachedAndNothingElse) {
  SimulatedLoad load(kTenPercent);
  load.Run(30, Constant(1));
  load.MeasureBpf(7);
  load.Run(300, Constant(1));
  EXPECT_THAT(load.ShedNow(), ElementsAre(Shed::kWatchedHooks)) << "one measurement, one step";
  load.MeasureBpf(6);
  load.Run(11, Constant(1));
  EXPECT_THAT(load.ShedNow(), ElementsAre(Shed::kWatchedHooks, Shed::kHooks));
  load.MeasureBpf(5.5);  // the life cycle's, which are never detached
  load.Run(300, Constant(1));
  EXPECT_THAT(load.ShedNow(), ElementsAre(Shed::kWatchedHooks, Shed::kHooks));
  EXPECT_THAT(ChangeText(load.changes()[0]), HasSubstr("hooks used 7.0% of all CPUs, their budget is 5%"));
}

TEST(SelfControl, HooksComeBackOnlyAfterTheyWereMeasuredAnew) {
  SimulatedLoad load(kTenPercent);
  load.Run(30, Constant(1));
  load.MeasureBpf(7);
  load.Run(11, Constant(1));
  ASSERT_THAT(load.ShedNow(), ElementsAre(Shed::kWatchedHooks));
  load.Run(3600, Constant(1));
  EXPECT_THAT(load.ShedNow(), ElementsAre(Shed::kWatchedHooks)) << "the only figure is of the hooks as they were";
  load.MeasureBpf(1);
  load.Run(100, Constant(1));
  EXPECT_THAT(load.ShedNow(), IsEmpty());
}

TEST(SelfControl, AMeasurementThatBeganBeforeTheHooksChangedSaysNothingOfThem) {
  SimulatedLoad load(kTenPercent);
  load.Run(10, Constant(1));
  load.MeasureBpf(7);
  load.Run(1, Constant(1));
  ASSERT_THAT(load.ShedNow(), ElementsAre(Shed::kWatchedHooks));
  load.MeasureBpf(9);  // of the second in which they were detached
  load.Run(60, Constant(1));
  EXPECT_THAT(load.ShedNow(), ElementsAre(Shed::kWatchedHooks));
}

TEST(SelfControl, HooksThatCannotBeMeasuredDoNotHoldBackTheRest) {
  SimulatedLoad load(kTenPercent);
  load.Run(61, Constant(50));
  ASSERT_EQ(load.ShedNow().size(), 6u);
  load.Run(600, Constant(1));
  EXPECT_THAT(load.ShedNow(), IsEmpty());
  EXPECT_FALSE(load.control().figures().bpf_percent.has_value());
}

TEST(SelfControl, AStallStopsTheReadingOfSmapsAlone) {
  SimulatedLoad load(kTenPercent);
  load.Run(50, Constant(1), 20'000'000);
  EXPECT_THAT(load.ShedNow(), ElementsAre(Shed::kSmaps));
  EXPECT_THAT(ChangeText(load.changes()[0]), HasSubstr("stalled others 20.0 ms a second, the budget is 10 ms"));
}

}  // namespace
}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/test_memory.h"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/query/world.h"

namespace taskmon::query {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int64_t kGiB = 1ll << 30;

TaskBuilder Cpu(int percent, int32_t tid = 7) {
  return TaskBuilder(tid).Set(v1::TASK_RUNTIME_NS, kSecond, percent * 10 * kMs).Set(v1::TASK_PM_SIZE, kGiB / 2);
}

TaskBuilder Memory(int64_t bytes) { return Cpu(10).Set(v1::TASK_PM_SIZE, bytes); }

// One expression asked about a stream of ticks. Truths are letters: t, f, and u for unknown.
class TestMemoryTest : public testing::Test {
 protected:
  void Ask(const std::string& text, TestMemory::Options options = {}) {
    absl::StatusOr<Expression> parsed = Expression::Parse(text);
    ASSERT_TRUE(parsed.ok()) << text << ": " << parsed.status();
    expression_ = *std::move(parsed);
    memory_.emplace(expression_, options);
    seq_ = 0;
  }

  char Say(const Snapshot& world, size_t index = 0) {
    const Row row{.snapshot = &world, .sample = world.tasks[index].get()};
    const Truth truth = expression_.Evaluate(row, &*memory_);
    EXPECT_EQ(expression_.Evaluate(row, &*memory_), truth) << "asked twice";
    return "fut"[static_cast<int>(truth)];
  }

  char Tick(const TaskBuilder& task) { return Say(World(++seq_, {task})); }

  std::string Ticks(const std::vector<TaskBuilder>& tasks) {
    std::string truths;
    for (const TaskBuilder& task : tasks) truths += Tick(task);
    return truths;
  }

  std::string CpuTicks(const std::vector<int>& percents) {
    std::string truths;
    for (int percent : percents) truths += Tick(Cpu(percent));
    return truths;
  }

  std::vector<std::string> Crossings() {
    std::vector<std::string> lines;
    for (const Crossing& crossing : memory_->TakeCrossings()) {
      lines.push_back(fmt::format("{} {} {} at {:.6g} over {:.6g}", crossing.task.tid,
                                  crossing.begins ? "begins" : "ends", Describe(crossing.metric).short_name,
                                  crossing.value.value_or(-1), crossing.baseline));
    }
    return lines;
  }

  Expression expression_;
  std::optional<TestMemory> memory_;
  uint64_t seq_ = 0;
};

// ---- for

TEST_F(TestMemoryTest, ARateHasHeldForItsWholeTicks) {
  Ask("cpu > 80% for 3s");
  EXPECT_EQ(CpuTicks({10, 90, 90, 90, 90, 10, 90, 90, 90}), "fffttffft");
}

TEST_F(TestMemoryTest, AGaugeHasHeldFromTheTickThatFirstSawIt) {
  Ask("rss > 1GiB for 3s");
  const TaskBuilder small = Memory(kGiB);
  const TaskBuilder large = Memory(2 * kGiB);
  EXPECT_EQ(Ticks({small, large, large, large, large, large, small}), "ffffttf");
}

TEST_F(TestMemoryTest, ADurationShorterThanATickHoldsAtOnceForARate) {
  Ask("cpu > 80% for 500ms");
  EXPECT_EQ(CpuTicks({10, 90, 10}), "ftf");
}

TEST_F(TestMemoryTest, NobodyKnowsWhatWasBeforeTheMemory) {
  Ask("cpu > 80% for 3s");
  EXPECT_EQ(CpuTicks({90, 90, 90}), "uut");
  Ask("!(cpu > 80% for 3s)");
  EXPECT_EQ(CpuTicks({90, 90, 90, 10, 90}), "uuftt");
}

TEST_F(TestMemoryTest, AYoungTaskCannotHaveBeenAtItForLong) {
  Ask("cpu > 80% for 3s");
  TaskBuilder young = Cpu(90).Info([](TaskInfo& info) { info.key.start_ns = kBoot + kSecond / 2; });
  EXPECT_EQ(Ticks({young, young, young}), "fft") << "half a second old";
}

TEST_F(TestMemoryTest, RealTimeCountsNotTicks) {
  Ask("cpu > 80% for 10s");
  Tick(Cpu(10));
  Snapshot late = World(2, {Cpu(900)});  // 9 s of CPU in a tick of 9 s
  late.tick.boot_ns = kBoot + 10 * kSecond;
  late.tick.elapsed_ns = 9 * kSecond;
  EXPECT_EQ(Say(late), 'f');
  Snapshot next = World(3, {Cpu(90)});
  next.tick.boot_ns = kBoot + 11 * kSecond;
  EXPECT_EQ(Say(next), 't');
}

TEST_F(TestMemoryTest, ALateTickIsNoProofForAGauge) {
  Ask("rss > 1GiB for 10s");
  Tick(Memory(1));
  Snapshot late = World(2, {Memory(2 * kGiB)});
  late.tick.boot_ns = kBoot + 60 * kSecond;
  late.tick.elapsed_ns = 59 * kSecond;
  EXPECT_EQ(Say(late), 'f');
}

TEST_F(TestMemoryTest, MissedTicksDoNotCount) {
  Ask("cpu > 80% for 3s");
  EXPECT_EQ(CpuTicks({10, 90, 90}), "fff");
  seq_ += 1;  // one is missing
  EXPECT_EQ(CpuTicks({90, 90, 90}), "uut") << "it may have held over the gap, or not";
  seq_ += 100;
  EXPECT_EQ(CpuTicks({90}), "u") << "what held before a gap is over";
}

TEST_F(TestMemoryTest, ARestartOfTheRecorderIsAGap) {
  Ask("rss > 1GiB for 3s");
  const TaskBuilder large = Memory(2 * kGiB);
  Ticks({Memory(1), large, large});
  Snapshot first = World(++seq_, {large});
  first.tick.elapsed_ns = 0;
  EXPECT_EQ(Say(first), 'u');
  EXPECT_EQ(Ticks({large, large, large}), "uut");
}

TEST_F(TestMemoryTest, ARebootForgetsEverything) {
  Ask("rss > 1GiB for 3s");
  Ticks({Memory(2 * kGiB), Memory(2 * kGiB)});
  EXPECT_EQ(memory_->tasks(), 1u);
  Snapshot other = World(++seq_, {Memory(1)});
  other.boot_id = "boot-2";
  EXPECT_EQ(Say(other), 'f');
  EXPECT_EQ(memory_->tasks(), 0u);
}

TEST_F(TestMemoryTest, WithoutNewsRatesFallAndGaugesStay) {
  Ask("cpu > 80% for 2s");
  EXPECT_EQ(Ticks({Cpu(10), Cpu(90), Cpu(90), Cpu(90).IdleSince(3), Cpu(90).IdleSince(3)}), "fftff");
  Ask("rss > 1GiB for 2s");
  const TaskBuilder idle = Memory(2 * kGiB).IdleSince(2);
  EXPECT_EQ(Ticks({Memory(1), Memory(2 * kGiB), idle, idle}), "ffft");
  Ask("cpu < 1% for 2s");
  EXPECT_EQ(Ticks({Cpu(90), Cpu(90).IdleSince(1), Cpu(90).IdleSince(1)}), "fft");
}

TEST_F(TestMemoryTest, AnIdleTasksOpenWaitGoesOn) {
  Ask("anomaly(rss) || offcpu_max > 150s");  // the wait begins at the boot clock's kBoot
  const TaskBuilder waiting =
      Memory(kGiB).Set(v1::TASK_SWITCH_OFFCPU_TIME_MAX, 0).Set(v1::TASK_OFFCPU_SINCE, static_cast<int64_t>(kBoot));
  const std::shared_ptr<const TaskSample> sample = waiting.Build(1);
  std::string truths;
  for (uint64_t seq = 1; seq <= 160; ++seq) {
    Snapshot world = World(seq, {});
    world.tasks.push_back(sample);
    truths += Say(world);
  }
  EXPECT_EQ(truths, std::string(64, 'u') + std::string(86, 'f') + std::string(10, 't'));
}

TEST_F(TestMemoryTest, AnIdleTaskThatNothingCanChangeKeepsItsAnswerUntilItWakes) {
  Ask("anomaly(cpu) || rss > 1GiB for 3s");
  const std::shared_ptr<const TaskSample> asleep = Memory(2 * kGiB).Build(1);
  std::string truths;
  for (seq_ = 1; seq_ <= 100; ++seq_) {
    Snapshot world = World(seq_, {});
    world.tasks.push_back(asleep);
    truths += Say(world);
  }
  --seq_;
  EXPECT_EQ(truths, "uuu" + std::string(97, 't'));
  EXPECT_EQ(CpuTicks({0, 50, 0}), "ftf") << "small again; then a burst";
}

TEST_F(TestMemoryTest, UnknownEndsARun) {
  Ask("swap > 1MiB for 2s");
  const TaskBuilder swapped = Cpu(1).Set(v1::TASK_SWAP_DATA_SIZE, kGiB);
  EXPECT_EQ(Ticks({Cpu(1), swapped, swapped, swapped, Cpu(1), swapped}), "ufftuf");
}

TEST_F(TestMemoryTest, ParenthesesHoldTogether) {
  Ask("(cpu > 80% && rss > 1GiB) for 2s");
  const TaskBuilder both = Cpu(90).Set(v1::TASK_PM_SIZE, 2 * kGiB);
  EXPECT_EQ(Ticks({Cpu(90), both, Memory(2 * kGiB), both, both, both}), "ffffft");
  Ask("cpu > 80% && rss > 1GiB for 2s");
  EXPECT_EQ(Ticks({Memory(1), Memory(2 * kGiB), Memory(2 * kGiB), both}), "ffft") << "'for' takes the one before it";
  Ask("(cpu > 80% for 2s || rss > 1GiB) for 2s");
  EXPECT_EQ(CpuTicks({10, 90, 90, 90, 90}), "fffft");
}

TEST_F(TestMemoryTest, AllTestsWithMemoryLookOnWhateverStandsBesideThem) {
  for (const char* text : {"rss > 1GiB && cpu > 80% for 3s", "cpu > 80% for 3s && rss > 1GiB"}) {
    Ask(text);
    EXPECT_EQ(Ticks({Cpu(10), Cpu(90), Cpu(90), Cpu(90).Set(v1::TASK_PM_SIZE, 2 * kGiB)}), "ffft") << text;
  }
  Ask("rss > 1GiB || cpu > 80% for 3s");
  const TaskBuilder both = Cpu(90).Set(v1::TASK_PM_SIZE, 2 * kGiB);
  EXPECT_EQ(Ticks({Cpu(10), both, both, Cpu(90)}), "fttt");
}

TEST_F(TestMemoryTest, WhoATaskIsComesFirst) {
  Ask("cpu > 80% for 2s && comm == nginx");
  const auto named = [](const char* comm) { return Cpu(90).Info([=](TaskInfo& info) { info.comm = comm; }); };
  EXPECT_EQ(Ticks({named("sh"), named("sh"), named("sh")}), "fff");
  EXPECT_EQ(memory_->tasks(), 0u) << "nothing is remembered of others";
  EXPECT_EQ(Ticks({named("nginx"), named("nginx")}), "ft") << "its time counts from when it is one";
}

TEST_F(TestMemoryTest, WithoutAMemoryNothingIsKnown) {
  const Snapshot world = World(1, {Cpu(90)});
  const Row row{.snapshot = &world, .sample = world.tasks[0].get()};
  for (const char* text : {"cpu > 80% for 1s", "!(cpu > 80% for 1s)", "anomaly(cpu)", "!anomaly(cpu)"}) {
    EXPECT_EQ(Expression::Parse(text)->Evaluate(row), Truth::kUnknown) << text;
  }
  EXPECT_EQ(Expression::Parse("cpu > 80% for 1s || comm == worker")->Evaluate(row), Truth::kTrue);
}

TEST_F(TestMemoryTest, TasksLeftOutStartAnewAndTheGoneAreForgotten) {
  Ask("cpu > 80% for 3s");
  for (uint64_t seq = 1; seq <= 3; ++seq) Say(World(seq, {Cpu(90, 1), Cpu(90, 2)}), seq == 3 ? 1 : 0);
  const Snapshot fourth = World(4, {Cpu(90, 1), Cpu(90, 2)});
  EXPECT_EQ(Say(fourth, 0), 'f') << "was left out at tick 3";
  for (uint64_t seq = 5; seq <= 40; ++seq) Say(World(seq, {Cpu(90, 1)}));
  EXPECT_EQ(memory_->tasks(), 1u);
}

TEST_F(TestMemoryTest, ATidUsedAgainIsAnotherTask) {
  Ask("cpu > 80% for 2s");
  CpuTicks({10, 90});
  const TaskBuilder other = Cpu(90).Info([](TaskInfo& info) { info.key.start_ns = kBoot + 2 * kSecond; });
  EXPECT_EQ(Ticks({other}), "f");
}

TEST_F(TestMemoryTest, IsBoundedAndCountsWhomItTurnsAway) {
  Ask("anomaly(cpu) || cpu > 80% for 1s", {.max_tasks = 2});
  const Snapshot world = World(1, {Cpu(90, 1), Cpu(90, 2), Cpu(90, 3), Cpu(10, 4)});
  EXPECT_EQ(Say(world, 0), 't');
  EXPECT_EQ(Say(world, 1), 't');
  EXPECT_EQ(memory_->turned_away(), 0u);
  EXPECT_EQ(Say(world, 2), 'u');
  EXPECT_GT(memory_->turned_away(), 0u);
  EXPECT_EQ(memory_->tasks(), 2u);
  for (uint64_t seq = 2; seq <= 5; ++seq) Say(World(seq, {Cpu(90, 1)}));
  const Snapshot later = World(6, {Cpu(90, 3)});
  EXPECT_EQ(Say(later), 't') << "the dead make room";
}

TEST_F(TestMemoryTest, ABudgetIsSharedAndGivenBack) {
  const auto budget = std::make_shared<MemoryBudget>(3);
  Ask("cpu > 80% for 1s || anomaly(cpu)", {.budget = budget});
  const Snapshot world = World(1, {Cpu(90, 1), Cpu(90, 2)});
  EXPECT_EQ(Say(world, 0), 't');
  EXPECT_EQ(Say(world, 1), 'u') << "two tests each";
  EXPECT_GT(budget->turned_away(), 0u);
  {
    TestMemory moved = *std::move(memory_);
    EXPECT_FALSE(budget->Take(2));
  }
  memory_.reset();
  EXPECT_TRUE(budget->Take(3)) << "all of it is back, once";
}

TEST_F(TestMemoryTest, RemembersOnlyThoseThereIsSomethingAbout) {
  Ask("cpu > 80% for 3s");
  Say(World(1, {Cpu(10, 1), Cpu(90, 2)}), 0);
  EXPECT_EQ(memory_->tasks(), 0u);
  Say(World(1, {Cpu(10, 1), Cpu(90, 2)}), 1);
  EXPECT_EQ(memory_->tasks(), 1u);
}

TEST_F(TestMemoryTest, OnlyTheIdleOfWhomNothingMovesOnNeedNotBeAskedAbout) {
  TaskBuilder waiting =
      Memory(1).Set(v1::TASK_IO_WAIT_TIME_MAX, 0).Set(v1::TASK_IOWAIT_SINCE, static_cast<int64_t>(kBoot));
  auto stays = [this](const std::string& text, const TaskBuilder& task) {
    Ask(text);
    const Snapshot world = World(3, {task});
    memory_->Evaluate({.snapshot = &world, .sample = world.tasks[0].get()});
    return memory_->StaysUnremembered();
  };
  EXPECT_TRUE(stays("cpu > 80% for 3s", Cpu(90).IdleSince(2)));
  EXPECT_FALSE(stays("cpu > 80% for 3s", Cpu(10)));
  EXPECT_FALSE(stays("rss > 1GiB for 3s", Memory(2 * kGiB).IdleSince(2))) << "since when it holds is remembered";
  EXPECT_FALSE(stays("anomaly(rss)", Memory(1).IdleSince(2)));
  EXPECT_FALSE(stays("iowait_max > 100s", waiting.IdleSince(2)));
  EXPECT_TRUE(stays("iowait_max > 100s", Memory(1).Set(v1::TASK_IO_WAIT_TIME_MAX, 0).IdleSince(2)));
  EXPECT_FALSE(stays("age > 100s", Memory(1).IdleSince(2)));
}

TEST_F(TestMemoryTest, TicksOfWhichNobodyIsAskedAboutAreNoGap) {
  Ask("cpu > 80% for 2s");
  EXPECT_EQ(CpuTicks({10, 10, 10}), "fff");
  for (int i = 0; i < 5; ++i) memory_->BeginTick(World(++seq_, {}));
  EXPECT_EQ(CpuTicks({90, 90, 10}), "ftf");
}

TEST_F(TestMemoryTest, VerdictsServeRowsThatAreNoTicks) {
  Ask("cpu > 80% for 2s && age > 1h", {.remember_all = true});
  CpuTicks({10, 90, 90});
  const TaskKey key{.start_ns = kBoot - 100 * kSecond, .tid = 7};
  const Snapshot event = World(4, {Cpu(0).Info([](TaskInfo& info) { info.key.start_ns = 1; })});
  Snapshot late = event;
  late.tick.boot_ns = 2 * 3600 * kSecond;
  const Row row{.snapshot = &late, .sample = late.tasks[0].get()};
  EXPECT_EQ(expression_.Evaluate(row, memory_->VerdictsOf(key)), Truth::kTrue);
  CpuTicks({10});
  EXPECT_EQ(expression_.Evaluate(row, memory_->VerdictsOf(key)), Truth::kFalse);
  EXPECT_EQ(expression_.Evaluate(row, memory_->VerdictsOf(TaskKey{.tid = 8})), Truth::kUnknown);
}

// ---- Crossings

TEST_F(TestMemoryTest, TellsWhenAThresholdIsCrossedAndWhenItIsOver) {
  Ask("cpu > 80% for 2s || rss > 1GiB", {.crossings = true});
  CpuTicks({10, 90});
  EXPECT_THAT(Crossings(), IsEmpty());
  CpuTicks({90});
  EXPECT_THAT(Crossings(), ElementsAre("7 begins cpu at 90 over 80"));
  CpuTicks({95});
  EXPECT_THAT(Crossings(), IsEmpty()) << "once";
  Tick(Cpu(95).Set(v1::TASK_PM_SIZE, 2 * kGiB));
  EXPECT_THAT(Crossings(), ElementsAre("7 begins rss at 2.14748e+09 over 1.07374e+09"));
  CpuTicks({20});
  EXPECT_THAT(Crossings(), ElementsAre("7 ends cpu at 20 over 80", "7 ends rss at 5.36871e+08 over 1.07374e+09"));
  EXPECT_EQ(memory_->tasks(), 0u);
}

TEST_F(TestMemoryTest, OnlyWhatMakesTheWholeTrueIsACrossing) {
  Ask("cpu > 80% && rss > 1GiB || migr > 5", {.crossings = true});
  CpuTicks({90, 90});
  EXPECT_THAT(Crossings(), IsEmpty());
  Tick(Cpu(90).Set(v1::TASK_MIGRATION_COUNT, 100, 6));
  EXPECT_THAT(Crossings(), ElementsAre("7 begins migr at 6 over 5"));
  Ask("!(cpu < 80%)", {.crossings = true});
  CpuTicks({90, 10});
  EXPECT_THAT(Crossings(), ElementsAre("7 begins cpu at 90 over 80", "7 ends cpu at 10 over 80"));
}

TEST_F(TestMemoryTest, ACompoundTellsOfTheMetricThatIsTrueInIt) {
  Ask("(cpu > 80% || rss > 1GiB) for 1s", {.crossings = true});
  Ticks({Cpu(10), Memory(2 * kGiB), Memory(2 * kGiB)});
  EXPECT_THAT(Crossings(), ElementsAre("7 begins rss at 2.14748e+09 over 1.07374e+09"));
}

// ---- anomaly()

TEST_F(TestMemoryTest, AnAnomalyIsFarFromTheTasksOwnNormal) {
  Ask("anomaly(cpu)", {.crossings = true});
  std::string truths;
  for (int i = 0; i < 200; ++i) truths += Tick(Cpu(90 + i % 3));
  EXPECT_EQ(truths, std::string(64, 'u') + std::string(136, 'f')) << "steady high load is none";
  EXPECT_EQ(CpuTicks({20, 20}), "tt");
  EXPECT_THAT(Crossings(), ElementsAre("7 begins cpu at 20 over 91"));
  EXPECT_EQ(CpuTicks({91}), "f");
  EXPECT_THAT(Crossings(), ElementsAre("7 ends cpu at 91 over 91"));
}

TEST_F(TestMemoryTest, CountersAreRatesAndIdlenessIsAValue) {
  Ask("anomaly(minflt)");
  for (int i = 0; i < 100; ++i) Tick(Cpu(1).Set(v1::TASK_MINOR_PAGEFAULT_COUNT, 1000 * i, 1000));
  const TaskBuilder busy = Cpu(1).Set(v1::TASK_MINOR_PAGEFAULT_COUNT, 200'000, 1000);
  EXPECT_EQ(Ticks({busy, TaskBuilder(busy).IdleSince(101), TaskBuilder(busy).IdleSince(101)}), "ftt");
}

TEST_F(TestMemoryTest, ANearerDistanceIsMoreSensitive) {
  for (const auto& [text, truth] : {std::pair("anomaly(cpu, 3)", 't'), std::pair("anomaly(cpu, 20)", 'f')}) {
    Ask(text);
    for (int i = 0; i < 100; ++i) Tick(Cpu(10));
    EXPECT_EQ(Tick(Cpu(15)), truth) << text;
  }
}

TEST_F(TestMemoryTest, AnAnomalyCanBeAskedToLast) {
  Ask("anomaly(cpu) for 3s");
  for (int i = 0; i < 100; ++i) Tick(Cpu(10));
  EXPECT_EQ(CpuTicks({90, 10, 90, 90, 90, 10}), "fffftf");
}

}  // namespace
}  // namespace taskmon::query

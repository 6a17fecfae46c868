// SPDX-License-Identifier: Apache-2.0
//
// What an expression must remember from tick to tick: since when a test has held ("for 10s"), and each task's own
// robust baseline for anomaly(). One memory belongs to one expression and one stream of ticks in ascending time, all
// asked by the same caller; not safe from two threads.
//
// A tick begins with BeginTick or the first row of it that is asked about. Every row of a tick is to be asked about,
// idle ones too, because without news rates fall to 0 and gauges stay; one that is left out in a tick starts anew in
// the next, and is forgotten soon. That is how the dead go. Only rows that StaysUnremembered may be left out, until
// they have news.
//
//   X for D      True when X was true at every tick of the last D of real time (boot clock). Rates and maxima tell of a
//                whole tick, so the first tick counts in full when X reads nothing else; otherwise from its end on.
//                A gap in the stream (missed ticks, a restart) starts the count anew. While X is not true it is what X
//                is; while X has not been true for so long it is false, or unknown when the memory is too young to
//                tell.
//   anomaly(M)   see baseline.h; unknown in the warm-up.
//
// Tests of who a task is come first: where one of them makes an "&&" false, its other tests are not asked and nothing
// is remembered of the task. All other tests with memory are asked at every tick, whatever stands beside them.
//
// Bounded: at most `max_tasks`, and what the budget has; those turned away are counted, and their tests are unknown.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "daemon/query/expression.h"
#include "daemon/query/memory_budget.h"
#include "daemon/query/row.h"

namespace taskmon::query {

// A threshold was crossed: at this tick it began, or ceased, to be a reason for the expression to be true of the task.
// Thresholds are the outermost "for" and anomaly() tests, and comparisons (< <= > >=) of metrics outside of these.
// A task that ended yields no end.
struct Crossing {
  TaskKey task;
  v1::Metric metric = v1::METRIC_UNSPECIFIED;  // of "(…) for D": the first one that is true in it
  std::optional<double> value;                 // at this tick, in catalogue units; counters as rates
  double baseline = 0;                         // the fixed limit, or the median that an anomaly is measured from
  bool begins = true;
};

// What the tests with memory said of one task at a tick: bit Node::memory. Neither bit: unknown.
struct Verdicts {
  uint32_t is_true = 0;
  uint32_t is_false = 0;

  Truth at(int memory) const {
    if (is_true & 1u << memory) return Truth::kTrue;
    return is_false & 1u << memory ? Truth::kFalse : Truth::kUnknown;
  }
  void Set(int memory, Truth truth) {
    const uint32_t bit = 1u << memory;
    is_true = truth == Truth::kTrue ? is_true | bit : is_true & ~bit;
    is_false = truth == Truth::kFalse ? is_false | bit : is_false & ~bit;
  }
  // What is unknown here as `earlier` has it.
  Verdicts Or(const Verdicts& earlier) const {
    const uint32_t unknown = ~(is_true | is_false);
    return {.is_true = is_true | (earlier.is_true & unknown), .is_false = is_false | (earlier.is_false & unknown)};
  }
  bool operator==(const Verdicts&) const = default;
};

class TestMemory {
 public:
  struct Options {
    size_t max_tasks = 100'000;
    bool crossings = false;                // whether to tell of them
    std::shared_ptr<MemoryBudget> budget;  // shared with other memories; null: none
    bool remember_all = false;  // also tasks of which there is nothing to remember, so that VerdictsOf knows them
  };

  explicit TestMemory(const Expression& expression) : TestMemory(expression, Options()) {}
  TestMemory(Expression expression, Options options);
  ~TestMemory();
  TestMemory(TestMemory&&) noexcept;
  TestMemory& operator=(TestMemory&&) noexcept;

  // Of ticks of which perhaps no row is asked about. Again for the same tick: nothing.
  void BeginTick(const Snapshot& snapshot);

  // Expression::Evaluate with this memory.
  Truth Evaluate(const Row& row);

  // Of the row that was asked about last: as long as its task stays idle the answer is the same, and nothing is
  // remembered of it.
  bool StaysUnremembered() const { return stays_unremembered_; }

  // What was said of a task at the current tick, or at the one before when it was not asked about yet; unknown of tasks
  // that nothing is remembered of.
  Verdicts VerdictsOf(const TaskKey& key) const;

  // The same for a task that has ended, with what was last known in place of what is unknown: who is dying has given
  // back his memory already, and his last tick can say nothing of it.
  Verdicts LastKnownOf(const TaskKey& key) const;

  // Those since the last call, in the order of asking.
  std::vector<Crossing> TakeCrossings();

  size_t tasks() const;
  uint64_t turned_away() const { return turned_away_; }  // questions that found no room

 private:
  struct Task;
  class Question;

  void ForgetAbsent();
  void ForgetAll();
  Task* Find(const TaskKey& key);
  Task* FindOrAdd(const TaskKey& key);
  void Forget(const Task& task);
  int64_t RememberedTests() const;  // of one task

  Expression expression_;
  Options options_;
  // Rows come in nearly the same order at every tick, so tasks lie in the order in which they came, and the next one
  // asked about is mostly the next one there.
  std::vector<Task> tasks_;
  std::vector<uint32_t> free_;  // of tasks_
  absl::flat_hash_map<TaskKey, uint32_t, TaskKeyHash> index_;
  size_t last_ = 0;  // in tasks_
  BudgetShare share_;
  std::vector<Crossing> crossings_;
  uint64_t turned_away_ = 0;
  bool stays_unremembered_ = false;

  // Ticks are numbered from 1 as they come, and a gap takes one number more.
  uint64_t number_ = 0;
  uint64_t told_number_ = 0;    // of the first tick since the last gap that has rates
  uint64_t began_boot_ns_ = 0;  // of the first tick since the last gap
  uint64_t swept_number_ = 0;
  Tick tick_;
  std::string boot_id_;
};

}  // namespace taskmon::query

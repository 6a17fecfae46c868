// SPDX-License-Identifier: Apache-2.0
//
// The tree that an expression is parsed into, as evaluation and the push-down plan see it. Immutable once built;
// evaluation neither fails nor allocates. Names of fields are resolved, units are gone, sets have no duplicates.
//
//   kAnd kOr   two children or more; "a && b && c" is one node
//   kNot       one child
//   kTest      `test`
//   kHeld      one child, that must have been true for `held_ns`
//   kAnomaly   `test.field` is the metric, `distance` how far it must be off
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include <re2/re2.h>

#include "daemon/query/expression.h"
#include "daemon/query/field.h"

namespace taskmon::query {

enum class Operator {
  kIsTrue,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kMatches,
  kMatchesNot,
  kIn
};

// One comparison. Numbers are in the unit that ReadNumber gives the field in; letters and booleans are numbers too.
struct Test {
  const Field* field = nullptr;
  CounterAs counter = CounterAs::kRate;
  Operator op = Operator::kIsTrue;
  std::vector<double> numbers;     // one, or the members of a set
  std::vector<std::string> texts;  // likewise
  std::unique_ptr<const re2::RE2> regex;

  // The same members by hash; empty where there are few.
  std::unordered_set<double> number_set;
  std::unordered_set<std::string_view> text_set;
};

struct Expression::Node {
  enum class Kind : uint8_t { kAnd, kOr, kNot, kTest, kHeld, kAnomaly };

  Kind kind = Kind::kTest;
  std::vector<std::unique_ptr<const Node>> children;
  Test test;
  uint64_t held_ns = 0;
  double distance = 0;

  // kTest, kHeld, kAnomaly: where it stands in Expression::text(), bytes.
  size_t begin = 0;
  size_t end = 0;

  // What Annotate finds.
  bool identity = false;    // asks only who the task is: nothing in it changes from tick to tick by itself
  bool whole_tick = false;  // what it reads of numbers tells of the whole tick (rates, maxima), not of its end
  bool restless = false;    // reads what may change while a task is idle: see MovesOn
  int memory = -1;          // kHeld, kAnomaly: the number of the test among those with memory
  int memory_tests = 0;     // in it, itself included
};

// Calls `look` with each field that the node names; stops, and says true, once that says true.
bool AnyField(const Expression::Node& node, const std::function<bool(const Field&)>& look);

// Whether what the node reads of the row moves on while its task stays idle: its age, or waits that are open.
bool MovesOn(const Expression::Node& node, const Row& row);

// Completes a node whose children are complete.
void Annotate(Expression::Node* node);

// How long, and for how many ticks besides, a memory must look on before it can answer the node.
struct Reach {
  uint64_t ns = 0;
  uint64_t ticks = 0;
};
Reach ReachOf(const Expression::Node& node);
// How long the "for" in it hold on at most, where they stand within each other.
uint64_t LongestHoldIn(const Expression::Node& node);

// The outermost tests that a TestMemory tells crossings of, in the order of the text.
void CollectThresholds(const Expression::Node& node, std::vector<const Expression::Node*>* thresholds);

// The node's truth for the row, given what its tests with memory said.
Truth EvaluateNode(const Expression::Node& node, const Row& row, const Verdicts& verdicts);

// Whether a comparison is one of a metric with a limit: < <= > >=.
bool IsThreshold(const Test& test);

}  // namespace taskmon::query

// SPDX-License-Identifier: Apache-2.0
//
// The tree that an expression is parsed into. Immutable once built; evaluation neither fails nor allocates.
#pragma once

#include <memory>
#include <string>
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

// One comparison. Numbers are in the unit that ReadNumber gives the field in.
struct Test {
  const Field* field = nullptr;
  CounterAs counter = CounterAs::kRate;
  Operator op = Operator::kIsTrue;
  std::vector<double> numbers;     // one, or the members of a set
  std::vector<std::string> texts;  // likewise
  std::unique_ptr<const re2::RE2> regex;
};

struct Expression::Node {
  enum class Kind { kAnd, kOr, kNot, kTest };

  Kind kind = Kind::kTest;
  std::vector<std::unique_ptr<const Node>> children;  // kNot: one
  Test test;
};

}  // namespace taskmon::query

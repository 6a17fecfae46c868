// SPDX-License-Identifier: Apache-2.0
//
// An expression as a disjunction of conjunctions of tests: the form in which the kernel can decide it. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/query/expression_node.h"

namespace taskmon::rules {

struct Literal {
  const query::Expression::Node* test = nullptr;  // kTest, kHeld or kAnomaly
  bool negated = false;
};

using Conjunction = std::vector<Literal>;

inline constexpr size_t kMostConjunctions = 64;

// In the order of the text. An expression that matches everything is one empty conjunction. nullopt: more than
// kMostConjunctions.
std::optional<std::vector<Conjunction>> ReadConjunctions(const query::Expression& expression);

// Every test of the expression, in the order of the text.
std::vector<const query::Expression::Node*> ReadTests(const query::Expression& expression);

// A test as it stands in the expression.
std::string TextOf(const query::Expression& expression, const query::Expression::Node& test);

}  // namespace taskmon::rules

// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/conjunctions.h"

namespace taskmon::rules {
namespace {

using Node = query::Expression::Node;
using Conjunctions = std::vector<Conjunction>;

std::optional<Conjunctions> Expand(const Node& node, bool negated);

std::optional<Conjunctions> ExpandOr(const Node& node, bool negated) {
  Conjunctions all;
  for (const auto& child : node.children) {
    auto each = Expand(*child, negated);
    if (!each || all.size() + each->size() > kMostConjunctions) return std::nullopt;
    for (Conjunction& conjunction : *each) all.push_back(std::move(conjunction));
  }
  return all;
}

// Every conjunction of one child with every one of the next.
std::optional<Conjunctions> ExpandAnd(const Node& node, bool negated) {
  Conjunctions all = {{}};
  for (const auto& child : node.children) {
    const auto each = Expand(*child, negated);
    if (!each || all.size() * each->size() > kMostConjunctions) return std::nullopt;
    Conjunctions longer;
    for (const Conjunction& before : all) {
      for (const Conjunction& after : *each) {
        longer.push_back(before);
        longer.back().insert(longer.back().end(), after.begin(), after.end());
      }
    }
    all = std::move(longer);
  }
  return all;
}

// De Morgan: a negated "&&" is an "||" of the negated.
std::optional<Conjunctions> Expand(const Node& node, bool negated) {
  switch (node.kind) {
    case Node::Kind::kNot: return Expand(*node.children.front(), !negated);
    case Node::Kind::kAnd: return negated ? ExpandOr(node, negated) : ExpandAnd(node, negated);
    case Node::Kind::kOr: return negated ? ExpandAnd(node, negated) : ExpandOr(node, negated);
    default: return Conjunctions{{Literal{&node, negated}}};
  }
}

void Collect(const Node& node, std::vector<const Node*>* tests) {
  if (node.kind != Node::Kind::kNot && node.kind != Node::Kind::kAnd && node.kind != Node::Kind::kOr) {
    return tests->push_back(&node);
  }
  for (const auto& child : node.children) Collect(*child, tests);
}

}  // namespace

std::optional<Conjunctions> ReadConjunctions(const query::Expression& expression) {
  if (expression.root() == nullptr) return Conjunctions{{}};
  return Expand(*expression.root(), false);
}

std::string TextOf(const query::Expression& expression, const Node& test) {
  return expression.text().substr(test.begin, test.end - test.begin);
}

std::vector<const Node*> ReadTests(const query::Expression& expression) {
  std::vector<const Node*> tests;
  if (expression.root() != nullptr) Collect(*expression.root(), &tests);
  return tests;
}

}  // namespace taskmon::rules

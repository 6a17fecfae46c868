// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/rule_index.h"

#include <algorithm>
#include <iterator>

#include "daemon/rules/conjunctions.h"
#include "daemon/rules/standing.h"

namespace taskmon::rules {
namespace {

using query::Attribute;
using query::Operator;
using Names = std::optional<std::vector<std::string>>;
using Node = query::Expression::Node;

Names NamesOf(const Node& node);

Names OfTest(const query::Test& test) {
  const bool equality = test.op == Operator::kEqual || test.op == Operator::kIn;
  if (test.field->attribute != Attribute::kComm || !equality) return std::nullopt;
  return test.texts;
}

// Whoever makes all parts true has one of the names that any of them needs: the fewest.
Names OfAnd(const Node& node) {
  Names fewest;
  for (const auto& child : node.children) {
    Names names = NamesOf(*child);
    if (names && (!fewest || names->size() < fewest->size())) fewest = std::move(names);
  }
  return fewest;
}

Names OfOr(const Node& node) {
  std::vector<std::string> all;
  for (const auto& child : node.children) {
    const Names names = NamesOf(*child);
    if (!names) return std::nullopt;
    all.insert(all.end(), names->begin(), names->end());
  }
  return all;
}

Names NamesOf(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kTest: return OfTest(node.test);
    case Node::Kind::kHeld: return NamesOf(*node.children.front());
    case Node::Kind::kAnd: return OfAnd(node);
    case Node::Kind::kOr: return OfOr(node);
    default: return std::nullopt;
  }
}

bool IsConnectionFlag(const query::Test& test) {
  return test.field->metric != nullptr &&
         (test.field->metric->id == v1::TASK_TCP_USED || test.field->metric->id == v1::TASK_UDP_USED);
}

}  // namespace

std::optional<std::vector<std::string>> NamesNeeded(const query::Expression& expression) {
  if (expression.root() == nullptr) return std::nullopt;
  Names names = NamesOf(*expression.root());
  if (!names) return names;
  std::sort(names->begin(), names->end());
  names->erase(std::unique(names->begin(), names->end()), names->end());
  return names;
}

RuleIndex::Kind RuleIndex::KindOf(const query::Expression& expression) {
  Kind kind;
  for (const Node* node : ReadTests(expression)) {
    if (node->kind != Node::Kind::kTest) {
      kind.metrics = true;
      continue;
    }
    switch (node->test.field->attribute) {
      case Attribute::kMetric: kind.metrics |= !IsConnectionFlag(node->test); break;
      case Attribute::kAge:
      case Attribute::kTracked:
      case Attribute::kRules: kind.metrics = kind.time = true; break;
      case Attribute::kCmdline:
      case Attribute::kExe:
      case Attribute::kApp:
      case Attribute::kUser: kind.names = true; break;
      case Attribute::kCgroup:
      case Attribute::kUnit:
      case Attribute::kContainer: kind.cgroup = true; break;
      case Attribute::kTid:
      case Attribute::kTgid:
      case Attribute::kPpid:
      case Attribute::kStartTime: kind.kinship = true; break;
      default: break;
    }
  }
  return kind;
}

RuleIndex::RuleIndex(const RuleSet& rules) {
  for (const RulePtr& rule : rules.rules()) {
    if (!rule->rule.enabled) continue;
    const uint32_t place = static_cast<uint32_t>(enabled_.size());
    enabled_.push_back(rule);
    places_[rule.get()] = place;
    kinds_.push_back(KindOf(rule->expression));
    asks_kinship_ |= kinds_.back().kinship;
    if (kinds_.back().names) first_by_names_ = std::min(first_by_names_, place);
    if (kinds_.back().cgroup) first_by_cgroup_ = std::min(first_by_cgroup_, place);
    const auto names = NamesNeeded(rule->expression);
    if (!names) for_any_name_.push_back(place);
    for (size_t i = 0; names && i < names->size(); ++i) by_name_[(*names)[i]].push_back(place);
  }
}

std::vector<uint32_t> RuleIndex::Candidates(std::string_view comm) const {
  auto named = by_name_.find(std::string(comm));
  if (named == by_name_.end()) return for_any_name_;
  std::vector<uint32_t> places;
  std::merge(for_any_name_.begin(), for_any_name_.end(), named->second.begin(), named->second.end(),
             std::back_inserter(places));
  return places;
}

uint32_t RuleIndex::PlaceOf(const CheckedRule* rule) const {
  auto known = places_.find(rule);
  return known == places_.end() ? kNoPlace : known->second;
}

}  // namespace taskmon::rules

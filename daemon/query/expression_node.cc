// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/expression_node.h"

#include <algorithm>

#include "daemon/query/baseline.h"

namespace taskmon::query {
namespace {

using Kind = Expression::Node::Kind;

// Before the time that must have been held: one tick more, and one for the time between two.
constexpr uint64_t kTicksToSeeABeginning = 3;

bool IsIdentity(const Field& field) {
  switch (field.attribute) {
    case Attribute::kMetric:
    case Attribute::kTracked:  // what rules say of it
    case Attribute::kRules:
    case Attribute::kAge: return false;
    default: return true;
  }
}

bool IsRestless(const Field& field) {
  return field.metric != nullptr ? ChangesWhileIdle(field.metric->id) : field.attribute == Attribute::kAge;
}

bool TellsOfWholeTick(const Test& test) {
  if (test.field->metric == nullptr) return false;
  const MetricDesc& metric = *test.field->metric;
  switch (metric.kind) {
    case v1::COUNTER: return test.counter == CounterAs::kRate;
    case v1::WINDOW_MAX: return true;
    default: return metric.id == v1::TASK_CPU_PERCENT || metric.id == v1::TASK_PAGE_CACHE_HIT_PERCENT;
  }
}

}  // namespace

bool AnyField(const Expression::Node& node, const std::function<bool(const Field&)>& look) {
  if (node.children.empty()) return look(*node.test.field);
  return std::any_of(node.children.begin(), node.children.end(),
                     [&look](const auto& child) { return AnyField(*child, look); });
}

bool MovesOn(const Expression::Node& node, const Row& row) {
  return node.restless && AnyField(node, [&row](const Field& field) {
           return field.metric != nullptr ? MovesOn(row, field.metric->id) : field.attribute == Attribute::kAge;
         });
}

void Annotate(Expression::Node* node) {
  const auto& children = node->children;
  if (children.empty()) {
    node->identity = IsIdentity(*node->test.field);
    node->whole_tick = node->identity || TellsOfWholeTick(node->test);
    node->restless = IsRestless(*node->test.field);
  } else {
    node->identity = std::all_of(children.begin(), children.end(), [](const auto& child) { return child->identity; });
    node->whole_tick =
        std::all_of(children.begin(), children.end(), [](const auto& child) { return child->whole_tick; });
    node->restless = std::any_of(children.begin(), children.end(), [](const auto& child) { return child->restless; });
  }
  node->memory_tests = node->kind == Kind::kHeld || node->kind == Kind::kAnomaly;
  if (node->memory_tests > 0) node->identity = false;
  for (const auto& child : children) node->memory_tests += child->memory_tests;
}

Reach ReachOf(const Expression::Node& node) {
  if (node.kind == Kind::kAnomaly) return {.ns = Baseline::kLookBackNs, .ticks = Baseline::kLookBackTicks};
  Reach reach;
  for (const auto& child : node.children) {
    const Reach part = ReachOf(*child);
    reach = {.ns = std::max(reach.ns, part.ns), .ticks = std::max(reach.ticks, part.ticks)};
  }
  if (node.kind == Kind::kHeld)
    reach = {.ns = reach.ns + node.held_ns, .ticks = std::max(reach.ticks, kTicksToSeeABeginning)};
  return reach;
}

uint64_t LongestHoldIn(const Expression::Node& node) {
  uint64_t longest_ns = 0;
  for (const auto& child : node.children) longest_ns = std::max(longest_ns, LongestHoldIn(*child));
  return longest_ns + node.held_ns;
}

bool IsThreshold(const Test& test) {
  switch (test.op) {
    case Operator::kLess:
    case Operator::kLessEqual:
    case Operator::kGreater:
    case Operator::kGreaterEqual: return test.field->metric != nullptr;
    default: return false;
  }
}

void CollectThresholds(const Expression::Node& node, std::vector<const Expression::Node*>* thresholds) {
  const bool threshold = node.memory >= 0 || (node.kind == Kind::kTest && IsThreshold(node.test));
  if (threshold) return thresholds->push_back(&node);
  for (const auto& child : node.children) CollectThresholds(*child, thresholds);
}

}  // namespace taskmon::query

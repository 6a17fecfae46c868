// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/expression.h"

#include <algorithm>

#include <fmt/format.h>

#include "daemon/query/expression_node.h"
#include "daemon/query/expression_parser.h"
#include "daemon/query/test_memory.h"

namespace taskmon::query {
namespace {

bool Contains(const Test& test, double value) {
  if (!test.number_set.empty()) return test.number_set.count(value) > 0;
  return std::find(test.numbers.begin(), test.numbers.end(), value) != test.numbers.end();
}

bool Contains(const Test& test, std::string_view text) {
  if (!test.text_set.empty()) return test.text_set.count(text) > 0;
  return std::find(test.texts.begin(), test.texts.end(), text) != test.texts.end();
}

bool Compare(double value, const Test& test) {
  switch (test.op) {
    case Operator::kIsTrue: return value != 0;
    case Operator::kEqual: return value == test.numbers[0];
    case Operator::kNotEqual: return value != test.numbers[0];
    case Operator::kLess: return value < test.numbers[0];
    case Operator::kLessEqual: return value <= test.numbers[0];
    case Operator::kGreater: return value > test.numbers[0];
    case Operator::kGreaterEqual: return value >= test.numbers[0];
    case Operator::kIn: return Contains(test, value);
    default: return false;
  }
}

// The negative operators are not looked at: a list must negate the whole, not each of its texts.
bool ComparePositive(std::string_view text, const Test& test) {
  return test.regex != nullptr ? re2::RE2::PartialMatch(text, *test.regex) : Contains(test, text);
}

Truth EvaluateText(const Test& test, const Row& row) {
  bool matches = false;
  if (test.field->type == FieldType::kTextList) {
    const std::vector<std::string>& rules = row.info().rules;
    matches =
        std::any_of(rules.begin(), rules.end(), [&](const std::string& rule) { return ComparePositive(rule, test); });
  } else {
    const std::optional<std::string_view> text = ReadText(row, *test.field);
    if (!text) return Truth::kUnknown;
    matches = ComparePositive(*text, test);
  }
  const bool negative = test.op == Operator::kNotEqual || test.op == Operator::kMatchesNot;
  return Known(matches != negative);
}

Truth EvaluateTest(const Test& test, const Row& row) {
  if (test.field->is_text()) return EvaluateText(test, row);
  const std::optional<double> value = ReadNumber(row, *test.field, test.counter);
  return value ? Known(Compare(*value, test)) : Truth::kUnknown;
}

// The smallest of the children's values for &&, the largest for ||; `decided` is where nothing more can change.
Truth EvaluateChildren(const Expression::Node& node, const Row& row, const Verdicts& verdicts, Truth decided) {
  Truth result = Negate(decided);
  for (const auto& child : node.children) {
    const Truth truth = EvaluateNode(*child, row, verdicts);
    if (truth == decided) return decided;
    if (truth == Truth::kUnknown) result = truth;
  }
  return result;
}

}  // namespace

Truth EvaluateNode(const Expression::Node& node, const Row& row, const Verdicts& verdicts) {
  using Kind = Expression::Node::Kind;
  switch (node.kind) {
    case Kind::kAnd: return EvaluateChildren(node, row, verdicts, Truth::kFalse);
    case Kind::kOr: return EvaluateChildren(node, row, verdicts, Truth::kTrue);
    case Kind::kNot: return Negate(EvaluateNode(*node.children[0], row, verdicts));
    case Kind::kHeld:
    case Kind::kAnomaly: return verdicts.at(node.memory);
    case Kind::kTest: break;
  }
  return EvaluateTest(node.test, row);
}

bool Expression::changes_while_idle() const { return needs_memory() || (root_ != nullptr && root_->restless); }

absl::StatusOr<Expression> Expression::Parse(std::string_view text_untrusted, const ExpressionLimits& limits) {
  if (text_untrusted.size() > limits.max_length) {
    return ErrorAt(static_cast<int>(limits.max_length) + 1,
                   fmt::format("the expression is longer than {} bytes", limits.max_length));
  }
  return ExpressionParser(text_untrusted, limits).Parse();
}

Truth Expression::Evaluate(const Row& row, TestMemory* memory) const {
  return memory != nullptr ? memory->Evaluate(row) : Evaluate(row, Verdicts());
}

Truth Expression::Evaluate(const Row& row, const Verdicts& verdicts) const {
  return root_ == nullptr ? Truth::kTrue : EvaluateNode(*root_, row, verdicts);
}

}  // namespace taskmon::query

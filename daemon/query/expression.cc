// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/expression.h"

#include <algorithm>

#include <fmt/format.h>

#include "daemon/query/expression_node.h"
#include "daemon/query/expression_parser.h"

namespace taskmon::query {
namespace {

enum class Truth { kFalse, kUnknown, kTrue };

Truth Known(bool truth) { return truth ? Truth::kTrue : Truth::kFalse; }

bool Compare(double value, const Test& test) {
  const auto& numbers = test.numbers;
  switch (test.op) {
    case Operator::kIsTrue: return value != 0;
    case Operator::kEqual: return value == numbers[0];
    case Operator::kNotEqual: return value != numbers[0];
    case Operator::kLess: return value < numbers[0];
    case Operator::kLessEqual: return value <= numbers[0];
    case Operator::kGreater: return value > numbers[0];
    case Operator::kGreaterEqual: return value >= numbers[0];
    case Operator::kIn: return std::find(numbers.begin(), numbers.end(), value) != numbers.end();
    default: return false;
  }
}

// The negative operators are not looked at: a list must negate the whole, not each of its texts.
bool ComparePositive(std::string_view text, const Test& test) {
  if (test.regex != nullptr) return re2::RE2::PartialMatch(text, *test.regex);
  return std::find(test.texts.begin(), test.texts.end(), text) != test.texts.end();
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

Truth Negate(Truth truth) {
  if (truth == Truth::kUnknown) return truth;
  return truth == Truth::kTrue ? Truth::kFalse : Truth::kTrue;
}

Truth Evaluate(const Expression::Node& node, const Row& row);

// The smallest of the children's values for &&, the largest for ||; `decided` is where nothing more can change.
Truth EvaluateChildren(const Expression::Node& node, const Row& row, Truth decided) {
  Truth result = Negate(decided);
  for (const auto& child : node.children) {
    const Truth truth = Evaluate(*child, row);
    if (truth == decided) return decided;
    if (truth == Truth::kUnknown) result = truth;
  }
  return result;
}

Truth Evaluate(const Expression::Node& node, const Row& row) {
  using Kind = Expression::Node::Kind;
  switch (node.kind) {
    case Kind::kAnd: return EvaluateChildren(node, row, Truth::kFalse);
    case Kind::kOr: return EvaluateChildren(node, row, Truth::kTrue);
    case Kind::kNot: return Negate(Evaluate(*node.children[0], row));
    case Kind::kTest: break;
  }
  return EvaluateTest(node.test, row);
}

}  // namespace

absl::StatusOr<Expression> Expression::Parse(std::string_view text_untrusted) {
  if (text_untrusted.size() > kMaxLength) {
    return ErrorAt(static_cast<int>(kMaxLength) + 1, fmt::format("the expression is longer than {} bytes", kMaxLength));
  }
  return ExpressionParser(text_untrusted).Parse();
}

bool Expression::Matches(const Row& row) const { return root_ == nullptr || Evaluate(*root_, row) == Truth::kTrue; }

}  // namespace taskmon::query

// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/expression_parser.h"

#include <optional>
#include <utility>

#include <fmt/format.h>

#include "daemon/query/expression_literal.h"
#include "daemon/query/nearest.h"
#include "daemon/query/time_spec.h"

namespace taskmon::query {
namespace {

constexpr int64_t kRegexMemory = 512 << 10;  // program and DFA cache of one regex
constexpr std::string_view kStateLetters = "RSDTtZXI";

std::optional<Operator> OperatorNamed(std::string_view text) {
  static constexpr std::pair<std::string_view, Operator> kOperators[] = {
      {"==", Operator::kEqual},     {"!=", Operator::kNotEqual},   {"<", Operator::kLess},
      {"<=", Operator::kLessEqual}, {">", Operator::kGreater},     {">=", Operator::kGreaterEqual},
      {"=~", Operator::kMatches},   {"!~", Operator::kMatchesNot}, {"in", Operator::kIn},
  };
  for (const auto& [name, op] : kOperators) {
    if (name == text) return op;
  }
  return std::nullopt;
}

bool IsRegexOperator(Operator op) { return op == Operator::kMatches || op == Operator::kMatchesNot; }

bool IsOrder(Operator op) {
  return op == Operator::kLess || op == Operator::kLessEqual || op == Operator::kGreater ||
         op == Operator::kGreaterEqual;
}

std::string_view OperatorsFor(const Field& field) {
  switch (field.type) {
    case FieldType::kText:
    case FieldType::kTextList: return "==, !=, =~, !~ or in";
    case FieldType::kBoolean: return "==, != or no operator";
    case FieldType::kLetter: return "==, != or in";
    default: return "==, !=, <, <=, >, >= or in";
  }
}

bool Allowed(Operator op, const Field& field) {
  if (IsRegexOperator(op)) return field.is_text();
  const bool ordered =
      field.type == FieldType::kNumber || field.type == FieldType::kDuration || field.type == FieldType::kTime;
  if (IsOrder(op)) return ordered;
  return op != Operator::kIn || field.type != FieldType::kBoolean;
}

std::string Describe(const Token& token) {
  return token.kind == TokenKind::kEnd ? std::string("the end") : Quote(token.text);
}

std::string UnknownField(const std::string& name) {
  const std::string hint = DidYouMean(name, FieldNames());
  return fmt::format("unknown field {}{}", Quote(name),
                     hint.empty() ? "; 'taskmonctl metrics' lists the metrics" : hint);
}

std::string_view KindOf(const Field& field) {
  if (field.metric == nullptr) return "an attribute";
  return field.metric->kind == v1::GAUGE ? "a gauge" : "a maximum";
}

}  // namespace

absl::StatusOr<Expression> ExpressionParser::Parse() {
  Expression expression;
  if (absl::Status status = Advance(); !status.ok()) return status;
  expression.text_ = text_;
  if (token_.kind == TokenKind::kEnd) return expression;
  absl::StatusOr<NodePtr> root = Or(0);
  if (!root.ok()) return root.status();
  if (token_.kind != TokenKind::kEnd) return Found("'&&', '||' or the end");
  expression.root_ = *std::move(root);
  expression.metrics_ = WithSources(metrics_);
  return expression;
}

absl::Status ExpressionParser::Advance() {
  absl::StatusOr<Token> next = lexer_.Next();
  if (!next.ok()) return next.status();
  token_ = *std::move(next);
  return absl::OkStatus();
}

absl::Status ExpressionParser::Found(const std::string& expected) const {
  return ErrorAt(token_.column, fmt::format("expected {}, found {}", expected, Describe(token_)));
}

absl::Status ExpressionParser::Expect(TokenKind kind, std::string_view what) {
  return token_.kind == kind ? Advance() : Found(std::string(what));
}

absl::Status ExpressionParser::CountTerm() {
  if (++terms_ <= Expression::kMaxTerms) return absl::OkStatus();
  return ErrorAt(token_.column, fmt::format("more than {} comparisons and set members", Expression::kMaxTerms));
}

absl::StatusOr<ExpressionParser::NodePtr> ExpressionParser::Or(int depth) {
  absl::StatusOr<NodePtr> first = And(depth);
  if (!first.ok() || token_.kind != TokenKind::kOr) return first;
  auto node = std::make_unique<Expression::Node>();
  node->kind = Kind::kOr;
  node->children.push_back(*std::move(first));
  while (token_.kind == TokenKind::kOr) {
    if (absl::Status status = Advance(); !status.ok()) return status;
    absl::StatusOr<NodePtr> next = And(depth);
    if (!next.ok()) return next;
    node->children.push_back(*std::move(next));
  }
  return node;
}

absl::StatusOr<ExpressionParser::NodePtr> ExpressionParser::And(int depth) {
  absl::StatusOr<NodePtr> first = Not(depth);
  if (!first.ok() || token_.kind != TokenKind::kAnd) return first;
  auto node = std::make_unique<Expression::Node>();
  node->kind = Kind::kAnd;
  node->children.push_back(*std::move(first));
  while (token_.kind == TokenKind::kAnd) {
    if (absl::Status status = Advance(); !status.ok()) return status;
    absl::StatusOr<NodePtr> next = Not(depth);
    if (!next.ok()) return next;
    node->children.push_back(*std::move(next));
  }
  return node;
}

absl::StatusOr<ExpressionParser::NodePtr> ExpressionParser::Not(int depth) {
  if (token_.kind == TokenKind::kLeftParen) return Parenthesized(depth);
  if (token_.kind != TokenKind::kNot) return Comparison();
  if (depth >= Expression::kMaxDepth) {
    return ErrorAt(token_.column, fmt::format("nested deeper than {}", Expression::kMaxDepth));
  }
  if (absl::Status status = Advance(); !status.ok()) return status;
  absl::StatusOr<NodePtr> child = Not(depth + 1);
  if (!child.ok()) return child;
  auto node = std::make_unique<Expression::Node>();
  node->kind = Kind::kNot;
  node->children.push_back(*std::move(child));
  return node;
}

absl::StatusOr<ExpressionParser::NodePtr> ExpressionParser::Parenthesized(int depth) {
  if (depth >= Expression::kMaxDepth) {
    return ErrorAt(token_.column, fmt::format("nested deeper than {}", Expression::kMaxDepth));
  }
  if (absl::Status status = Advance(); !status.ok()) return status;
  absl::StatusOr<NodePtr> inner = Or(depth + 1);
  if (!inner.ok()) return inner;
  if (absl::Status status = Expect(TokenKind::kRightParen, "'&&', '||' or ')'"); !status.ok()) return status;
  return inner;
}

absl::StatusOr<ExpressionParser::NodePtr> ExpressionParser::Comparison() {
  auto node = std::make_unique<Expression::Node>();
  if (absl::Status status = CountTerm(); !status.ok()) return status;
  if (absl::Status status = Operand(&node->test); !status.ok()) return status;
  if (absl::Status status = OperatorOf(&node->test); !status.ok()) return status;
  if (token_.kind == TokenKind::kWord && token_.text == "for") {
    return ErrorAt(token_.column, "'for' needs a rule; not available in a filter");
  }
  return node;
}

absl::Status ExpressionParser::Operand(Test* test) {
  operand_column_ = token_.column;
  if (token_.kind != TokenKind::kWord) return Found("a field");
  if (token_.text == "anomaly") return ErrorAt(token_.column, "anomaly() needs a rule; not available in a filter");
  return token_.text == "total" ? Total(test) : NamedField(test);
}

absl::Status ExpressionParser::Total(Test* test) {
  if (absl::Status status = Advance(); !status.ok()) return status;
  if (absl::Status status = Expect(TokenKind::kLeftParen, "'(' after total"); !status.ok()) return status;
  const int column = token_.column;
  if (token_.kind != TokenKind::kWord) return Found("a counter");
  if (absl::Status status = NamedField(test); !status.ok()) return status;
  if (!test->field->is_counter()) {
    return ErrorAt(column, fmt::format("total() needs a counter; '{}' is {}", test->field->name, KindOf(*test->field)));
  }
  test->counter = CounterAs::kTotal;
  return Expect(TokenKind::kRightParen, "')'");
}

absl::Status ExpressionParser::NamedField(Test* test) {
  test->field = FindField(token_.text);
  if (test->field == nullptr) return ErrorAt(token_.column, UnknownField(token_.text));
  if (test->field->metric != nullptr) metrics_.set(test->field->metric->id);
  return Advance();
}

absl::Status ExpressionParser::OperatorOf(Test* test) {
  const Field& field = *test->field;
  const bool is_operator =
      token_.kind == TokenKind::kOperator || (token_.kind == TokenKind::kWord && token_.text == "in");
  if (!is_operator) {
    if (field.type == FieldType::kBoolean) return absl::OkStatus();
    return Found(fmt::format("{} after '{}'", OperatorsFor(field), field.name));
  }
  test->op = *OperatorNamed(token_.text);
  if (!Allowed(test->op, field)) {
    return ErrorAt(token_.column, fmt::format("'{}' is {}; expected {}, found {}", field.name, FieldTypeName(field),
                                              OperatorsFor(field), Quote(token_.text)));
  }
  if (absl::Status status = Advance(); !status.ok()) return status;
  if (test->op == Operator::kIn) return Members(test);
  return IsRegexOperator(test->op) ? Regex(test) : Literal(test);
}

absl::Status ExpressionParser::Members(Test* test) {
  if (absl::Status status = Expect(TokenKind::kLeftParen, "'(' after in"); !status.ok()) return status;
  while (true) {
    if (absl::Status status = CountTerm(); !status.ok()) return status;
    if (absl::Status status = Literal(test); !status.ok()) return status;
    if (token_.kind != TokenKind::kComma) break;
    if (absl::Status status = Advance(); !status.ok()) return status;
  }
  return Expect(TokenKind::kRightParen, "',' or ')'");
}

absl::Status ExpressionParser::Literal(Test* test) {
  const Field& field = *test->field;
  const bool quotable = field.is_text() || field.type == FieldType::kTime || field.type == FieldType::kLetter;
  if (token_.kind != TokenKind::kWord && !(quotable && token_.kind == TokenKind::kQuoted)) {
    return Found(ExpectedLiteral(field));
  }
  const std::string& text = token_.text;
  switch (field.type) {
    case FieldType::kText:
    case FieldType::kTextList: test->texts.push_back(text); break;
    case FieldType::kBoolean:
      if (text != "true" && text != "false" && text != "0" && text != "1") return Found(ExpectedLiteral(field));
      test->numbers.push_back(text == "true" || text == "1");
      break;
    case FieldType::kLetter:
      if (text.size() != 1 || kStateLetters.find(text[0]) == std::string_view::npos) {
        return Found(ExpectedLiteral(field));
      }
      test->numbers.push_back(text[0]);
      break;
    case FieldType::kTime: return TimeLiteral(test);
    default: return NumberLiteral(test);
  }
  return Advance();
}

absl::Status ExpressionParser::NumberLiteral(Test* test) {
  const Token word = token_;
  if (absl::Status status = Advance(); !status.ok()) return status;
  std::string unit;
  const std::optional<NumberWord> split = SplitNumber(word.text);
  if (split && split->unit.empty() && token_.kind == TokenKind::kWord && IsUnit(token_.text)) {
    unit = token_.text;
    if (absl::Status status = Advance(); !status.ok()) return status;
  }
  absl::StatusOr<double> number = ToNumber(word.text, unit, *test->field);
  if (!number.ok()) return ErrorAt(word.column, std::string(number.status().message()));
  test->numbers.push_back(*number);
  return absl::OkStatus();
}

absl::Status ExpressionParser::TimeLiteral(Test* test) {
  // An expression outlives the moment it was written in, so only times that mean the same at any clock are taken.
  constexpr int64_t kOneClock = 1'700'000'000'000'000'000;
  constexpr int64_t kAnotherClock = kOneClock + 100ll * 3600 * 1'000'000'000;
  absl::StatusOr<int64_t> time = ParseTime(token_.text, kOneClock);
  if (!time.ok()) return ErrorAt(token_.column, std::string(time.status().message()));
  absl::StatusOr<int64_t> again = ParseTime(token_.text, kAnotherClock);
  if (!again.ok() || *again != *time) {
    return ErrorAt(token_.column, fmt::format("'{}' needs an absolute time such as \"2026-01-31 14:30\"; "
                                              "'age' compares with now",
                                              test->field->name));
  }
  test->numbers.push_back(static_cast<double>(*time));
  return Advance();
}

absl::Status ExpressionParser::Regex(Test* test) {
  if (token_.kind != TokenKind::kWord && token_.kind != TokenKind::kQuoted) return Found("a regular expression");
  if (++regexes_ > Expression::kMaxRegexes) {
    return ErrorAt(token_.column, fmt::format("more than {} regular expressions", Expression::kMaxRegexes));
  }
  if (token_.text.size() > Expression::kMaxRegexLength) {
    return ErrorAt(token_.column, fmt::format("regular expression longer than {} bytes", Expression::kMaxRegexLength));
  }
  re2::RE2::Options options(re2::RE2::Quiet);
  // Bytes, so that a name that is not UTF-8 cannot slip past a pattern.
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  options.set_max_mem(kRegexMemory);
  options.set_never_capture(true);
  auto regex = std::make_unique<const re2::RE2>(token_.text, options);
  if (!regex->ok()) return ErrorAt(token_.column, fmt::format("bad regular expression: {}", regex->error()));
  if (regex->ProgramSize() > Expression::kMaxRegexProgram) {
    return ErrorAt(token_.column, "regular expression too large; use fewer or smaller repetitions");
  }
  test->regex = std::move(regex);
  return Advance();
}

}  // namespace taskmon::query

// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/expression_parser.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "daemon/query/baseline.h"
#include "daemon/query/expression_literal.h"
#include "daemon/query/nearest.h"
#include "daemon/query/regex.h"
#include "daemon/query/time_spec.h"

namespace taskmon::query {
namespace {

constexpr std::string_view kStateLetters = "RSDTtZXI";
constexpr double kLongestHold = 86'400e9;  // ns
constexpr double kLeastDistance = 1;
constexpr double kLargestDistance = 1000;
constexpr size_t kLongestComm = 15;  // TASK_COMM_LEN without the final zero
constexpr size_t kSmallSet = 8;      // up to here a walk is as fast as a hash

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

// For sets: members once each, and by hash where they are many.
void MakeSet(Test* test) {
  const auto unique = [](auto* members) {
    std::sort(members->begin(), members->end());
    members->erase(std::unique(members->begin(), members->end()), members->end());
  };
  unique(&test->numbers);
  unique(&test->texts);
  if (test->numbers.size() > kSmallSet) test->number_set = {test->numbers.begin(), test->numbers.end()};
  if (test->texts.size() > kSmallSet) test->text_set = {test->texts.begin(), test->texts.end()};
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
  CollectThresholds(*expression.root_, &expression.thresholds_);
  expression.metrics_ = WithSources(metrics_);
  expression.warnings_ = std::move(warnings_);
  expression.memory_tests_ = memory_tests_;
  const Reach reach = ReachOf(*expression.root_);
  expression.look_back_ns_ = reach.ns;
  expression.look_back_ticks_ = reach.ticks;
  return expression;
}

absl::Status ExpressionParser::Advance() {
  absl::StatusOr<Token> next = lexer_.Next();
  if (!next.ok()) return next.status();
  last_end_ = token_.end;
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
  if (++terms_ <= limits_.max_terms) return absl::OkStatus();
  return ErrorAt(token_.column, fmt::format("more than {} comparisons and set members", limits_.max_terms));
}

absl::Status ExpressionParser::CountMemoryTest(Expression::Node* node) {
  node->memory = memory_tests_++;
  if (memory_tests_ <= limits_.max_memory_tests) return absl::OkStatus();
  return ErrorAt(token_.column, fmt::format("more than {} uses of 'for' and anomaly()", limits_.max_memory_tests));
}

absl::Status ExpressionParser::CheckDepth(int depth) const {
  if (depth < limits_.max_depth) return absl::OkStatus();
  return ErrorAt(token_.column, fmt::format("nested deeper than {}", limits_.max_depth));
}

absl::StatusOr<ExpressionParser::NodePtr> ExpressionParser::Chain(TokenKind separator, Kind kind, int depth) {
  const auto part = [&] {
    return separator == TokenKind::kOr ? Chain(TokenKind::kAnd, Kind::kAnd, depth) : Not(depth);
  };
  absl::StatusOr<NodePtr> first = part();
  if (!first.ok() || token_.kind != separator) return first;
  auto node = std::make_unique<Expression::Node>();
  node->kind = kind;
  node->children.push_back(*std::move(first));
  while (token_.kind == separator) {
    if (absl::Status status = Advance(); !status.ok()) return status;
    absl::StatusOr<NodePtr> next = part();
    if (!next.ok()) return next;
    node->children.push_back(*std::move(next));
  }
  Annotate(node.get());
  return node;
}

absl::StatusOr<ExpressionParser::NodePtr> ExpressionParser::Or(int depth) {
  return Chain(TokenKind::kOr, Kind::kOr, depth);
}

absl::StatusOr<ExpressionParser::NodePtr> ExpressionParser::Not(int depth) {
  if (token_.kind != TokenKind::kNot) return Held(depth);
  if (absl::Status status = CheckDepth(depth); !status.ok()) return status;
  if (absl::Status status = Advance(); !status.ok()) return status;
  absl::StatusOr<NodePtr> child = Not(depth + 1);
  if (!child.ok()) return child;
  auto node = std::make_unique<Expression::Node>();
  node->kind = Kind::kNot;
  node->children.push_back(*std::move(child));
  Annotate(node.get());
  return node;
}

absl::StatusOr<ExpressionParser::NodePtr> ExpressionParser::Held(int depth) {
  const size_t begin = token_.begin;
  absl::StatusOr<NodePtr> child = token_.kind == TokenKind::kLeftParen ? Parenthesized(depth) : Comparison();
  if (!child.ok() || token_.kind != TokenKind::kWord || token_.text != "for") return child;
  auto node = std::make_unique<Expression::Node>();
  node->kind = Kind::kHeld;
  if (absl::Status status = CountMemoryTest(node.get()); !status.ok()) return status;
  if (absl::Status status = Advance(); !status.ok()) return status;
  const int column = token_.column;
  absl::StatusOr<uint64_t> time = HoldTime();
  if (!time.ok()) return time.status();
  if (static_cast<double>(*time + LongestHoldIn(**child)) > kLongestHold) {
    return ErrorAt(column, "'for' within 'for' adds up to more than a day (24h)");
  }
  node->held_ns = *time;
  node->begin = begin;
  node->end = last_end_;
  node->children.push_back(*std::move(child));
  Annotate(node.get());
  return node;
}

absl::StatusOr<uint64_t> ExpressionParser::HoldTime() {
  static const auto* const for_field = new Field{.name = "for", .type = FieldType::kDuration};
  const std::optional<NumberWord> split = SplitNumber(token_.text);
  if (token_.kind != TokenKind::kWord || !split) return Found("a time such as 10s after 'for'");
  const int column = token_.column;
  absl::StatusOr<double> time_ns;
  // "1m30s" is a time here as it is everywhere.
  if (absl::StatusOr<int64_t> compound = ParseDuration(token_.text); !split->unit.empty() && compound.ok()) {
    time_ns = static_cast<double>(*compound);
    if (absl::Status status = Advance(); !status.ok()) return status;
  } else {
    time_ns = Number(*for_field);
  }
  if (!time_ns.ok()) return time_ns.status();
  if (*time_ns > 0 && *time_ns <= kLongestHold) return static_cast<uint64_t>(*time_ns);
  return ErrorAt(column, "'for' takes more than nothing and at most a day (24h)");
}

absl::StatusOr<ExpressionParser::NodePtr> ExpressionParser::Parenthesized(int depth) {
  if (absl::Status status = CheckDepth(depth); !status.ok()) return status;
  if (absl::Status status = Advance(); !status.ok()) return status;
  absl::StatusOr<NodePtr> inner = Or(depth + 1);
  if (!inner.ok()) return inner;
  if (absl::Status status = Expect(TokenKind::kRightParen, "'&&', '||' or ')'"); !status.ok()) return status;
  return inner;
}

absl::StatusOr<ExpressionParser::NodePtr> ExpressionParser::Comparison() {
  if (absl::Status status = CountTerm(); !status.ok()) return status;
  if (token_.kind != TokenKind::kWord) return Found("a field");
  if (token_.text == "anomaly") return Anomaly();
  auto node = std::make_unique<Expression::Node>();
  node->begin = token_.begin;
  absl::Status status = token_.text == "total" ? Total(&node->test) : NamedField(&node->test);
  if (!status.ok()) return status;
  if (status = OperatorOf(&node->test); !status.ok()) return status;
  node->end = last_end_;
  Annotate(node.get());
  return node;
}

absl::StatusOr<ExpressionParser::NodePtr> ExpressionParser::Anomaly() {
  auto node = std::make_unique<Expression::Node>();
  node->kind = Kind::kAnomaly;
  node->begin = token_.begin;
  if (absl::Status status = CountMemoryTest(node.get()); !status.ok()) return status;
  if (absl::Status status = Advance(); !status.ok()) return status;
  if (absl::Status status = Expect(TokenKind::kLeftParen, "'(' after anomaly"); !status.ok()) return status;
  if (absl::Status status = AnomalyMetric(&node->test); !status.ok()) return status;
  absl::StatusOr<double> distance = AnomalyDistance();
  if (!distance.ok()) return distance.status();
  node->distance = *distance;
  if (absl::Status status = Expect(TokenKind::kRightParen, "')'"); !status.ok()) return status;
  node->end = last_end_;
  Annotate(node.get());
  return node;
}

absl::Status ExpressionParser::AnomalyMetric(Test* test) {
  const int column = token_.column;
  if (token_.kind != TokenKind::kWord) return Found("a metric");
  if (absl::Status status = NamedField(test); !status.ok()) return status;
  const Field& field = *test->field;
  const bool numeric = field.metric != nullptr && field.type == FieldType::kNumber;
  if (numeric && field.metric->witness_of == v1::METRIC_UNSPECIFIED) return absl::OkStatus();
  return ErrorAt(column, fmt::format("anomaly() needs a metric that is a quantity; '{}' is {}", field.name,
                                     numeric                   ? "the circumstance of a maximum"
                                     : field.metric == nullptr ? "an attribute"
                                                               : FieldTypeName(field)));
}

absl::StatusOr<double> ExpressionParser::AnomalyDistance() {
  if (token_.kind == TokenKind::kRightParen) return Baseline::kDefaultDistance;
  if (token_.kind != TokenKind::kComma) return Found("',' or ')'");
  if (absl::Status status = Advance(); !status.ok()) return status;
  const std::optional<NumberWord> distance = SplitNumber(token_.text);
  const bool plain = token_.kind == TokenKind::kWord && distance && distance->unit.empty();
  if (!plain || distance->number < kLeastDistance || distance->number > kLargestDistance) {
    return Found(fmt::format("a distance from {} to {}", kLeastDistance, kLargestDistance));
  }
  if (absl::Status status = Advance(); !status.ok()) return status;
  return distance->number;
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
  MakeSet(test);
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
    case FieldType::kTextList:
      test->texts.push_back(text);
      WarnOfLongComm(*test);
      break;
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

void ExpressionParser::WarnOfLongComm(const Test& test) {
  if (test.field->attribute != Attribute::kComm || token_.text.size() <= kLongestComm) return;
  warnings_.push_back(
      fmt::format("column {}: {} has {} bytes, and the kernel keeps {} of a comm: it is never equal; "
                  "compare the first {}, or exe",
                  token_.column, Quote(token_.text), token_.text.size(), kLongestComm, kLongestComm));
}

absl::Status ExpressionParser::NumberLiteral(Test* test) {
  absl::StatusOr<double> number = Number(*test->field);
  if (number.ok()) test->numbers.push_back(*number);
  return number.status();
}

absl::StatusOr<double> ExpressionParser::Number(const Field& field) {
  const Token word = token_;
  if (absl::Status status = Advance(); !status.ok()) return status;
  std::string unit;
  const std::optional<NumberWord> split = SplitNumber(word.text);
  if (split && split->unit.empty() && token_.kind == TokenKind::kWord && IsUnit(token_.text)) {
    unit = token_.text;
    if (absl::Status status = Advance(); !status.ok()) return status;
  }
  absl::StatusOr<double> number = ToNumber(word.text, unit, field);
  if (!number.ok()) return ErrorAt(word.column, std::string(number.status().message()));
  return *number;
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
  if (++regexes_ > limits_.max_regexes) {
    return ErrorAt(token_.column, fmt::format("more than {} regular expressions", limits_.max_regexes));
  }
  auto regex = CompileRegex(token_.text, limits_);
  if (!regex.ok()) return ErrorAt(token_.column, std::string(regex.status().message()));
  test->regex = *std::move(regex);
  return Advance();
}

}  // namespace taskmon::query

// SPDX-License-Identifier: Apache-2.0
//
// Recursive descent over the grammar in expression.h, one function per rule. One parser parses one text once. All
// checking of types, units and limits happens here, so that evaluation cannot fail.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "daemon/query/expression_lexer.h"
#include "daemon/query/expression_node.h"

namespace taskmon::query {

class ExpressionParser {
 public:
  ExpressionParser(std::string_view text_untrusted, const ExpressionLimits& limits)
      : limits_(limits), lexer_(text_untrusted), text_(text_untrusted) {}

  absl::StatusOr<Expression> Parse();

 private:
  using NodePtr = std::unique_ptr<const Expression::Node>;
  using Kind = Expression::Node::Kind;

  absl::Status Advance();
  absl::Status Expect(TokenKind kind, std::string_view what);
  absl::Status CountTerm();
  absl::Status CountMemoryTest(Expression::Node* node);
  absl::Status CheckDepth(int depth) const;
  absl::Status Found(const std::string& expected) const;

  absl::StatusOr<NodePtr> Or(int depth);
  absl::StatusOr<NodePtr> Chain(TokenKind separator, Kind kind, int depth);
  absl::StatusOr<NodePtr> Not(int depth);
  absl::StatusOr<NodePtr> Held(int depth);
  absl::StatusOr<NodePtr> Parenthesized(int depth);
  absl::StatusOr<uint64_t> HoldTime();
  absl::StatusOr<NodePtr> Comparison();
  absl::StatusOr<NodePtr> Anomaly();
  absl::Status AnomalyMetric(Test* test);
  absl::StatusOr<double> AnomalyDistance();
  absl::Status Total(Test* test);
  absl::Status NamedField(Test* test);
  absl::Status OperatorOf(Test* test);
  absl::Status Members(Test* test);
  absl::Status Literal(Test* test);
  absl::Status NumberLiteral(Test* test);
  absl::StatusOr<double> Number(const Field& field);
  absl::Status TimeLiteral(Test* test);
  absl::Status Regex(Test* test);
  void WarnOfLongComm(const Test& test);

  const ExpressionLimits limits_;
  ExpressionLexer lexer_;
  std::string_view text_;
  Token token_;          // the one to be consumed next
  size_t last_end_ = 0;  // of the one consumed last
  int terms_ = 0;
  int regexes_ = 0;
  int memory_tests_ = 0;
  std::vector<std::string> warnings_;
  MetricSet metrics_;
};

}  // namespace taskmon::query

// SPDX-License-Identifier: Apache-2.0
//
// The filter expression language: one grammar for rules, ps, watch, history and events. Parsing checks types and
// limits, so that evaluation cannot fail. An Expression is immutable and safe from every thread.
//
//   expr    := and ("||" and)*
//   and     := not ("&&" not)*
//   not     := "!" not | "(" expr ")" | test
//   test    := operand (compare literal | "in" "(" literal ("," literal)* ")")?
//              a test without operator needs a boolean field: kthread, tcp, udp, tracked
//   compare := "==" | "!=" | "<" | "<=" | ">" | ">=" | "=~" | "!~"
//   operand := field | "total" "(" counter ")"
//   literal := "quoted" | word | number unit?
//   unit    := B KiB MiB GiB TiB kB MB GB TB | ns us ms s m h d | % | k M G
//
// In quotes \" is a quote and \\ a backslash; every other backslash stands for itself, so that regexes read naturally.
// =~ finds its regex anywhere in the text, as grep does, byte by byte (names need not be UTF-8).
//
// A counter in a comparison is its rate per second, total(counter) its sum; gauges and maxima are as they are.
// A comparison with an unavailable or redacted value is neither true nor false but unknown, also under "!=", and "!"
// leaves it unknown (Kleene's three values); a row matches only when the whole is true. So nobody learns by negation
// what he may not see, and a row never matches on what nobody can know.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "daemon/query/row.h"

namespace taskmon::query {

class Expression {
 public:
  static constexpr size_t kMaxLength = 4096;
  static constexpr int kMaxDepth = 64;   // parentheses and "!" inside each other
  static constexpr int kMaxTerms = 512;  // tests, and members of sets
  static constexpr int kMaxRegexes = 64;
  static constexpr size_t kMaxRegexLength = 1024;
  static constexpr int kMaxRegexProgram = 2000;  // RE2 instructions

  // InvalidArgument: "column 7: unknown field 'cmm'; did you mean 'comm'?" Columns count from 1. Empty text matches
  // all.
  static absl::StatusOr<Expression> Parse(std::string_view text_untrusted);

  bool Matches(const Row& row) const;
  const std::string& text() const { return text_; }
  bool matches_everything() const { return root_ == nullptr; }

  // The metrics the expression reads, with those they are resolved from, so that a scan can leave other columns alone.
  const MetricSet& metrics() const { return metrics_; }

  struct Node;

 private:
  friend class ExpressionParser;

  std::string text_;
  std::shared_ptr<const Node> root_;
  MetricSet metrics_;
};

}  // namespace taskmon::query

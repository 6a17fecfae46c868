// SPDX-License-Identifier: Apache-2.0
//
// The filter expression language: one grammar for rules, ps, watch, history and events. Parsing checks types and limits,
// so that evaluation cannot fail. An Expression is immutable and safe from every thread.
//
//   expr    := or;  or := and ("||" and)*;  and := not ("&&" not)*;  not := "!" not | "(" expr ")" | test
//   test    := operand (("==" | "!=" | "<" | "<=" | ">" | ">=" | "=~" | "!~") literal | "in" "(" literal ("," literal)* ")")?
//   operand := field | "total" "(" counter ")"      a test without operator needs a boolean field: kthread, tcp, udp, …
//   literal := "quoted" | word | number unit?       units: KiB MiB GiB TiB kB MB GB TB B  ns us ms s m h d  %  k M G
//
// A counter in a comparison is its rate per second, total(counter) its sum. A comparison with an unavailable or redacted
// value is false, also under "!=" — the row does not match on what nobody may or can know.
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
  static constexpr int kMaxDepth = 64;
  static constexpr int kMaxTerms = 512;

  // InvalidArgument: "column 7: unknown field 'cmm'; did you mean 'comm'?" Columns count from 1. Empty text matches all.
  static absl::StatusOr<Expression> Parse(std::string_view text_untrusted);

  bool Matches(const Row& row) const;
  const std::string& text() const { return text_; }
  bool matches_everything() const { return root_ == nullptr; }

  // The metrics the expression reads, so that a scan can leave other columns alone.
  const MetricSet& metrics() const { return metrics_; }

  struct Node;

 private:
  std::string text_;
  std::shared_ptr<const Node> root_;
  MetricSet metrics_;
};

}  // namespace taskmon::query

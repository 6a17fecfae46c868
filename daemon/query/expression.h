// SPDX-License-Identifier: Apache-2.0
//
// The filter expression language: one grammar for rules, ps, watch, history and events. Parsing checks types and
// limits, so that evaluation cannot fail. An Expression is immutable, cheap to copy and safe from every thread.
//
//   expr    := and ("||" and)*
//   and     := not ("&&" not)*
//   not     := "!" not | held
//   held    := ("(" expr ")" | test) ("for" duration)?
//   test    := operand (compare literal | "in" "(" literal ("," literal)* ")")?
//              a test without operator needs a boolean field: kthread, tcp, udp, tracked
//            | "anomaly" "(" metric ("," distance)? ")"
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
//
// "for" binds to the one test before it, tighter than "!", "&&" and "||"; parentheses give it more:
// "a && b for 10s" is "a && (b for 10s)", and "(a && b) for 10s" needs both together for 10 s. What it holds of and
// anomaly() need what earlier ticks saw: a TestMemory (test_memory.h), which says what they mean to the letter. Without
// one they are unknown.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "daemon/query/expression_limits.h"
#include "daemon/query/row.h"
#include "daemon/query/truth.h"

namespace taskmon::query {

class TestMemory;
struct Verdicts;

class Expression {
 public:
  // InvalidArgument: "column 7: unknown field 'cmm'; did you mean 'comm'?" Columns count from 1. Empty text matches
  // all.
  static absl::StatusOr<Expression> Parse(std::string_view text_untrusted,
                                          const ExpressionLimits& limits = kQueryLimits);

  // Whether the row matches: the truth is kTrue. With a memory that was made for this expression, it takes the row in:
  // ask about every row of every tick, idle ones too, in ascending time. Asking twice about a row in one tick gives the
  // same answer. Without a memory (nullptr), what needs one is unknown.
  Truth Evaluate(const Row& row, TestMemory* memory = nullptr) const;
  bool Matches(const Row& row, TestMemory* memory = nullptr) const { return Evaluate(row, memory) == Truth::kTrue; }

  // The same for a row that is no part of a stream of ticks (an event), with what the tests that need memory said of
  // its task at the time.
  Truth Evaluate(const Row& row, const Verdicts& verdicts) const;

  const std::string& text() const { return text_; }
  bool matches_everything() const { return root_ == nullptr; }

  // The metrics the expression reads, with those they are resolved from, so that a scan can leave other columns alone.
  const MetricSet& metrics() const { return metrics_; }

  // Whether it has "for" or anomaly() in it.
  bool needs_memory() const { return memory_tests_ > 0; }
  // Whether its truth can change for a task that goes on doing nothing: it needs memory, or reads ages or open waits.
  // Otherwise it is the same from the first idle tick to the last.
  bool changes_while_idle() const;
  // How long, and for how many ticks besides, a memory must have looked on before its answers are those of one that
  // always did; 0 without memory.
  uint64_t look_back_ns() const { return look_back_ns_; }
  uint64_t look_back_ticks() const { return look_back_ticks_; }

  // What is allowed but surely not meant: "column 9: …". One line each.
  const std::vector<std::string>& warnings() const { return warnings_; }

  // The checked tree (expression_node.h), for whoever plans with it; nullptr when it matches everything.
  struct Node;
  const Node* root() const { return root_.get(); }
  // The tests that a TestMemory tells crossings of, in the order of the text.
  const std::vector<const Node*>& thresholds() const { return thresholds_; }

 private:
  friend class ExpressionParser;

  std::string text_;
  std::shared_ptr<const Node> root_;
  std::vector<const Node*> thresholds_;  // into the tree
  MetricSet metrics_;
  std::vector<std::string> warnings_;
  int memory_tests_ = 0;
  uint64_t look_back_ns_ = 0;
  uint64_t look_back_ticks_ = 0;
};

}  // namespace taskmon::query

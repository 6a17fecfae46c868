// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as an expression: no crash, refusals say where on one line, and what parses can be evaluated over a few
// ticks, with and without memory, for somebody who may not see everything.
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/query/expression.h"
#include "daemon/query/expression_node.h"
#include "daemon/query/regex_literals.h"
#include "daemon/query/test_memory.h"
#include "tests/unit/query/world.h"

namespace taskmon::query {
namespace {

void Require(bool holds) {
  if (!holds) __builtin_trap();
}

const std::vector<Snapshot>& Ticks() {
  static const auto* const ticks = [] {
    auto* made = new std::vector<Snapshot>;
    for (uint64_t seq = 1; seq <= 4; ++seq) {
      const auto busy = static_cast<int64_t>(seq) * 240 * kMs;
      made->push_back(World(seq, {TaskBuilder(1, "nginx")
                                      .Uid(1000, "alice")
                                      .Info([](TaskInfo& info) {
                                        info.rules = {"apps", "web"};
                                      })
                                      .Set(v1::TASK_RUNTIME_NS, busy, busy)
                                      .Set(v1::TASK_READ_BYTES, busy, 10)
                                      .Set(v1::TASK_STATE, 'D')
                                      .Set(v1::TASK_TCP_USED, 1)}));
    }
    return made;
  }();
  return *ticks;
}

void CheckTree(const Expression::Node& node) {
  const bool leaf = node.kind == Expression::Node::Kind::kTest || node.kind == Expression::Node::Kind::kAnomaly;
  Require(leaf == node.children.empty());
  Require(!leaf || node.test.field != nullptr);
  if (node.test.regex != nullptr) LiteralsOf(node.test.regex->pattern());
  for (const auto& child : node.children) CheckTree(*child);
}

void Evaluate(const Expression& expression) {
  TestMemory memory(expression, {.max_tasks = 1, .crossings = true});
  for (const Snapshot& tick : Ticks()) {
    const Row row = MakeRow(tick, *tick.tasks[0], Caller{.uid = 1001, .hide_cmdline = true});
    const Truth truth = expression.Evaluate(row, &memory);
    Require(expression.Evaluate(row, &memory) == truth);
    Require(expression.needs_memory() || expression.Evaluate(row) == truth);
  }
}

}  // namespace
}  // namespace taskmon::query

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace taskmon::query;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<Expression> expression = Expression::Parse(text, kQueryLimits);
  if (!expression.ok()) {
    const std::string message(expression.status().message());
    Require(message.substr(0, 7) == "column " && message.find('\n') == std::string::npos);
    return 0;
  }
  if (expression->root() != nullptr) CheckTree(*expression->root());
  Evaluate(*expression);
  return 0;
}

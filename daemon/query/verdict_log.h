// SPDX-License-Identifier: Apache-2.0
//
// What an expression's tests with memory said of every task over a stretch of ticks, so that events in it can be judged
// by what was true of their task then. Only changes are kept. Owned by one question.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "daemon/query/caller.h"
#include "daemon/query/test_memory.h"

namespace taskmon::query {

class VerdictLog {
 public:
  static constexpr size_t kMaxChanges = 4'000'000;

  VerdictLog(const Expression& expression, const Caller& caller, const Budgets& budgets);

  // The next tick, oldest first. False: more changes than are kept, or than there is room for.
  bool Observe(const Snapshot& snapshot);

  // What held of the event's task at the last tick before it; unknown when there is none. Of exits what was last known
  // (TestMemory::LastKnownOf).
  Verdicts Of(const Event& event) const;

 private:
  struct Change {
    int64_t wall_ns = 0;
    Verdicts verdicts;
    Verdicts known;
  };
  static constexpr int64_t kBytesOfChange = 2 * sizeof(Change);  // vectors grow by doubling
  static constexpr int64_t kBytesOfTask = 64;

  const Caller caller_;
  TestMemory memory_;
  BudgetShare room_;
  absl::flat_hash_map<TaskKey, std::vector<Change>, TaskKeyHash> changes_;
  size_t kept_ = 0;
};

}  // namespace taskmon::query

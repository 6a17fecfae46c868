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

  VerdictLog(const Expression& expression, const Caller& caller, std::shared_ptr<MemoryBudget> budget);

  // The next tick, oldest first. False: more changes than are kept.
  bool Observe(const Snapshot& snapshot);

  // As of the last tick at or before the time; unknown when there is none.
  Verdicts At(const TaskKey& key, int64_t wall_ns) const;

 private:
  struct Change {
    int64_t wall_ns = 0;
    Verdicts verdicts;
  };

  const Caller caller_;
  TestMemory memory_;
  absl::flat_hash_map<TaskKey, std::vector<Change>, TaskKeyHash> changes_;
  size_t kept_ = 0;
};

}  // namespace taskmon::query

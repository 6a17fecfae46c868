// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/verdict_log.h"

#include <algorithm>
#include <utility>

namespace taskmon::query {

VerdictLog::VerdictLog(const Expression& expression, const Caller& caller, std::shared_ptr<MemoryBudget> budget)
    : caller_(caller), memory_(expression, TestMemory::Options{.budget = std::move(budget), .remember_all = true}) {}

bool VerdictLog::Observe(const Snapshot& snapshot) {
  for (const auto& sample : snapshot.tasks) {
    const TaskKey& key = sample->info->key;
    memory_.Evaluate(MakeRow(snapshot, *sample, caller_));
    const Verdicts verdicts = memory_.VerdictsOf(key);
    const auto it = changes_.find(key);
    if (verdicts == (it == changes_.end() ? Verdicts() : it->second.back().verdicts)) continue;
    if (++kept_ > kMaxChanges) return false;
    changes_[key].push_back({.wall_ns = snapshot.tick.wall_ns, .verdicts = verdicts});
  }
  return true;
}

Verdicts VerdictLog::At(const TaskKey& key, int64_t wall_ns) const {
  const auto it = changes_.find(key);
  if (it == changes_.end()) return {};
  const std::vector<Change>& changes = it->second;
  const auto next = std::upper_bound(changes.begin(), changes.end(), wall_ns,
                                     [](int64_t time, const Change& change) { return time < change.wall_ns; });
  return next == changes.begin() ? Verdicts() : std::prev(next)->verdicts;
}

}  // namespace taskmon::query

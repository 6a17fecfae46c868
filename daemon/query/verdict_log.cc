// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/verdict_log.h"

#include <algorithm>

namespace taskmon::query {

VerdictLog::VerdictLog(const Expression& expression, const Caller& caller, const Budgets& budgets)
    : caller_(caller),
      memory_(expression, TestMemory::Options{.budget = budgets.tests, .remember_all = true}),
      room_(budgets.bytes) {}

bool VerdictLog::Observe(const Snapshot& snapshot) {
  for (const auto& sample : snapshot.tasks) {
    const TaskKey& key = sample->info->key;
    memory_.Evaluate(MakeRow(snapshot, *sample, caller_));
    const Verdicts verdicts = memory_.VerdictsOf(key);
    const auto it = changes_.find(key);
    if (verdicts == (it == changes_.end() ? Verdicts() : it->second.back().verdicts)) continue;
    if (++kept_ > kMaxChanges || !room_.Take(kBytesOfChange + (it == changes_.end() ? kBytesOfTask : 0))) return false;
    changes_[key].push_back(
        {.wall_ns = snapshot.tick.wall_ns, .verdicts = verdicts, .known = memory_.LastKnownOf(key)});
  }
  return true;
}

Verdicts VerdictLog::Of(const Event& event) const {
  const auto it = event.task == nullptr ? changes_.end() : changes_.find(event.task->key);
  if (it == changes_.end()) return {};
  const std::vector<Change>& changes = it->second;
  const auto next = std::upper_bound(changes.begin(), changes.end(), event.wall_ns,
                                     [](int64_t time, const Change& change) { return time < change.wall_ns; });
  if (next == changes.begin()) return {};
  return event.type == EventType::kExit ? std::prev(next)->known : std::prev(next)->verdicts;
}

}  // namespace taskmon::query

// SPDX-License-Identifier: Apache-2.0
#include "daemon/smaps_wanted.h"

#include <algorithm>

#include "proto/catalogue.h"

namespace taskmon::daemon {
namespace {

bool IsSmaps(uint32_t metric) {
  return IsMetric(metric) && Describe(static_cast<v1::Metric>(metric)).group == v1::SMAPS;
}

}  // namespace

void SmapsWanted::MarkAnswer(const v1::Selection& selection, const v1::TaskBatch& batch, uint64_t now_ns) {
  const auto& metrics = selection.metrics();
  // A question about one task means all of it; otherwise "everything" is not a wish for the dearest.
  const bool named = std::any_of(metrics.begin(), metrics.end(), IsSmaps) || (metrics.empty() && selection.tid() != 0);
  if (!named) return;
  absl::MutexLock lock(&mutex_);
  for (const v1::Sample& sample : batch.samples()) {
    const v1::TaskInfo& task = batch.tasks(static_cast<int>(sample.task()));
    const auto& redacted = sample.redacted();
    // Processes only: of a thread the process's start time is not known here.
    if (task.thread() || task.kthread() || std::any_of(redacted.begin(), redacted.end(), IsSmaps)) continue;
    if (until_ns_.size() >= kMostTasks) return;
    until_ns_[{task.tgid(), task.start_ns()}] = now_ns + kRememberNs;
  }
}

bool SmapsWanted::IsWanted(int32_t tgid, uint64_t start_ns, uint64_t now_ns) const {
  absl::MutexLock lock(&mutex_);
  auto it = until_ns_.find({tgid, start_ns});
  return it != until_ns_.end() && now_ns < it->second;
}

void SmapsWanted::Expire(uint64_t now_ns) {
  absl::MutexLock lock(&mutex_);
  std::erase_if(until_ns_, [now_ns](const auto& entry) { return entry.second <= now_ns; });
}

}  // namespace taskmon::daemon

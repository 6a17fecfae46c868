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

std::vector<std::pair<int32_t, uint64_t>> SmapsWanted::Now(uint64_t now_ns) {
  absl::MutexLock lock(&mutex_);
  std::erase_if(until_ns_, [now_ns](const auto& entry) { return entry.second <= now_ns; });
  std::vector<std::pair<int32_t, uint64_t>> wanted;
  for (const auto& [id, until_ns] : until_ns_) wanted.push_back(id);
  return wanted;
}

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/stored_rows.h"

#include <algorithm>

#include "taskmon/v1/metric.pb.h"

namespace taskmon::daemon {
namespace {

using rules::ThreadDetail;

// A task that nobody has decided yet is stored in full.
ThreadDetail DetailOf(const Process& process, bool threads) {
  const rules::Standing& standing = process.standing;
  if (!process.info->tracked || !threads) return {.mode = ThreadDetail::Mode::kNone};
  return standing.now.rule == nullptr ? ThreadDetail{.mode = ThreadDetail::Mode::kAll}
                                      : standing.now.rule->rule.threads;
}

int64_t BusyNs(const Thread& thread, uint64_t tick_seq) {
  return thread.sample->tick_seq == tick_seq ? thread.sample->deltas[v1::TASK_RUNTIME_NS] : 0;
}

// Chooses the busiest of the tick; of equals those that were stored before, so that rows do not come and go.
void ChooseTop(Process* process, uint32_t top, uint64_t tick_seq) {
  std::vector<Thread*> threads;
  for (const auto& thread : process->threads) {
    if (thread->known) threads.push_back(thread.get());
  }
  auto busier = [tick_seq](const Thread* a, const Thread* b) {
    const int64_t a_ns = BusyNs(*a, tick_seq);
    const int64_t b_ns = BusyNs(*b, tick_seq);
    if (a_ns != b_ns) return a_ns > b_ns;
    return a->stored != b->stored ? a->stored : a->key.tid < b->key.tid;
  };
  const size_t count = std::min<size_t>(top, threads.size());
  if (count < threads.size()) {
    std::nth_element(threads.begin(), threads.begin() + static_cast<std::ptrdiff_t>(count), threads.end(), busier);
  }
  for (size_t i = 0; i < threads.size(); ++i) threads[i]->stored = i < count;
}

}  // namespace

void TickRows::Add(const std::shared_ptr<const TaskSample>& sample, bool shown, bool stored) {
  if (shown != stored && !differs_) {
    stored_ = shown_;
    differs_ = true;
  }
  if (shown) shown_.push_back(sample);
  if (!stored) {
    not_stored_.push_back(sample);
  } else if (differs_) {
    stored_.push_back(sample);
  }
}

bool IsKept(const TaskInfo& info, bool keep_untracked) {
  const bool dropped = !info.tracked && !info.rules.empty();
  return info.tracked || (keep_untracked && !dropped);
}

void SortRows(Process* process, StoredDetail stored, uint64_t tick_seq, TickRows* rows) {
  const bool kept = IsKept(*process->info, stored.keep_untracked);
  rows->Add(process->sample, kept, kept);
  if (!process->multi) return;
  const ThreadDetail detail = DetailOf(*process, stored.threads);
  const bool all = detail.mode == ThreadDetail::Mode::kAll;
  if (detail.mode == ThreadDetail::Mode::kTop) ChooseTop(process, detail.top, tick_seq);
  for (const auto& thread : process->threads) {
    if (!thread->known) continue;
    if (detail.mode != ThreadDetail::Mode::kTop) thread->stored = all;
    rows->Add(thread->sample, kept, thread->stored);
  }
}

}  // namespace taskmon::daemon

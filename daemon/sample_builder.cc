// SPDX-License-Identifier: Apache-2.0
#include "daemon/sample_builder.h"

#include <algorithm>
#include <utility>

#include "proto/catalogue.h"

namespace taskmon::daemon {
namespace {

constexpr uint64_t kNamesEveryTicks = 30;

}  // namespace

std::vector<SmapsTarget> SampleBuilder::SmapsTargets() const {
  std::vector<SmapsTarget> targets;
  for (const auto& [key, process] : keeper_.table().processes()) {
    if (!process->known || process->exited || process->draft.kthread || process->sample == nullptr) continue;
    const uint64_t rss_bytes = static_cast<uint64_t>(process->sample->values[v1::TASK_PM_SIZE]);
    if (rss_bytes == 0) continue;
    targets.push_back({.tgid = process->tgid, .start_ns = process->start_ns, .rss_bytes = rss_bytes});
  }
  return targets;
}

// Asks for what /proc knows when there is reason to.
void SampleBuilder::AskNames(Process* process, uint64_t tick_seq, std::vector<NameRequest>* requests) {
  // Programs rewrite their command line (setproctitle) without telling anyone: look again now and then.
  const bool kthread = process->draft.kthread;
  const bool stale = process->changed && tick_seq - process->names_seq >= kNamesEveryTicks && !kthread;
  if (!process->wants_names && !stale) return;
  process->wants_names = false;
  process->names_seq = tick_seq;
  requests->push_back({.tgid = process->tgid,
                       .start_ns = process->start_ns,
                       .cgroup_id = process->cgroup_id,
                       .cmdline = !kthread,
                       .exe = !kthread,
                       .cgroup = keeper_.names().Cgroup(process->cgroup_id) == nullptr});
}

// Brings one process up to the tick and appends its rows.
void SampleBuilder::CloseProcess(Process* process, const Tick& tick, Rows* result) {
  AskNames(process, tick.seq, &result->requests);
  if (process->info_changed) keeper_.rows().ProcessInfo(process);
  if (process->changed || process->sample == nullptr) {
    keeper_.rows().MakeProcessSample(process, tick.seq);
    process->changed = false;
    std::fill(std::begin(process->maxima), std::end(process->maxima), tm_max{});
  }
  process->born_in_tick = false;
  result->tasks.push_back(process->sample);
  for (const auto& thread : process->threads) CloseThread(thread.get(), tick, result);
}

void SampleBuilder::CloseThread(Thread* thread, const Tick& tick, Rows* result) {
  if (!thread->known) return;  // born after the pass: its first record comes with the next tick
  if (thread->process->multi) {
    if (thread->changed || thread->info_changed || thread->sample == nullptr)
      keeper_.rows().MakeThreadSample(thread, tick.seq);
    result->tasks.push_back(thread->sample);
  }
  if (thread->changed) std::fill(std::begin(thread->maxima), std::end(thread->maxima), tm_max{});
  thread->changed = false;
  thread->born_in_tick = false;
}

SampleBuilder::Rows SampleBuilder::CloseAll(const Tick& tick) {
  Rows rows;
  rows.tasks.reserve(keeper_.table().thread_count() + keeper_.table().processes().size());
  auto& processes = keeper_.table().processes();
  for (auto it = processes.begin(); it != processes.end();) {
    Process* process = it->second.get();
    ++it;
    if (process->exited && process->zombie_pass != keeper_.pass()) {
      keeper_.table().RemoveProcess(process);
      continue;
    }
    if (process->known) CloseProcess(process, tick, &rows);
  }
  return rows;
}

SampleBuilder::Result SampleBuilder::EndTick(const Tick& tick) {
  if (pass_all_) keeper_.RemoveUnseen();
  Result result;
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->tick = tick;
  snapshot->boot_id = options_.boot_id;
  snapshot->memory_total_bytes = options_.memory_total_bytes;
  Rows rows = CloseAll(tick);
  snapshot->tasks = std::move(rows.tasks);
  result.requests = std::move(rows.requests);
  if (tick.lost_records != 0) {
    Event& gap = keeper_.AddEvent(EventType::kGap, tick.boot_ns, nullptr);
    gap.detail = "life cycle records lost: the ring buffer was full";
    gap.lost = tick.lost_records;
  }
  for (NameRequest& request : keeper_.names().TakeRequests()) result.requests.push_back(std::move(request));
  result.events = keeper_.TakeEvents();
  for (Event& event : result.events) {
    if (event.boot_ns != 0) continue;
    event.boot_ns = tick.boot_ns;
    event.wall_ns = tick.wall_ns;
  }
  result.snapshot = std::move(snapshot);
  keeper_.rows().EndFirstTick();
  pass_all_ = false;
  return result;
}

}  // namespace taskmon::daemon

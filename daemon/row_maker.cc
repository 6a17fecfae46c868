// SPDX-License-Identifier: Apache-2.0
#include "daemon/row_maker.h"

#include <algorithm>
#include <utility>

#include "bpf/kernel_rules.h"
#include "proto/catalogue.h"

namespace taskmon::daemon {
namespace {

uint64_t IoWaitSince(const Thread& thread) { return (thread.flags & TM_TASK_IOWAIT) != 0 ? thread.off_since_ns : 0; }

// The smallest that is not 0.
void KeepOldest(uint64_t candidate, uint64_t* oldest) {
  if (candidate != 0 && (*oldest == 0 || candidate < *oldest)) *oldest = candidate;
}

// What waits, states and flags come to for a process: see Aggregation in metric.proto.
struct ThreadSummary {
  uint64_t off_since_ns = 0;
  uint64_t iowait_since_ns = 0;
  char state = 'S';
};

ThreadSummary Summarize(const Process& process) {
  ThreadSummary summary;
  bool running = false;
  bool uninterruptible = false;
  if (!process.threads.empty()) summary.state = process.threads.front()->state;
  for (const auto& thread : process.threads) {
    if (thread->key.tid == process.tgid()) summary.state = thread->state;
    running |= thread->state == 'R';
    uninterruptible |= thread->state == 'D';
    KeepOldest(thread->off_since_ns, &summary.off_since_ns);
    KeepOldest(IoWaitSince(*thread), &summary.iowait_since_ns);
  }
  if (running) {
    summary.state = 'R';
  } else if (uninterruptible) {
    summary.state = 'D';
  }
  if (process.exited) summary.state = 'Z';
  return summary;
}

// nullopt: nobody would have seen it.
std::optional<bool> ConnectionUsed(uint32_t flags, tm_task_flags which, HookGroups attached) {
  const tm_hook_group group = which == TM_TASK_TCP_USED ? TM_HOOKS_CONNECT : TM_HOOKS_NET;
  if ((flags & which) != 0) return true;
  return attached.test(group) ? std::optional<bool>(false) : std::nullopt;
}

void FillConnectionFlags(uint32_t flags, HookGroups attached, SampleDraft* sample) {
  if (const auto used = ConnectionUsed(flags, TM_TASK_TCP_USED, attached)) sample->Set(v1::TASK_TCP_USED, *used);
  if (const auto used = ConnectionUsed(flags, TM_TASK_UDP_USED, attached)) sample->Set(v1::TASK_UDP_USED, *used);
}

// Values that were read some time ago, with that time.
void FillSmaps(const SmapsAnswer* smaps, SampleDraft* sample) {
  if (smaps == nullptr) return;
  const SmapsValues& values = smaps->values;
  const std::pair<v1::Metric, uint64_t> fields[] = {
      {v1::TASK_SHARED_DIRTY_SIZE, values.shared_dirty},   {v1::TASK_SHARED_CLEAN_SIZE, values.shared_clean},
      {v1::TASK_PRIVATE_DIRTY_SIZE, values.private_dirty}, {v1::TASK_PRIVATE_CLEAN_SIZE, values.private_clean},
      {v1::TASK_REFERENCED_SIZE, values.referenced},       {v1::TASK_LAZYFREE_SIZE, values.lazyfree},
      {v1::TASK_SWAP_DATA_PSS_SIZE, values.swap_pss},      {v1::TASK_PSS_SIZE, values.pss}};
  for (const auto& [metric, value] : fields) {
    sample->SetTaken(metric, static_cast<int64_t>(value), static_cast<int64_t>(smaps->taken_boot_ns));
  }
}

void FillScheduling(char state, int32_t nice, int32_t priority, uint32_t cpu, SampleDraft* sample) {
  sample->Set(v1::TASK_STATE, state);
  sample->Set(v1::TASK_NICE, nice);
  sample->Set(v1::TASK_PRIORITY, priority);
  sample->Set(v1::TASK_CPU_ID, cpu);
}

}  // namespace

bool RowMaker::AreNamesKnown(const Process& process) const {
  if (process.info->kthread) return true;
  return process.names_read && names_.IsUserRead(process.info->uid);
}

bool RowMaker::Judge(Process* process) {
  rules::Admission* admission = options_.admission;
  if (admission == nullptr || process->exited) return false;
  const auto occasion = std::exchange(process->occasion, std::nullopt).value_or(rules::Occasion::kNames);
  rules::Standing& standing = process->standing;
  const bool inherited = occasion == rules::Occasion::kBorn && standing.inherited && !admission->asks_kinship();
  if (!inherited || admission->IsOutdated(standing)) {
    admission->Decide({.info = &*process->info,
                       .tcp_used = ConnectionUsed(process->used_flags, TM_TASK_TCP_USED, attached_),
                       .udp_used = ConnectionUsed(process->used_flags, TM_TASK_UDP_USED, attached_),
                       .names_known = AreNamesKnown(*process),
                       .cgroup_known = process->info->kthread || process->cgroup_read},
                      occasion, process->occasion_boot_ns, &standing);
  }
  std::vector<std::string> rules;
  if (standing.now.rule != nullptr) rules.push_back(standing.now.rule->rule.name);
  const bool other_tracked = process->info.Set(&TaskInfo::tracked, standing.tracked());
  const bool other_rules = process->info.Set(&TaskInfo::rules, rules);
  return other_tracked || other_rules;
}

bool RowMaker::BelieveKernel(uint64_t boot_ns, const query::Row* row, Process* process) {
  if (!process->crossed || options_.admission == nullptr || process->standing.names_pending) return false;
  process->crossed = false;
  const tm_decision& decision = process->decision;
  const bool changed = options_.admission->BelieveKernel(bpf::PlaceOf(decision.rule), decision.rules_version, boot_ns,
                                                         row, &process->standing);
  process->info_changed |= changed;
  return changed;
}

std::shared_ptr<const TaskInfo> RowMaker::ProcessInfo(Process* process) {
  EditableInfo& info = process->info;
  if (!process->info_changed && info.published() != nullptr) return info.published();
  info.Set(&TaskInfo::boot_id, options_.boot_id);
  if (options_.apps != nullptr && !info->kthread) {
    info.Set(&TaskInfo::app, options_.apps->Find(info->comm, info->exe, info->cmdline));
  }
  Judge(process);
  // Kept from the first time, so that a start time does not move when the clock is set.
  if (info.published() == nullptr) info.Edit().start_wall_ns = WallNs(process->start_ns());
  process->info_changed = false;
  process->changed = true;
  for (const auto& thread : process->threads) thread->info_changed = true;
  return info.Publish();
}

std::shared_ptr<const TaskInfo> RowMaker::ThreadInfo(Thread* thread) {
  const std::shared_ptr<const TaskInfo> process = ProcessInfo(thread->process);
  if (!thread->info_changed && thread->info != nullptr) return thread->info;
  auto info = std::make_shared<TaskInfo>(*process);
  info->key = thread->key;
  info->comm = thread->name();
  info->start_wall_ns =
      process->start_wall_ns + static_cast<int64_t>(thread->key.start_ns - thread->process->start_ns());
  thread->info = std::move(info);
  thread->info_changed = false;
  thread->changed = true;
  return thread->info;
}

void RowMaker::FillHitPercent(const Counters& counters, bool follows, CacheHits* before) {
  const CacheHits now = {.adds = static_cast<uint32_t>(counters[TM_C_PAGE_CACHE_ADDS]),
                         .lookups = static_cast<uint32_t>(counters[TM_C_PAGE_CACHE_LOOKUPS])};
  const uint32_t new_adds = now.adds - before->adds;
  const uint32_t new_lookups = now.lookups - before->lookups;
  *before = now;
  const bool attached = attached_.test(TM_HOOKS_PAGE_CACHE) && attached_.test(TM_HOOKS_PAGE_CACHE_LOOKUP);
  if (!attached || new_lookups == 0 || !follows) return;
  // Read-ahead and writes add pages that nobody looked up, so adds may exceed lookups.
  const uint64_t misses = std::min(new_adds, new_lookups);
  draft_.Set(v1::TASK_PAGE_CACHE_HIT_PERCENT, static_cast<int64_t>((new_lookups - misses) * 100'000 / new_lookups));
}

void RowMaker::FillWaits(uint64_t off_since_ns, uint64_t iowait_since_ns) {
  if (!attached_.test(TM_HOOKS_SCHED)) return;
  draft_.Set(v1::TASK_OFFCPU_SINCE, static_cast<int64_t>(off_since_ns));
  draft_.Set(v1::TASK_IOWAIT_SINCE, static_cast<int64_t>(iowait_since_ns));
}

void RowMaker::MakeProcessSample(Process* process, uint64_t tick_seq) {
  draft_.Begin(ProcessInfo(process), tick_seq);
  const Counters& total = process->total();
  process->split.Update(total[TM_C_RUNTIME_NS], total[TM_C_UTIME_NS], total[TM_C_STIME_NS]);
  FillCounters(total, process->split, process->valid, attached_, &draft_);
  FillMaxima(process->maxima.values(), attached_, &draft_);
  // A zombie has no memory any more; that its last sizes are not known is another matter.
  const bool has_no_memory = process->info->kthread || (process->exited && tick_seq != 0);
  FillProcessGauges(process->gauges, process->valid, has_no_memory, &draft_);
  const ThreadSummary summary = Summarize(*process);
  FillScheduling(summary.state, process->nice, process->priority, process->cpu, &draft_);
  FillConnectionFlags(process->used_flags, attached_, &draft_);
  FillWaits(summary.off_since_ns, summary.iowait_since_ns);
  FillSmaps(process->smaps.get(), &draft_);
  FillHitPercent(total, process->sample != nullptr || process->born_in_tick, &process->hits);
  FillDeltas(process->sample.get(), process->born_in_tick, &draft_);
  process->sample = draft_.Finish();
}

void RowMaker::MakeThreadSample(Thread* thread, uint64_t tick_seq) {
  Process* process = thread->process;
  draft_.Begin(ThreadInfo(thread), tick_seq);
  FillCounters(thread->counters, thread->split, thread->valid, attached_, &draft_);
  FillMaxima(thread->maxima.values(), attached_, &draft_);
  FillProcessGauges(process->gauges, process->valid, process->info->kthread, &draft_);
  FillScheduling(thread->state, thread->nice, thread->priority, thread->cpu, &draft_);
  FillConnectionFlags(thread->flags, attached_, &draft_);
  FillWaits(thread->off_since_ns, IoWaitSince(*thread));
  FillSmaps(process->smaps.get(), &draft_);
  FillHitPercent(thread->counters, thread->sample != nullptr || thread->born_in_tick, &thread->hits);
  FillDeltas(thread->sample.get(), thread->born_in_tick, &draft_);
  thread->sample = draft_.Finish();
}

}  // namespace taskmon::daemon

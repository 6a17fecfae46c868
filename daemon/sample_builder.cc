// SPDX-License-Identifier: Apache-2.0
#include "daemon/sample_builder.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "proto/catalogue.h"

namespace taskmon::daemon {
namespace {

constexpr uint64_t kNamesEveryTicks = 30;

std::string Comm(const char (&comm)[TM_COMM_LEN]) { return std::string(comm, strnlen(comm, TM_COMM_LEN)); }

void Add(Counters& sum, const Counters& value) {
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += value[i];
}

void Subtract(Counters& sum, const Counters& value) {
  for (size_t i = 0; i < sum.size(); ++i) sum[i] -= value[i];
}

void MergeMaxima(const tm_max (&from)[TM_M_MAX], tm_max (&into)[TM_M_MAX]) {
  for (int i = 0; i < TM_M_MAX; ++i) {
    if (from[i].value_ns > into[i].value_ns) into[i] = from[i];
  }
}

// The counters of the task behind a record, in terms of the line that it belongs to.
Counters CountersOf(const tm_task_record& record, const Thread& thread) {
  Counters counters;
  std::copy(std::begin(record.counters), std::end(record.counters), counters.begin());
  if (thread.succession != nullptr) Add(counters, thread.succession->offset);
  return counters;
}

bool IsZombie(const tm_task_record& record) { return record.state == 'Z' || record.state == 'X'; }

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
    if (thread->key.tid == process.tgid) summary.state = thread->state;
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

void FillConnectionFlags(uint32_t flags, HookGroups attached, TaskSample* sample) {
  if (attached.test(TM_HOOKS_CONNECT)) Set(v1::TASK_TCP_USED, (flags & TM_TASK_TCP_USED) != 0, sample);
  if (attached.test(TM_HOOKS_NET)) Set(v1::TASK_UDP_USED, (flags & TM_TASK_UDP_USED) != 0, sample);
}

// Values that were read some time ago, with that time.
void FillSmaps(const std::optional<SmapsAnswer>& smaps, TaskSample* sample) {
  if (!smaps) return;
  const SmapsValues& values = smaps->values;
  const std::pair<v1::Metric, uint64_t> fields[] = {
      {v1::TASK_SHARED_DIRTY_SIZE, values.shared_dirty},   {v1::TASK_SHARED_CLEAN_SIZE, values.shared_clean},
      {v1::TASK_PRIVATE_DIRTY_SIZE, values.private_dirty}, {v1::TASK_PRIVATE_CLEAN_SIZE, values.private_clean},
      {v1::TASK_REFERENCED_SIZE, values.referenced},       {v1::TASK_LAZYFREE_SIZE, values.lazyfree},
      {v1::TASK_SWAP_DATA_PSS_SIZE, values.swap_pss},      {v1::TASK_PSS_SIZE, values.pss}};
  for (const auto& [metric, value] : fields) {
    Set(metric, static_cast<int64_t>(value), sample);
    sample->taken_boot_ns[metric] = static_cast<int64_t>(smaps->taken_boot_ns);
  }
}

void FillScheduling(char state, int32_t nice, int32_t priority, uint32_t cpu, TaskSample* sample) {
  Set(v1::TASK_STATE, state, sample);
  Set(v1::TASK_NICE, nice, sample);
  Set(v1::TASK_PRIORITY, priority, sample);
  Set(v1::TASK_CPU_ID, cpu, sample);
}

}  // namespace

void SampleBuilder::OnRing(const tm_record_header& header) {
  switch (header.kind) {
    case TM_RECORD_FORK: return OnFork(reinterpret_cast<const tm_fork_record&>(header));
    case TM_RECORD_EXEC: return OnExec(reinterpret_cast<const tm_exec_record&>(header));
    case TM_RECORD_RENAME: return OnRename(reinterpret_cast<const tm_rename_record&>(header));
    case TM_RECORD_FINAL: return OnFinal(reinterpret_cast<const tm_task_record&>(header));
    case TM_RECORD_OOM: return OnOom(reinterpret_cast<const tm_oom_record&>(header));
    default: return;
  }
}

void SampleBuilder::BeginPass(bool all) {
  ++pass_;
  pass_all_ = all;
}

void SampleBuilder::OnTask(const tm_task_record& record) {
  Process* process = ProcessOf(record);
  Thread* known = table_.FindThread(record.id.tid, record.id.start_ns);
  if (known == nullptr && IsZombie(record)) return OnZombie(process, record);
  Thread* thread = known != nullptr ? known : ThreadOf(process, record.id);
  thread->seen_pass = pass_;
  if ((record.flags & TM_TASK_SUCCESSOR) != 0 && (thread->succession == nullptr || thread->left.has_value())) {
    // It became the leader after the ring was drained: the record that says so comes first, unless it was lost.
    if (!pass_all_) return;
    thread->succession = std::make_unique<Succession>();
    thread->left.reset();
  }
  UpdateThread(thread, record);
  UpdateProcess(process, record);
}

// A dead task that its parent has not reaped yet: its life was told by its final record, only its row remains.
void SampleBuilder::OnZombie(Process* process, const tm_task_record& record) {
  if (record.id.tid != record.id.tgid || record.state == 'X') return;
  if (!process->threads.empty()) return;  // the leader is dead, its threads live on
  process->zombie_pass = pass_;
  if (process->known) return;
  process->exited = true;  // dead before taskmond started
  for (size_t i = 0; i < process->dead.size(); ++i) process->dead[i] = record.counters[i];
  process->split.Update(record.counters[TM_C_RUNTIME_NS], record.counters[TM_C_UTIME_NS],
                        record.counters[TM_C_STIME_NS]);
  UpdateProcess(process, record);
}

Process* SampleBuilder::ProcessOf(const tm_task_record& record) {
  const tm_identity& id = record.id;
  Process* process = table_.FindProcess(id.tgid, id.process_start_ns);
  if (process != nullptr) return process;
  process = table_.AddProcess(id.tgid, id.process_start_ns);
  process->draft.comm = Comm(record.comm);
  process->draft.kthread = (record.flags & TM_TASK_KTHREAD) != 0;
  process->wants_names = !process->draft.kthread;
  return process;
}

Thread* SampleBuilder::ThreadOf(Process* process, const tm_identity& id) {
  Thread* thread = table_.FindThread(id.tid, id.start_ns);
  if (thread == nullptr) {
    thread = table_.AddThread(process, id.tid, id.start_ns);
    process->changed = true;
  }
  if (process->threads.size() > 1 && !process->multi) {
    process->multi = true;
    for (const auto& each : process->threads) {
      each->changed = true;
      // Until now the process row stood for its only thread: deltas go on from there.
      if (each.get() != thread) each->sample = process->sample;
    }
  }
  return thread;
}

void SampleBuilder::UpdateThread(Thread* thread, const tm_task_record& record) {
  Process* process = thread->process;
  const Counters counters = CountersOf(record, *thread);
  const bool baseline = !thread->known && !thread->born_in_tick && (record.flags & TM_TASK_PREEXISTING) != 0;
  if (!baseline) accounted_runtime_ns_ += counters[TM_C_RUNTIME_NS] - thread->counters[TM_C_RUNTIME_NS];
  Subtract(process->live, thread->counters);
  Add(process->live, counters);
  thread->counters = counters;
  thread->split.Update(counters[TM_C_RUNTIME_NS], counters[TM_C_UTIME_NS], counters[TM_C_STIME_NS]);
  MergeMaxima(record.maxima, thread->maxima);
  MergeMaxima(record.maxima, process->maxima);
  thread->flags = record.flags;
  thread->valid = record.valid;
  thread->nice = record.nice;
  thread->priority = record.priority;
  thread->cpu = record.cpu;
  thread->state = record.state;
  thread->off_since_ns = record.off_since_ns;
  thread->known = true;
  thread->changed = true;
  process->changed = true;
  process->used_flags |= record.flags & (TM_TASK_TCP_USED | TM_TASK_UDP_USED);
  // By then it has the new program's name, which its own number never had.
  if ((record.flags & TM_TASK_BECAME_LEADER) != 0 && !thread->comm.empty()) return;
  if (const std::string comm = Comm(record.comm); comm != thread->comm) {
    thread->comm = comm;
    thread->info_changed = true;
  }
}

void SampleBuilder::UpdateProcess(Process* process, const tm_task_record& record) {
  process->changed = true;
  process->valid = record.valid;
  std::copy(std::begin(record.process), std::end(record.process), process->gauges);
  process->known = true;
  if (process->wants_dead_sums && (record.valid & TM_VALID_SIGNAL) != 0) {
    process->wants_dead_sums = false;
    for (int i = 0; i < TM_C_HOOKED; ++i) process->dead[i] += record.dead[i];
  }
  if (record.id.tid == record.id.tgid) {
    process->nice = record.nice;
    process->priority = record.priority;
    process->cpu = record.cpu;
    if (const std::string comm = Comm(record.comm); comm != process->draft.comm) {
      process->draft.comm = comm;
      process->info_changed = true;
    }
    UpdateOwner(process, record.ppid, record.uid, record.gid, record.cgroup_id);
  }
}

void SampleBuilder::UpdateOwner(Process* process, int32_t ppid, uint32_t uid, uint32_t gid, uint64_t cgroup_id) {
  TaskInfo& draft = process->draft;
  if (draft.ppid != ppid || draft.uid != uid || draft.gid != gid) process->info_changed = true;
  draft.ppid = ppid;
  draft.uid = uid;
  draft.gid = gid;
  auto [user, asked] = users_.try_emplace(uid);
  if (asked) wanted_users_.push_back(uid);
  if (draft.user != user->second) {
    draft.user = user->second;
    process->info_changed = true;
  }
  if (process->cgroup_id == cgroup_id) return;
  process->cgroup_id = cgroup_id;
  if (auto known = cgroups_.find(cgroup_id); known != cgroups_.end()) {
    draft.cgroup = known->second.path;
    draft.unit = known->second.unit;
    draft.container = known->second.container;
    process->info_changed = true;
  } else {
    process->wants_names = true;
  }
}

void SampleBuilder::OnFork(const tm_fork_record& record) {
  if (table_.FindThread(record.id.tid, record.id.start_ns) != nullptr) return;  // a pass was faster
  Process* process = table_.FindProcess(record.id.tgid, record.id.process_start_ns);
  const bool new_process = process == nullptr;
  if (new_process) {
    process = table_.AddProcess(record.id.tgid, record.id.process_start_ns);
    process->born_in_tick = record.id.tid == record.id.tgid;
    process->wants_dead_sums = false;
    if (Thread* parent = table_.FindThreadByTid(record.parent_tid)) {
      process->draft = parent->process->draft;
      process->cgroup_id = parent->process->cgroup_id;
      process->wants_names = parent->process->wants_names;
    } else {
      process->wants_names = true;
    }
    process->draft.comm = Comm(record.comm);
    process->draft.kthread = (record.flags & TM_TASK_KTHREAD) != 0;
    UpdateOwner(process, record.parent_tgid, record.uid, record.gid, record.cgroup_id);
  }
  Thread* thread = ThreadOf(process, record.id);
  thread->comm = Comm(record.comm);
  thread->born_in_tick = true;
  thread->changed = true;
  process->changed = true;
  const bool is_process = record.id.tid == record.id.tgid;
  AddEvent(EventType::kFork, record.header.time_ns, is_process ? ProcessInfo(process) : ThreadInfo(thread));
}

void SampleBuilder::OnExec(const tm_exec_record& record) {
  Process* process = table_.FindProcess(record.id.tgid, record.id.process_start_ns);
  if (process == nullptr) process = table_.AddProcess(record.id.tgid, record.id.process_start_ns);  // its fork was lost
  if (record.old_tid != record.id.tid) {
    // Still there: the last record of its own number was lost.
    Thread* caller = table_.FindThreadByTid(record.old_tid);
    if (caller != nullptr && caller->process == process) Succeed(process, caller, record.header.time_ns);
  }
  Thread* thread = ThreadOf(process, record.id);
  thread->comm = Comm(record.comm);
  thread->info_changed = true;
  process->draft.comm = thread->comm;
  process->draft.exe.assign(record.filename, strnlen(record.filename, TM_PATH_LEN));
  process->draft.cmdline = JoinArguments(std::string(record.args, std::min<size_t>(record.args_len, TM_ARGS_LEN)));
  process->smaps.reset();       // another address space
  process->wants_names = true;  // the real path behind links and interpreters, should it live long enough
  process->info_changed = true;
  UpdateOwner(process, record.ppid, record.uid, record.gid, record.cgroup_id);
  AddEvent(EventType::kExec, record.header.time_ns, ProcessInfo(process));
}

// The end of a leader because another thread called exec is not the end of its line.
void SampleBuilder::LeaveLine(Process* process, Thread* leader, const tm_task_record& record) {
  Succession* succession = leader->succession.get();
  if (succession == nullptr || !succession->awaits_leader) {
    UpdateThread(leader, record);
    leader->left = {.boot_ns = record.header.time_ns, .wait_status = record.exit_code};
    return;
  }
  // The successor was faster: what the old leader did since it was last seen goes to the line after all.
  succession->awaits_leader = false;
  Counters rest;
  std::copy(std::begin(record.counters), std::end(record.counters), rest.begin());
  Subtract(rest, succession->leader);
  for (Counters* sum : {&succession->offset, &leader->counters, &process->live}) Add(*sum, rest);
  accounted_runtime_ns_ += rest[TM_C_RUNTIME_NS];
  leader->changed = true;
  process->changed = true;
}

// A thread other than the leader has called exec: its own line ends, and it goes on in the leader's (fs/exec.c,
// de_thread). A leader that had ended before by itself has had its end told; the line then begins anew.
void SampleBuilder::Succeed(Process* process, Thread* caller, uint64_t boot_ns) {
  Thread* line = table_.FindThread(process->tgid, process->start_ns);
  auto succession = std::make_unique<Succession>();
  succession->awaits_leader = line != nullptr && !line->left.has_value();
  if (line == nullptr) {
    line = table_.AddThread(process, process->tgid, process->start_ns);
    line->born_in_tick = true;
  }
  succession->leader = line->counters;
  succession->offset = line->counters;
  Subtract(succession->offset, caller->counters);
  line->succession = std::move(succession);
  line->left.reset();
  line->known = true;
  line->valid = caller->valid;
  line->state = caller->state;
  line->info_changed = true;
  line->seen_pass = pass_;
  EndThread(caller, boot_ns, 0, fmt::format("became TID {} by exec", process->tgid));
}

void SampleBuilder::OnRename(const tm_rename_record& record) {
  Thread* thread = table_.FindThread(record.id.tid, record.id.start_ns);
  if (thread == nullptr) return;  // exec renames before its own record; a pass will bring the name otherwise
  thread->comm = Comm(record.comm);
  thread->info_changed = true;
  thread->changed = true;
  Process* process = thread->process;
  process->changed = true;
  if (thread->key.tid == process->tgid) {
    process->draft.comm = thread->comm;
    process->info_changed = true;
  }
}

void SampleBuilder::OnOom(const tm_oom_record& record) {
  Process* process = table_.FindProcess(record.id.tgid, record.id.process_start_ns);
  if (process == nullptr) return;
  AddEvent(EventType::kOomKill, record.header.time_ns, ProcessInfo(process));
}

void SampleBuilder::OnFinal(const tm_task_record& record) {
  Process* process = ProcessOf(record);
  const bool was_leader = record.id.start_ns == record.id.process_start_ns;
  if ((record.flags & TM_TASK_ENDED_BY_EXEC) != 0 && was_leader && (record.flags & TM_TASK_GROUP_DEAD) == 0) {
    return LeaveLine(process, ThreadOf(process, {process->tgid, process->tgid, process->start_ns, process->start_ns}),
                     record);
  }
  Thread* thread = ThreadOf(process, record.id);
  UpdateThread(thread, record);
  const bool has_memory = (record.valid & TM_VALID_MM) != 0;
  if (has_memory || !process->known) UpdateProcess(process, record);
  if ((record.valid & TM_VALID_SIGNAL) != 0) {
    process->gauges[TM_P_RSS_PEAK_BYTES] =
        std::max<uint64_t>(process->gauges[TM_P_RSS_PEAK_BYTES], record.process[TM_P_RSS_PEAK_BYTES]);
  }
  if ((record.flags & TM_TASK_BECAME_LEADER) != 0) return Succeed(process, thread, record.header.time_ns);
  EndThread(thread, record.header.time_ns, record.exit_code, "");
  if ((record.flags & TM_TASK_GROUP_DEAD) != 0) FinishProcess(process, record);
}

void SampleBuilder::EndThread(Thread* thread, uint64_t boot_ns, int32_t wait_status, const std::string& detail) {
  if (thread->process->multi) {
    BuildThreadSample(thread, 0);
    Event& event = AddEvent(EventType::kExit, boot_ns, thread->info);
    event.wait_status = wait_status;
    event.duration_ns = boot_ns - std::min(boot_ns, thread->key.start_ns);
    event.detail = detail;
    event.final_sample = thread->sample;
  }
  Fold(thread);
}

void SampleBuilder::Fold(Thread* thread) {
  Process* process = thread->process;
  Subtract(process->live, thread->counters);
  Add(process->dead, thread->counters);
  process->changed = true;
  table_.RemoveThread(thread);
}

void SampleBuilder::FinishProcess(Process* process, const tm_task_record& record) {
  while (!process->threads.empty()) {
    Thread* thread = process->threads.back().get();
    if (thread->left) {
      EndThread(thread, thread->left->boot_ns, thread->left->wait_status, "");  // and the exec came to nothing
    } else {
      Fold(thread);  // its final record was lost
    }
  }
  process->exited = true;
  process->valid = record.valid;  // before 6.16 without memory: what the last pass saw is not what it ended with
  BuildProcessSample(process, 0);
  process->valid &= ~TM_VALID_MM;
  process->changed = true;
  Event& event = AddEvent(EventType::kExit, record.header.time_ns, process->info);
  event.wait_status = record.exit_code;
  event.duration_ns = record.header.time_ns - std::min<uint64_t>(record.header.time_ns, process->start_ns);
  event.final_sample = process->sample;
}

Event& SampleBuilder::AddEvent(EventType type, uint64_t boot_ns, std::shared_ptr<const TaskInfo> task) {
  Event event;
  event.type = type;
  event.boot_ns = boot_ns;
  event.wall_ns = static_cast<int64_t>(boot_ns) + wall_offset_ns_;
  event.task = std::move(task);
  events_.push_back(std::move(event));
  return events_.back();
}

void SampleBuilder::OnNames(const NameAnswer& answer) {
  const NameRequest& request = answer.request;
  if (request.user) {
    users_[request.uid] = answer.user;
    for (auto& [key, process] : table_.processes()) {
      if (process->draft.uid != request.uid || process->draft.user == answer.user) continue;
      process->draft.user = answer.user;
      process->info_changed = true;
    }
  }
  if (request.tgid == 0 || !answer.found) return;
  Process* process = table_.FindProcess(request.tgid, request.start_ns);
  if (request.cgroup) cgroups_[request.cgroup_id] = answer.cgroup;
  if (process == nullptr) return;
  auto update = [process](std::string* field, const std::string& value) {
    if (*field == value) return;
    *field = value;
    process->info_changed = true;
  };
  if (request.cmdline && !answer.cmdline.empty()) update(&process->draft.cmdline, answer.cmdline);
  if (request.exe && !answer.exe.empty()) update(&process->draft.exe, answer.exe);
  if (auto known = cgroups_.find(process->cgroup_id); known != cgroups_.end()) {
    update(&process->draft.cgroup, known->second.path);
    update(&process->draft.unit, known->second.unit);
    update(&process->draft.container, known->second.container);
  }
}

void SampleBuilder::OnSmaps(const SmapsAnswer& answer) {
  Process* process = table_.FindProcess(answer.tgid, answer.start_ns);
  if (process == nullptr || process->exited) return;
  process->smaps = answer;
  process->changed = true;
  for (const auto& thread : process->threads) thread->changed = true;
}

std::vector<SmapsTarget> SampleBuilder::SmapsTargets() const {
  std::vector<SmapsTarget> targets;
  for (const auto& [key, process] : table_.processes()) {
    if (!process->known || process->exited || process->draft.kthread || process->sample == nullptr) continue;
    const uint64_t rss_bytes = static_cast<uint64_t>(process->sample->values[v1::TASK_PM_SIZE]);
    if (rss_bytes == 0) continue;
    targets.push_back({.tgid = process->tgid, .start_ns = process->start_ns, .rss_bytes = rss_bytes});
  }
  return targets;
}

std::shared_ptr<const TaskInfo> SampleBuilder::ProcessInfo(Process* process) {
  if (!process->info_changed && process->info != nullptr) return process->info;
  TaskInfo& draft = process->draft;
  draft.key = {process->start_ns, process->tgid, false};
  draft.tgid = process->tgid;
  draft.process_start_ns = process->start_ns;
  draft.boot_id = options_.boot_id;
  // Kept from the first time, so that a start time does not move when the clock is set.
  if (process->info == nullptr) draft.start_wall_ns = static_cast<int64_t>(process->start_ns) + wall_offset_ns_;
  process->info = std::make_shared<const TaskInfo>(draft);
  process->info_changed = false;
  process->changed = true;
  for (const auto& thread : process->threads) thread->info_changed = true;
  return process->info;
}

std::shared_ptr<const TaskInfo> SampleBuilder::ThreadInfo(Thread* thread) {
  const std::shared_ptr<const TaskInfo> process = ProcessInfo(thread->process);
  if (!thread->info_changed && thread->info != nullptr) return thread->info;
  auto info = std::make_shared<TaskInfo>(*process);
  info->key = thread->key;
  info->comm = thread->comm;
  info->start_wall_ns = process->start_wall_ns + static_cast<int64_t>(thread->key.start_ns - thread->process->start_ns);
  thread->info = std::move(info);
  thread->info_changed = false;
  thread->changed = true;
  return thread->info;
}

void SampleBuilder::FillHitPercent(const Counters& counters, uint64_t* adds, uint64_t* lookups,
                                   TaskSample* sample) const {
  const uint64_t new_adds = counters[TM_C_PAGE_CACHE_ADDS] - *adds;
  const uint64_t new_lookups = counters[TM_C_PAGE_CACHE_LOOKUPS] - *lookups;
  *adds = counters[TM_C_PAGE_CACHE_ADDS];
  *lookups = counters[TM_C_PAGE_CACHE_LOOKUPS];
  const bool attached = attached_.test(TM_HOOKS_PAGE_CACHE) && attached_.test(TM_HOOKS_PAGE_CACHE_LOOKUP);
  if (!attached || new_lookups == 0 || first_tick_) return;
  // Read-ahead and writes add pages that nobody looked up, so adds may exceed lookups.
  const uint64_t misses = std::min(new_adds, new_lookups);
  Set(v1::TASK_PAGE_CACHE_HIT_PERCENT, static_cast<int64_t>((new_lookups - misses) * 100'000 / new_lookups), sample);
}

void SampleBuilder::BuildProcessSample(Process* process, uint64_t tick_seq) {
  auto sample = std::make_shared<TaskSample>();
  sample->info = ProcessInfo(process);
  sample->tick_seq = tick_seq;
  Counters total = process->dead;
  Add(total, process->live);
  process->split.Update(total[TM_C_RUNTIME_NS], total[TM_C_UTIME_NS], total[TM_C_STIME_NS]);
  FillCounters(total, process->split, process->valid, attached_, sample.get());
  FillMaxima(process->maxima, attached_, sample.get());
  // A zombie has no memory any more; that its last sizes are not known is another matter.
  const bool has_no_memory = process->draft.kthread || (process->exited && tick_seq != 0);
  FillProcessGauges(process->gauges, process->valid, has_no_memory, sample.get());
  const ThreadSummary summary = Summarize(*process);
  FillScheduling(summary.state, process->nice, process->priority, process->cpu, sample.get());
  FillConnectionFlags(process->used_flags, attached_, sample.get());
  if (attached_.test(TM_HOOKS_SCHED)) {
    Set(v1::TASK_OFFCPU_SINCE, static_cast<int64_t>(summary.off_since_ns), sample.get());
    Set(v1::TASK_IOWAIT_SINCE, static_cast<int64_t>(summary.iowait_since_ns), sample.get());
  }
  FillSmaps(process->smaps, sample.get());
  FillHitPercent(total, &process->hit_adds, &process->hit_lookups, sample.get());
  FillDeltas(process->sample.get(), process->born_in_tick, sample.get());
  process->sample = std::move(sample);
}

void SampleBuilder::BuildThreadSample(Thread* thread, uint64_t tick_seq) {
  Process* process = thread->process;
  auto sample = std::make_shared<TaskSample>();
  sample->info = ThreadInfo(thread);
  sample->tick_seq = tick_seq;
  FillCounters(thread->counters, thread->split, thread->valid, attached_, sample.get());
  FillMaxima(thread->maxima, attached_, sample.get());
  FillProcessGauges(process->gauges, process->valid, process->draft.kthread, sample.get());
  FillScheduling(thread->state, thread->nice, thread->priority, thread->cpu, sample.get());
  FillConnectionFlags(thread->flags, attached_, sample.get());
  if (attached_.test(TM_HOOKS_SCHED)) {
    Set(v1::TASK_OFFCPU_SINCE, static_cast<int64_t>(thread->off_since_ns), sample.get());
    Set(v1::TASK_IOWAIT_SINCE, static_cast<int64_t>(IoWaitSince(*thread)), sample.get());
  }
  FillSmaps(process->smaps, sample.get());
  FillHitPercent(thread->counters, &thread->hit_adds, &thread->hit_lookups, sample.get());
  FillDeltas(thread->sample.get(), thread->born_in_tick, sample.get());
  thread->sample = std::move(sample);
}

// After a pass over all tasks: who was not seen has ended, and the record that said so was lost.
void SampleBuilder::RemoveUnseen() {
  for (auto& [key, process] : table_.processes()) {
    for (size_t i = process->threads.size(); i-- > 0;) {
      Thread* thread = process->threads[i].get();
      if (thread->seen_pass != pass_ && !thread->born_in_tick) Fold(thread);
    }
    if (process->threads.empty() && !process->exited) {
      process->exited = true;
      Event& event = AddEvent(EventType::kGap, 0, process->info);
      event.detail = "ended unseen: its final record was lost";
      event.lost = 1;
    }
  }
}

// Brings one process up to the tick and appends its rows.
void SampleBuilder::CloseProcess(Process* process, const Tick& tick, Rows* result) {
  // Programs rewrite their command line (setproctitle) without telling anyone: look again now and then.
  const bool stale = process->changed && tick.seq - process->names_seq >= kNamesEveryTicks && !process->draft.kthread;
  if (process->wants_names || stale) {
    process->wants_names = false;
    const bool known_cgroup = cgroups_.contains(process->cgroup_id);
    process->names_seq = tick.seq;
    result->requests.push_back({.tgid = process->tgid,
                                .start_ns = process->start_ns,
                                .cgroup_id = process->cgroup_id,
                                .cmdline = !process->draft.kthread,
                                .exe = !process->draft.kthread,
                                .cgroup = !known_cgroup});
  }
  if (process->info_changed) ProcessInfo(process);
  if (process->changed || process->sample == nullptr) {
    BuildProcessSample(process, tick.seq);
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
    if (thread->changed || thread->info_changed || thread->sample == nullptr) BuildThreadSample(thread, tick.seq);
    result->tasks.push_back(thread->sample);
  }
  if (thread->changed) std::fill(std::begin(thread->maxima), std::end(thread->maxima), tm_max{});
  thread->changed = false;
  thread->born_in_tick = false;
}

SampleBuilder::Result SampleBuilder::EndTick(const Tick& tick) {
  if (pass_all_) RemoveUnseen();
  Result result;
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->tick = tick;
  snapshot->boot_id = options_.boot_id;
  snapshot->memory_total_bytes = options_.memory_total_bytes;
  Rows rows;
  rows.tasks.reserve(table_.thread_count() + table_.processes().size());
  auto& processes = table_.processes();
  for (auto it = processes.begin(); it != processes.end();) {
    Process* process = it->second.get();
    ++it;
    if (process->exited && process->zombie_pass != pass_) {
      table_.RemoveProcess(process);
      continue;
    }
    if (process->known) CloseProcess(process, tick, &rows);
  }
  snapshot->tasks = std::move(rows.tasks);
  result.requests = std::move(rows.requests);
  if (tick.lost_records != 0) {
    Event& gap = AddEvent(EventType::kGap, tick.boot_ns, nullptr);
    gap.detail = "life cycle records lost: no room in the ring buffer, or no memory";
    gap.lost = tick.lost_records;
  }
  for (uint32_t uid : std::exchange(wanted_users_, {})) result.requests.push_back({.uid = uid, .user = true});
  for (Event& event : events_) {
    if (event.boot_ns != 0) continue;
    event.boot_ns = tick.boot_ns;
    event.wall_ns = tick.wall_ns;
  }
  result.events = std::exchange(events_, {});
  result.snapshot = std::move(snapshot);
  first_tick_ = false;
  pass_all_ = false;
  return result;
}

}  // namespace taskmon::daemon

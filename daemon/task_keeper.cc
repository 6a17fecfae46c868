// SPDX-License-Identifier: Apache-2.0
#include "daemon/task_keeper.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "daemon/succession.h"

namespace taskmon::daemon {
namespace {

std::string_view Comm(const char (&comm)[TM_COMM_LEN]) { return {comm, strnlen(comm, TM_COMM_LEN)}; }

Counters AsCounters(const __u64 (&numbers)[TM_C_MAX]) {
  Counters counters;
  std::copy(std::begin(numbers), std::end(numbers), counters.begin());
  return counters;
}

// True where it was another.
template <typename Field, typename Value>
bool UpdateField(Process* process, Field TaskInfo::*field, const Value& value) {
  if (!process->info.Set(field, value)) return false;
  process->info_changed = true;
  return true;
}

void UpdateCgroup(Process* process, const CgroupIdentity& identity) {
  process->cgroup_read = true;
  UpdateField(process, &TaskInfo::cgroup, identity.path);
  UpdateField(process, &TaskInfo::unit, identity.unit);
  UpdateField(process, &TaskInfo::container, identity.container);
}

void NoteConnections(Process* process, uint32_t flags, uint64_t boot_ns) {
  const uint32_t used = flags & (TM_TASK_TCP_USED | TM_TASK_UDP_USED);
  if ((used & ~process->used_flags) == 0) return;
  process->used_flags |= used;
  process->changed = true;
  Touch(process, rules::Occasion::kConnection, boot_ns);
}

bool IsZombie(const tm_task_record& record) { return record.state == 'Z' || record.state == 'X'; }

}  // namespace

void TaskKeeper::OnRing(const tm_record_header& header) {
  switch (header.kind) {
    case TM_RECORD_FORK: return OnFork(reinterpret_cast<const tm_fork_record&>(header));
    case TM_RECORD_EXEC: return OnExec(reinterpret_cast<const tm_exec_record&>(header));
    case TM_RECORD_RENAME: return OnRename(reinterpret_cast<const tm_rename_record&>(header));
    case TM_RECORD_FINAL: return OnFinal(reinterpret_cast<const tm_task_record&>(header));
    case TM_RECORD_OOM: return OnOom(reinterpret_cast<const tm_oom_record&>(header));
    default: return;
  }
}

void TaskKeeper::OnTask(const tm_task_record& record) {
  Thread* known = table_.FindThread(record.id.tid, record.id.start_ns);
  Process* process = known != nullptr ? known->process : ProcessOf(record);
  if (known == nullptr && IsZombie(record)) return OnZombie(process, record);
  Thread* thread = known != nullptr ? known : ThreadOf(process, record.id);
  thread->seen_pass = pass_;
  process->exited = false;  // its leader, a zombie, came first
  if ((record.flags & TM_TASK_SUCCESSOR) != 0 && AwaitsSuccession(*thread)) {
    // It became the leader after the ring was drained: the record that says so comes first, unless it was lost.
    if (!thread->known) return successors_.push_back(record);
    if (!pass_all_) return;
    SucceedUnseen(thread);
  }
  UpdateThread(thread, record);
  UpdateProcess(process, record);
}

// A dead task that its parent has not reaped yet: its life was told by its final record, only its row remains.
void TaskKeeper::OnZombie(Process* process, const tm_task_record& record) {
  if (record.id.tid != record.id.tgid || record.state == 'X') return;
  if (!process->threads.empty()) return;  // the leader is dead, its threads live on
  process->zombie_pass = pass_;
  if (process->known) return;
  process->exited = true;  // dead before taskmond started, unless a thread that comes after it lives
  process->multi = record.process[TM_P_THREADS] > 1;
  process->OwnTotal() = AsCounters(record.counters);
  process->split.Update(record.counters[TM_C_RUNTIME_NS], record.counters[TM_C_UTIME_NS],
                        record.counters[TM_C_STIME_NS]);
  UpdateProcess(process, record);
}

Process* TaskKeeper::ProcessOf(const tm_task_record& record) {
  const tm_identity& id = record.id;
  Process* process = table_.FindProcess(id.tgid, id.process_start_ns);
  if (process != nullptr) return process;
  process = table_.AddProcess(id.tgid, id.process_start_ns);
  const bool kthread = (record.flags & TM_TASK_KTHREAD) != 0;
  process->info.Set(&TaskInfo::comm, Comm(record.comm));
  process->info.Set(&TaskInfo::kthread, kthread);
  process->wants_names = !kthread;
  process->names_read = kthread;
  const bool old = (record.flags & TM_TASK_PREEXISTING) != 0;
  Touch(process, old ? rules::Occasion::kStart : rules::Occasion::kBorn, record.header.time_ns);
  return process;
}

Thread* TaskKeeper::ThreadOf(Process* process, const tm_identity& id) {
  Thread* thread = table_.FindThread(id.tid, id.start_ns);
  if (thread == nullptr) {
    thread = table_.AddThread(process, id.tid, id.start_ns);
    thread->seen_pass = pass_;  // this pass may have been over when it began, the next one is not
    process->changed = true;
  }
  if (process->threads.size() > 1 && !process->multi) {
    process->multi = true;
    for (const auto& each : process->threads) {
      each->changed = true;
      if (each.get() == thread) continue;
      // Until now the process row stood for its only thread, which goes on from there.
      each->sample = process->sample;
      each->maxima.CopyFrom(process->maxima);
      each->hits = process->hits;
    }
  }
  return thread;
}

void TaskKeeper::UpdateThread(Thread* thread, const tm_task_record& record) {
  Process* process = thread->process;
  const Counters counters = InLine(*thread, AsCounters(record.counters));
  const uint64_t accounted_ns = thread->known ? thread->counters[TM_C_RUNTIME_NS] : record.accounted_ns;
  accounted_runtime_ns_ += counters[TM_C_RUNTIME_NS] - std::min(accounted_ns, counters[TM_C_RUNTIME_NS]);
  SetCounters(thread, counters);
  thread->split.Update(counters[TM_C_RUNTIME_NS], counters[TM_C_UTIME_NS], counters[TM_C_STIME_NS]);
  if (process->multi) thread->maxima.Merge(record.maxima);
  process->maxima.Merge(record.maxima);
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
  NoteConnections(process, record.flags, record.header.time_ns);
  NoteDecision(process, record.decision);
  // By then it has the new program's name, which its own number never had.
  if ((record.flags & TM_TASK_BECAME_LEADER) != 0 && !thread->name().empty()) return;
  if (Comm(record.comm) != thread->name()) {
    thread->comm = std::to_array(record.comm);
    thread->info_changed = true;
  }
}

void TaskKeeper::UpdateProcess(Process* process, const tm_task_record& record) {
  process->changed = true;
  process->valid = record.valid;
  std::copy(std::begin(record.process), std::end(record.process), process->gauges);
  process->known = true;
  if (process->wants_dead_sums && (record.valid & TM_VALID_SIGNAL) != 0) {
    process->wants_dead_sums = false;
    const Counters dead = AsCounters(record.dead);
    if (dead != Counters{}) Add(process->OwnTotal(), dead);
  }
  if (record.id.tid == record.id.tgid) {
    process->nice = record.nice;
    process->priority = record.priority;
    process->cpu = record.cpu;
    if (process->info.Set(&TaskInfo::comm, Comm(record.comm))) {
      Touch(process, rules::Occasion::kRename, record.header.time_ns);
    }
    UpdateOwner(process, {record.ppid, record.uid, record.gid, record.cgroup_id}, record.header.time_ns);
  }
}

void TaskKeeper::UpdateOwner(Process* process, const Owner& owner, uint64_t boot_ns) {
  const bool decided = process->standing.now.boot_ns != 0;
  UpdateField(process, &TaskInfo::ppid, owner.ppid);
  const bool other_user = UpdateField(process, &TaskInfo::uid, owner.uid);
  const bool other_group = UpdateField(process, &TaskInfo::gid, owner.gid);
  if ((other_user || other_group) && decided) Touch(process, rules::Occasion::kOwner, boot_ns);
  UpdateField(process, &TaskInfo::user, names().User(owner.uid));
  if (process->cgroup_id == owner.cgroup_id) return;
  if (decided) Touch(process, rules::Occasion::kCgroup, boot_ns);
  process->cgroup_id = owner.cgroup_id;
  process->cgroup_read = false;
  if (const CgroupIdentity* known = names().Cgroup(owner.cgroup_id)) {
    UpdateCgroup(process, *known);
  } else {
    process->wants_names = true;
  }
}

void TaskKeeper::OnConnections(int32_t tgid, uint64_t start_ns, uint32_t used_flags, uint64_t boot_ns) {
  if (Process* process = table_.FindProcess(tgid, start_ns)) NoteConnections(process, used_flags, boot_ns);
}

void TaskKeeper::NoteDecision(Process* process, const tm_decision& decision) {
  // Threads carry copies, which may be older.
  if (static_cast<int32_t>(decision.seq - process->decision.seq) < 0) return;
  if (decision.seq != process->decision.seq) {
    process->crossed = decision.at == TM_DECIDED_THRESHOLD && decision.verdict == TM_VERDICT_WANTED;
  }
  process->decision = decision;
}

// A new process begins as a copy of its parent.
Process* TaskKeeper::BirthOf(const tm_fork_record& record) {
  Process* process = table_.AddProcess(record.id.tgid, record.id.process_start_ns);
  process->born_in_tick = record.id.tid == record.id.tgid;
  process->wants_dead_sums = record.id.tid != record.id.tgid;
  if (const Thread* parent = table_.FindThreadByTid(record.parent_tid)) {
    process->info.CopyFrom(parent->process->info);
    process->Identify(record.id.tgid, record.id.process_start_ns);
    process->cgroup_id = parent->process->cgroup_id;
    process->cgroup_read = parent->process->cgroup_read;
    process->wants_names = parent->process->wants_names || !parent->process->names_read;
    process->names_read = parent->process->names_read;
    if (admission_ != nullptr)
      admission_->Inherit(parent->process->standing, record.header.time_ns, &process->standing);
  } else {
    process->wants_names = true;
  }
  process->info.Set(&TaskInfo::comm, Comm(record.comm));
  process->info.Set(&TaskInfo::kthread, (record.flags & TM_TASK_KTHREAD) != 0);
  Touch(process, rules::Occasion::kBorn, record.header.time_ns);
  UpdateOwner(process, {record.parent_tgid, record.uid, record.gid, record.cgroup_id}, record.header.time_ns);
  NoteDecision(process, record.decision);
  return process;
}

void TaskKeeper::OnFork(const tm_fork_record& record) {
  if (Thread* seen = table_.FindThread(record.id.tid, record.id.start_ns); seen != nullptr)
    return OnLateFork(record, seen);
  Process* process = table_.FindProcess(record.id.tgid, record.id.process_start_ns);
  if (process == nullptr) process = BirthOf(record);
  Thread* thread = ThreadOf(process, record.id);
  thread->comm = std::to_array(record.comm);
  thread->born_in_tick = true;
  thread->changed = true;
  process->changed = true;
  const bool is_process = record.id.tid == record.id.tgid;
  AddEvent(EventType::kFork, record.header.time_ns, is_process ? rows_.ProcessInfo(process) : rows_.ThreadInfo(thread));
}

// A pass was faster than the ring: it is known, but nobody has told of its birth.
void TaskKeeper::OnLateFork(const tm_fork_record& record, Thread* thread) {
  Process* process = thread->process;
  const bool is_process = record.id.tid == record.id.tgid;
  if (thread->sample == nullptr) thread->born_in_tick = true;
  if (is_process && process->sample == nullptr) process->born_in_tick = true;
  AddEvent(EventType::kFork, record.header.time_ns, is_process ? rows_.ProcessInfo(process) : rows_.ThreadInfo(thread));
}

void TaskKeeper::OnExec(const tm_exec_record& record) {
  Process* process = table_.FindProcess(record.id.tgid, record.id.process_start_ns);
  if (process == nullptr) process = table_.AddProcess(record.id.tgid, record.id.process_start_ns);  // its fork was lost
  if (record.old_tid != record.id.tid) {
    // Still there: the last record of its own number was lost.
    Thread* caller = table_.FindThreadByTid(record.old_tid);
    if (caller != nullptr && caller->process == process) Succeed(process, caller, record.header.time_ns);
  }
  Thread* thread = ThreadOf(process, record.id);
  if (record.old_tid != record.id.tid && AwaitsSuccession(*thread)) SucceedUnseen(thread);
  thread->comm = std::to_array(record.comm);
  thread->info_changed = true;
  TaskInfo& info = process->info.Edit();
  info.comm = thread->name();
  info.exe = std::string_view(record.filename, strnlen(record.filename, TM_PATH_LEN));
  info.cmdline = JoinArguments(std::string(record.args, std::min<size_t>(record.args_len, TM_ARGS_LEN)));
  process->smaps.reset();  // another address space
  process->names_pause = 1;
  process->wants_names = true;  // the real path behind links and interpreters, should it live long enough
  process->names_read = true;
  Touch(process, rules::Occasion::kExec, record.header.time_ns);
  UpdateOwner(process, {record.ppid, record.uid, record.gid, record.cgroup_id}, record.header.time_ns);
  NoteDecision(process, record.decision);
  AddEvent(EventType::kExec, record.header.time_ns, rows_.ProcessInfo(process));
}

// The end of a leader because another thread called exec is not the end of its line.
void TaskKeeper::LeaveLine(Thread* leader, const tm_task_record& record) {
  if (leader->succession != nullptr && leader->succession->awaits_leader) {
    accounted_runtime_ns_ += AddRestOfLeader(leader, AsCounters(record.counters))[TM_C_RUNTIME_NS];
    return;
  }
  UpdateThread(leader, record);
  leader->left = std::make_unique<LeftLine>(LeftLine{record.header.time_ns, record.exit_code});
}

// A thread other than the leader has called exec: its own line ends, and it goes on in the leader's (fs/exec.c,
// de_thread). A leader that had ended before by itself has had its end told; the line then begins anew.
void TaskKeeper::Succeed(Process* process, Thread* caller, uint64_t boot_ns) {
  Thread* line = table_.FindThread(process->tgid(), process->start_ns());
  const bool awaits_leader = line != nullptr && line->left == nullptr;
  if (line == nullptr) {
    line = table_.AddThread(process, process->tgid(), process->start_ns());
    line->born_in_tick = true;
  }
  SucceedSeen(line, *caller, awaits_leader);
  line->seen_pass = pass_;
  EndThread(caller, boot_ns, 0, fmt::format("became TID {} by exec", process->tgid()));
}

// The ring was drained once more: what it has not told of successors it never will.
void TaskKeeper::TakeSuccessors() {
  for (const tm_task_record& record : std::exchange(successors_, {})) {
    Thread* line = table_.FindThread(record.id.tid, record.id.start_ns);
    if (line == nullptr || line->known) continue;
    if (line->process->threads.size() > 1 && !pass_all_) continue;  // one may be the caller
    if (AwaitsSuccession(*line)) SucceedUnseen(line);
    OnTask(record);
  }
}

void TaskKeeper::OnRename(const tm_rename_record& record) {
  Thread* thread = table_.FindThread(record.id.tid, record.id.start_ns);
  if (thread == nullptr) return;  // exec renames before its own record; a pass will bring the name otherwise
  thread->comm = std::to_array(record.comm);
  thread->info_changed = true;
  thread->changed = true;
  Process* process = thread->process;
  process->changed = true;
  if (thread->key.tid == process->tgid()) {
    process->info.Set(&TaskInfo::comm, thread->name());
    Touch(process, rules::Occasion::kRename, record.header.time_ns);
    NoteDecision(process, record.decision);
  }
}

void TaskKeeper::OnOom(const tm_oom_record& record) {
  Process* process = table_.FindProcess(record.id.tgid, record.id.process_start_ns);
  if (process == nullptr) return;
  AddEvent(EventType::kOomKill, record.header.time_ns, rows_.ProcessInfo(process));
}

void TaskKeeper::OnFinal(const tm_task_record& record) {
  Process* process = ProcessOf(record);
  const bool told = (record.flags & TM_TASK_END_TOLD) != 0 && process->known;
  if (told && table_.FindThread(record.id.tid, record.id.start_ns) == nullptr) return FinishProcess(process, record);
  const bool was_leader = record.id.start_ns == record.id.process_start_ns;
  if ((record.flags & TM_TASK_ENDED_BY_EXEC) != 0 && was_leader && (record.flags & TM_TASK_GROUP_DEAD) == 0) {
    return LeaveLine(ThreadOf(process, {process->tgid(), process->tgid(), process->start_ns(), process->start_ns()}),
                     record);
  }
  Thread* thread = ThreadOf(process, record.id);
  UpdateThread(thread, record);
  // What the process had when a thread went is older than what a pass may have seen since.
  const bool says_more = (record.flags & TM_TASK_GROUP_DEAD) != 0 && (record.valid & TM_VALID_MM) != 0;
  if (says_more || !process->known) UpdateProcess(process, record);
  if ((record.valid & TM_VALID_SIGNAL) != 0) {
    process->gauges[TM_P_RSS_PEAK_BYTES] =
        std::max<uint64_t>(process->gauges[TM_P_RSS_PEAK_BYTES], record.process[TM_P_RSS_PEAK_BYTES]);
  }
  if ((record.flags & TM_TASK_BECAME_LEADER) != 0) return Succeed(process, thread, record.header.time_ns);
  EndThread(thread, record.header.time_ns, record.exit_code, "");
  if ((record.flags & TM_TASK_GROUP_DEAD) != 0) FinishProcess(process, record);
}

void TaskKeeper::EndThread(Thread* thread, uint64_t boot_ns, int32_t wait_status, const std::string& detail) {
  if (thread->process->multi) {
    rows_.MakeThreadSample(thread, 0);
    AddExit(boot_ns, thread->key.start_ns, wait_status, thread->sample).detail = detail;
  }
  Remove(thread);
}

// What it did stays in its process's total.
void TaskKeeper::Remove(Thread* thread) {
  thread->process->changed = true;
  table_.RemoveThread(thread);
}

void TaskKeeper::FinishProcess(Process* process, const tm_task_record& record) {
  while (!process->threads.empty()) {
    Thread* thread = process->threads.back().get();
    if (thread->left != nullptr) {
      EndThread(thread, thread->left->boot_ns, thread->left->wait_status, "");  // and the exec came to nothing
    } else {
      Remove(thread);  // its final record was lost
    }
  }
  rows_.ProcessInfo(process);  // while the rules can still be asked
  if (rows_.BelieveKernel(record.header.time_ns, nullptr, process)) rows_.ProcessInfo(process);
  End(process);
  process->valid = record.valid;  // before 6.16 without memory: what the last pass saw is not what it ended with
  rows_.MakeProcessSample(process, 0);
  process->valid &= ~TM_VALID_MM;
  process->changed = true;
  AddExit(record.header.time_ns, process->start_ns(), record.exit_code, process->sample);
}

void TaskKeeper::End(Process* process) {
  process->exited = true;
  if (admission_ != nullptr) admission_->Forget(&process->standing);
}

void TaskKeeper::Leave(Process* process) {
  End(process);
  table_.RemoveProcess(process);
}

Event& TaskKeeper::AddExit(uint64_t boot_ns, uint64_t start_ns, int32_t wait_status,
                           std::shared_ptr<const TaskSample> final_sample) {
  Event& event = AddEvent(EventType::kExit, boot_ns, final_sample->info);
  event.wait_status = wait_status;
  event.duration_ns = boot_ns - std::min(boot_ns, start_ns);
  event.final_sample = std::move(final_sample);
  return event;
}

Event& TaskKeeper::AddEvent(EventType type, uint64_t boot_ns, std::shared_ptr<const TaskInfo> task) {
  Event event;
  event.type = type;
  event.boot_ns = boot_ns;
  event.wall_ns = rows_.WallNs(boot_ns);
  event.task = std::move(task);
  events_.push_back(std::move(event));
  return events_.back();
}

void TaskKeeper::UpdateUser(uint32_t uid, const SharedText& name) {
  names().LearnUser(uid, name);
  for (auto& [key, process] : table_.processes()) {
    if (process->info->uid != uid) continue;
    UpdateField(process.get(), &TaskInfo::user, name);
    if (process->standing.names_pending) process->info_changed = true;
  }
}

// Thousands of workers have their parent's texts, and say so one by one where they were there before us.
void TaskKeeper::UpdateText(Process* process, SharedText TaskInfo::*field, const std::string& text) {
  const Thread* parent = table_.FindThreadByTid(process->info->ppid);
  const bool as_parent = parent != nullptr && (*parent->process->info).*field == text;
  if (as_parent) {
    UpdateField(process, field, (*parent->process->info).*field);
  } else {
    UpdateField(process, field, text);
  }
}

void TaskKeeper::OnNames(const NameAnswer& answer) {
  const NameRequest& request = answer.request;
  if (request.user) UpdateUser(request.uid, answer.user);
  if (request.tgid == 0 || !answer.found) return;
  Process* process = table_.FindProcess(request.tgid, request.start_ns);
  if (process == nullptr) return;
  if (!process->names_read || process->standing.names_pending) process->info_changed = true;
  process->names_read = true;
  if (request.cmdline && !answer.cmdline.empty()) UpdateText(process, &TaskInfo::cmdline, answer.cmdline);
  if (request.exe && !answer.exe.empty()) UpdateText(process, &TaskInfo::exe, answer.exe);
  OnCgroup(process, answer);
}

void TaskKeeper::OnCgroup(Process* process, const NameAnswer& answer) {
  const NameRequest& request = answer.request;
  if (const CgroupIdentity* known = names().Cgroup(process->cgroup_id)) return UpdateCgroup(process, *known);
  if (!request.cgroup || request.cgroup_id != process->cgroup_id) return;  // another one by now: it is asked for anew
  UpdateCgroup(process, answer.cgroup);
  if (answer.cgroup_unified)
    read_cgroups_.push_back({request.tgid, request.start_ns, request.cgroup_id, answer.cgroup});
}

// A process may have moved between the record that told of its cgroup and the reading of its path: the pass after that
// shows it elsewhere.
void TaskKeeper::LearnCgroups() {
  for (const ReadCgroup& read : std::exchange(read_cgroups_, {})) {
    const Process* process = table_.FindProcess(read.tgid, read.start_ns);
    if (process == nullptr || process->exited || process->cgroup_id != read.cgroup_id) continue;
    if (names().Cgroup(read.cgroup_id) == nullptr) names().LearnCgroup(read.cgroup_id, read.identity);
  }
}

void TaskKeeper::OnSmaps(const SmapsAnswer& answer) {
  Process* process = table_.FindProcess(answer.tgid, answer.start_ns);
  if (process == nullptr || process->exited) return;
  process->smaps = std::make_unique<SmapsAnswer>(answer);
  process->changed = true;
  for (const auto& thread : process->threads) thread->changed = true;
}

void TaskKeeper::EndPass() {
  TakeSuccessors();
  LearnCgroups();
  if (pass_all_) RemoveUnseen();
  pass_all_ = false;
}

// Who was not seen by a pass over all has ended, and the record that said so was lost.
void TaskKeeper::RemoveUnseen() {
  for (auto& [key, process] : table_.processes()) {
    for (size_t i = process->threads.size(); i-- > 0;) {
      Thread* thread = process->threads[i].get();
      if (thread->seen_pass != pass_) Remove(thread);
    }
    if (process->threads.empty() && !process->exited) {
      End(process.get());
      Event& event = AddEvent(EventType::kGap, 0, process->info.published());
      event.detail = "ended unseen: its final record was lost";
      event.lost = 1;
    }
  }
}

}  // namespace taskmon::daemon

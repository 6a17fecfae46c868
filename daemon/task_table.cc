// SPDX-License-Identifier: Apache-2.0
#include "daemon/task_table.h"

#include <algorithm>

namespace taskmon::daemon {
namespace {

auto LowerBound(std::vector<std::unique_ptr<Thread>>& threads, int32_t tid) {
  return std::lower_bound(threads.begin(), threads.end(), tid,
                          [](const std::unique_ptr<Thread>& t, int32_t value) { return t->key.tid < value; });
}

}  // namespace

void Touch(Process* process, rules::Occasion occasion, uint64_t boot_ns) {
  process->info_changed = true;
  if (process->occasion == rules::Occasion::kExec) return;
  process->occasion = occasion;
  process->occasion_boot_ns = boot_ns;
}

void Process::Identify(int32_t tgid, uint64_t start_ns) {
  TaskInfo& next = info.Edit();
  next.key = {start_ns, tgid, false};
  next.tgid = tgid;
  next.process_start_ns = start_ns;
}

const Counters& Process::total() const {
  static const Counters none = {};
  if (own_total != nullptr) return *own_total;
  return threads.empty() ? none : threads.front()->counters;
}

Counters& Process::OwnTotal() {
  if (own_total == nullptr) own_total = std::make_unique<Counters>(total());
  return *own_total;
}

void SetCounters(Thread* thread, const Counters& counters) {
  if (Counters* total = thread->process->own_total.get()) {
    Subtract(*total, thread->counters);
    Add(*total, counters);
  }
  thread->counters = counters;
}

Process* TaskTable::FindProcess(int32_t tgid, uint64_t start_ns) {
  auto it = processes_.find({tgid, start_ns});
  return it == processes_.end() ? nullptr : it->second.get();
}

Process* TaskTable::AddProcess(int32_t tgid, uint64_t start_ns) {
  auto process = std::make_unique<Process>();
  process->Identify(tgid, start_ns);
  Process* raw = process.get();
  processes_[{tgid, start_ns}] = std::move(process);
  return raw;
}

void TaskTable::RemoveProcess(Process* process) {
  for (const auto& thread : process->threads) Unindex(thread.get());
  processes_.erase({process->tgid(), process->start_ns()});
}

Thread* TaskTable::FindThread(int32_t tid, uint64_t start_ns) {
  Thread* thread = FindThreadByTid(tid);
  while (thread != nullptr && thread->key.start_ns != start_ns) thread = thread->older;
  return thread;
}

Thread* TaskTable::FindThreadByTid(int32_t tid) {
  auto it = threads_.find(tid);
  return it == threads_.end() ? nullptr : it->second;
}

Thread* TaskTable::AddThread(Process* process, int32_t tid, uint64_t start_ns) {
  auto owned = std::make_unique<Thread>();
  Thread* thread = owned.get();
  thread->key = {start_ns, tid, true};
  thread->process = process;
  if (!process->threads.empty()) process->OwnTotal();
  process->threads.insert(LowerBound(process->threads, tid), std::move(owned));
  Index(thread);
  return thread;
}

void TaskTable::RemoveThread(Thread* thread) {
  Unindex(thread);
  thread->process->OwnTotal();  // what it did stays
  auto& threads = thread->process->threads;
  auto it = std::find_if(LowerBound(threads, thread->key.tid), threads.end(),
                         [&](const std::unique_ptr<Thread>& t) { return t.get() == thread; });
  if (it != threads.end()) threads.erase(it);
}

void TaskTable::Index(Thread* thread) {
  thread->older = std::exchange(threads_[thread->key.tid], thread);
  ++thread_count_;
}

void TaskTable::Unindex(Thread* thread) {
  const auto it = threads_.find(thread->key.tid);
  Thread** link = &it->second;
  while (*link != thread) link = &(*link)->older;
  *link = thread->older;
  if (it->second == nullptr) threads_.erase(it);
  --thread_count_;
}

}  // namespace taskmon::daemon

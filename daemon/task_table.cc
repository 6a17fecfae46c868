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
  auto it = threads_.find(TaskKey{start_ns, tid, true});
  return it == threads_.end() ? nullptr : it->second;
}

Thread* TaskTable::FindThreadByTid(int32_t tid) {
  auto it = by_tid_.find(tid);
  return it == by_tid_.end() ? nullptr : it->second;
}

Thread* TaskTable::AddThread(Process* process, int32_t tid, uint64_t start_ns) {
  auto owned = std::make_unique<Thread>();
  Thread* thread = owned.get();
  thread->key = {start_ns, tid, true};
  thread->process = process;
  process->threads.insert(LowerBound(process->threads, tid), std::move(owned));
  Index(thread);
  return thread;
}

void TaskTable::RemoveThread(Thread* thread) {
  Unindex(thread);
  auto& threads = thread->process->threads;
  auto it = std::find_if(LowerBound(threads, thread->key.tid), threads.end(),
                         [&](const std::unique_ptr<Thread>& t) { return t.get() == thread; });
  if (it != threads.end()) threads.erase(it);
}

void TaskTable::Index(Thread* thread) {
  threads_[thread->key] = thread;
  by_tid_[thread->key.tid] = thread;
}

void TaskTable::Unindex(Thread* thread) {
  if (auto it = threads_.find(thread->key); it != threads_.end() && it->second == thread) threads_.erase(it);
  if (auto it = by_tid_.find(thread->key.tid); it != by_tid_.end() && it->second == thread) by_tid_.erase(it);
}

}  // namespace taskmon::daemon

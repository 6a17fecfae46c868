// SPDX-License-Identifier: Apache-2.0
//
// Keeps the task table true to what the kernel's records, /proc and smaps say, and notes what happens as events. Pure;
// owned by SampleBuilder, on the sampler's thread.
//
// Identity is (tid, start time): a reused number is another task. What a thread does is in its process's total at
// once, and stays there when it ends, so that the totals of a process never fall.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bpf/taskmon_abi.h"
#include "daemon/names.h"
#include "daemon/row_maker.h"
#include "daemon/smaps_reader.h"
#include "daemon/task_table.h"
#include "storage/sample.h"

namespace taskmon::daemon {

class TaskKeeper {
 public:
  explicit TaskKeeper(RowMaker::Options options) : admission_(options.admission), rows_(std::move(options)) {}

  void OnRing(const tm_record_header& header);
  void BeginPass(bool all) {
    ++pass_;
    pass_all_ = all;
  }
  void OnTask(const tm_task_record& record);
  void OnNames(const NameAnswer& answer);
  void OnSmaps(const SmapsAnswer& answer);
  // Connections that were open before a hook could see them: TM_TASK_TCP_USED, TM_TASK_UDP_USED.
  void OnConnections(int32_t tgid, uint64_t start_ns, uint32_t used_flags, uint64_t boot_ns);
  // The kernel side leaves the process out from now on: it is no more of ours.
  void Leave(Process* process);
  // After the ring was drained once more.
  void EndPass();

  Event& AddEvent(EventType type, uint64_t boot_ns, std::shared_ptr<const TaskInfo> task);
  size_t event_count() const { return events_.size(); }
  // In the order in which they happened.
  std::vector<Event> TakeEvents() { return std::exchange(events_, {}); }

  RowMaker& rows() { return rows_; }
  KnownNames& names() { return rows_.names(); }
  TaskTable& table() { return table_; }
  const TaskTable& table() const { return table_; }
  uint64_t pass() const { return pass_; }
  // CPU time that all tasks, live and dead, were seen to spend since the first tick, ns.
  uint64_t accounted_runtime_ns() const { return accounted_runtime_ns_; }

 private:
  void OnFork(const tm_fork_record& record);
  void OnLateFork(const tm_fork_record& record, Thread* thread);
  void OnExec(const tm_exec_record& record);
  void OnRename(const tm_rename_record& record);
  void OnFinal(const tm_task_record& record);
  void OnOom(const tm_oom_record& record);
  void OnZombie(Process* process, const tm_task_record& record);

  void NoteDecision(Process* process, const tm_decision& decision);
  void End(Process* process);
  Process* ProcessOf(const tm_task_record& record);
  Process* BirthOf(const tm_fork_record& record);
  Thread* ThreadOf(Process* process, const tm_identity& id);
  void UpdateThread(Thread* thread, const tm_task_record& record);
  void UpdateProcess(Process* process, const tm_task_record& record);
  struct Owner {
    int32_t ppid;
    uint32_t uid;
    uint32_t gid;
    uint64_t cgroup_id;
  };
  void UpdateOwner(Process* process, const Owner& owner, uint64_t boot_ns);
  void UpdateText(Process* process, SharedText TaskInfo::*field, const std::string& text);
  void OnCgroup(Process* process, const NameAnswer& answer);
  void LearnCgroups();
  void UpdateUser(uint32_t uid, const SharedText& name);
  void Remove(Thread* thread);
  void FinishProcess(Process* process, const tm_task_record& record);
  void EndThread(Thread* thread, uint64_t boot_ns, int32_t wait_status, const std::string& detail);
  void LeaveLine(Thread* leader, const tm_task_record& record);
  void Succeed(Process* process, Thread* caller, uint64_t boot_ns);
  void TakeSuccessors();
  void RemoveUnseen();
  Event& AddExit(uint64_t boot_ns, uint64_t start_ns, int32_t wait_status,
                 std::shared_ptr<const TaskSample> final_sample);

  rules::Admission* admission_;  // may be null
  RowMaker rows_;
  TaskTable table_;
  std::vector<Event> events_;
  struct ReadCgroup {
    int32_t tgid;
    uint64_t start_ns;
    uint64_t cgroup_id;
    CgroupIdentity identity;
  };
  std::vector<ReadCgroup> read_cgroups_;    // since the pass before
  std::vector<tm_task_record> successors_;  // of this pass, in lines of which nothing is known
  uint64_t pass_ = 0;
  bool pass_all_ = false;
  uint64_t accounted_runtime_ns_ = 0;
};

}  // namespace taskmon::daemon

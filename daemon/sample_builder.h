// SPDX-License-Identifier: Apache-2.0
//
// Turns kernel records into snapshots and events. Pure: no clock, no file, no kernel; driven by the sampler thread, or
// by a test with records made by hand.
//
// One tick: OnRing* -> BeginPass -> OnTask* -> OnRing* -> EndTick. Ring records may come at any moment between ticks.
// Identity is (tid, start time): a reused number is another task. A thread that ends is folded into its process at the
// moment its final record arrives, so that the totals of a process never fall.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bpf/taskmon_abi.h"
#include "daemon/metric_sources.h"
#include "daemon/names.h"
#include "daemon/smaps_reader.h"
#include "daemon/task_table.h"
#include "storage/sample.h"

namespace taskmon::daemon {

class SampleBuilder {
 public:
  struct Options {
    std::string boot_id;
    int64_t memory_total_bytes = 0;
  };

  struct Result {
    std::shared_ptr<const Snapshot> snapshot;
    std::vector<Event> events;  // in the order in which they happened
    std::vector<NameRequest> requests;
  };

  explicit SampleBuilder(Options options) : options_(std::move(options)) {}

  // Which hook groups fill their counters from now on.
  void SetAttached(HookGroups attached) { attached_ = attached; }
  // wall clock = boot clock + offset; taken anew at every tick.
  void SetWallOffset(int64_t offset_ns) { wall_offset_ns_ = offset_ns; }

  void OnRing(const tm_record_header& header);
  void BeginPass(bool all);
  void OnTask(const tm_task_record& record);
  // What /proc and the user database say, whenever the answer comes.
  void OnNames(const NameAnswer& answer);
  void OnSmaps(const SmapsAnswer& answer);

  // Closes the tick. `lost_records` of the tick makes a gap event.
  Result EndTick(const Tick& tick);

  // Living processes that have an address space.
  std::vector<SmapsTarget> SmapsTargets() const;

  // CPU time that all tasks, live and dead, were seen to spend since the first tick, ns.
  uint64_t accounted_runtime_ns() const { return accounted_runtime_ns_; }
  size_t thread_count() const { return table_.thread_count(); }
  size_t process_count() const { return table_.processes().size(); }

 private:
  void OnFork(const tm_fork_record& record);
  void OnExec(const tm_exec_record& record);
  void OnRename(const tm_rename_record& record);
  void OnFinal(const tm_task_record& record);
  void OnOom(const tm_oom_record& record);

  Process* ProcessOf(const tm_task_record& record);
  Thread* ThreadOf(Process* process, const tm_identity& id);
  void UpdateThread(Thread* thread, const tm_task_record& record);
  void UpdateProcess(Process* process, const tm_task_record& record);
  void UpdateOwner(Process* process, int32_t ppid, uint32_t uid, uint32_t gid, uint64_t cgroup_id);
  void Fold(Thread* thread);
  void FinishProcess(Process* process, const tm_task_record& record);
  void EndThread(Thread* thread, uint64_t boot_ns, int32_t wait_status, const std::string& detail);
  void LeaveLine(Process* process, Thread* leader, const tm_task_record& record);
  void Succeed(Process* process, Thread* caller, uint64_t boot_ns);
  void OnZombie(Process* process, const tm_task_record& record);

  std::shared_ptr<const TaskInfo> ProcessInfo(Process* process);
  std::shared_ptr<const TaskInfo> ThreadInfo(Thread* thread);
  // tick_seq 0: of a final record.
  void BuildProcessSample(Process* process, uint64_t tick_seq);
  void BuildThreadSample(Thread* thread, uint64_t tick_seq);
  void FillHitPercent(const Counters& counters, uint64_t* adds, uint64_t* lookups, TaskSample* sample) const;

  Event& AddEvent(EventType type, uint64_t boot_ns, std::shared_ptr<const TaskInfo> task);
  void RemoveUnseen();
  // Bring one process or thread up to the tick and append its row.
  struct Rows {
    std::vector<std::shared_ptr<const TaskSample>> tasks;
    std::vector<NameRequest> requests;
  };
  void CloseProcess(Process* process, const Tick& tick, Rows* result);
  void CloseThread(Thread* thread, const Tick& tick, Rows* result);

  Options options_;
  HookGroups attached_;
  int64_t wall_offset_ns_ = 0;
  TaskTable table_;
  std::map<uint64_t, CgroupIdentity> cgroups_;  // by cgroup v2 id
  std::map<uint32_t, std::string> users_;       // asked for, perhaps still empty
  std::vector<uint32_t> wanted_users_;
  std::vector<Event> events_;
  uint64_t pass_ = 0;
  bool pass_all_ = false;
  bool first_tick_ = true;
  uint64_t accounted_runtime_ns_ = 0;
};

}  // namespace taskmon::daemon

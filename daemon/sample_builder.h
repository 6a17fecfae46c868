// SPDX-License-Identifier: Apache-2.0
//
// Turns kernel records into snapshots and events. Pure: no clock, no file, no kernel; driven by the sampler thread, or
// by a test with records made by hand.
//
// One tick: OnRing* -> BeginPass -> OnTask* -> OnRing* -> EndTick. Ring records may come at any moment between ticks.
// The keeper takes what comes between ticks, the row maker makes rows of it, the builder composes the tick.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bpf/taskmon_abi.h"
#include "daemon/metric_sources.h"
#include "daemon/names.h"
#include "daemon/smaps_reader.h"
#include "daemon/task_keeper.h"
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

  explicit SampleBuilder(Options options) : options_(std::move(options)), keeper_(options_.boot_id) {}

  // Which hook groups fill their counters from now on.
  void SetAttached(HookGroups attached) { keeper_.rows().SetAttached(attached); }
  // wall clock = boot clock + offset; taken anew at every tick.
  void SetWallOffset(int64_t offset_ns) { keeper_.rows().SetWallOffset(offset_ns); }

  void OnRing(const tm_record_header& header) { keeper_.OnRing(header); }
  void BeginPass(bool all) {
    keeper_.BeginPass();
    pass_all_ = all;
  }
  void OnTask(const tm_task_record& record) { keeper_.OnTask(record); }
  // What /proc and the user database say, whenever the answer comes.
  void OnNames(const NameAnswer& answer) { keeper_.OnNames(answer); }
  void OnSmaps(const SmapsAnswer& answer) { keeper_.OnSmaps(answer); }

  // Closes the tick. `lost_records` of the tick makes a gap event.
  Result EndTick(const Tick& tick);

  // Living processes that have an address space.
  std::vector<SmapsTarget> SmapsTargets() const;

  uint64_t accounted_runtime_ns() const { return keeper_.accounted_runtime_ns(); }
  size_t thread_count() const { return keeper_.table().thread_count(); }
  size_t process_count() const { return keeper_.table().processes().size(); }

 private:
  struct Rows {
    std::vector<std::shared_ptr<const TaskSample>> tasks;
    std::vector<NameRequest> requests;
  };
  void AskNames(Process* process, uint64_t tick_seq, std::vector<NameRequest>* requests);
  // Bring one process or thread up to the tick and append its row.
  void CloseProcess(Process* process, const Tick& tick, Rows* result);
  void CloseThread(Thread* thread, const Tick& tick, Rows* result);
  Rows CloseAll(const Tick& tick);

  Options options_;
  TaskKeeper keeper_;
  bool pass_all_ = false;
};

}  // namespace taskmon::daemon

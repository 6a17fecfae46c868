// SPDX-License-Identifier: Apache-2.0
//
// Turns kernel records into snapshots and events. Pure: no clock, no file, no kernel; driven by the sampler thread, or
// by a test with records made by hand.
//
// One tick: OnRing* -> BeginPass -> OnTask* -> OnRing* -> EndTick. Ring records may come at any moment between ticks.
// The keeper takes what comes between ticks, the row maker makes rows of it, the builder asks the rules about metrics
// and composes the tick.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bpf/kernel_rules.h"
#include "bpf/taskmon_abi.h"
#include "daemon/connection_scan.h"
#include "daemon/metric_sources.h"
#include "daemon/names.h"
#include "daemon/pre_roll.h"
#include "daemon/smaps_reader.h"
#include "daemon/stored_rows.h"
#include "daemon/task_keeper.h"
#include "storage/sample.h"

namespace taskmon::daemon {

class SampleBuilder {
 public:
  struct Options {
    std::string boot_id;
    int64_t memory_total_bytes = 0;
    const rules::AppCatalogue* apps = nullptr;  // both outlive the builder; null: see RowMaker::Options
    rules::Admission* admission = nullptr;
    bool keep_untracked = true;  // baseline "all"
    PreRoll::Options pre_roll;
  };

  struct Result {
    std::shared_ptr<const Snapshot> snapshot;  // what is shown
    std::shared_ptr<const Snapshot> stored;    // what goes into the history; the same one where nothing is left out
    std::vector<storage::PastTick> past;       // rows of stored ticks that are to be stored after all
    std::vector<Event> events;                 // in the order in which they happened
    std::vector<NameRequest> requests;
    std::vector<bpf::UserVerdict> verdicts;  // for the kernel side
  };

  explicit SampleBuilder(Options options);

  // Which hook groups fill their counters from now on.
  void SetAttached(HookGroups attached) { keeper_.rows().SetAttached(attached); }
  // wall clock = boot clock + offset; taken anew at every tick.
  void SetWallOffset(int64_t offset_ns) { keeper_.rows().SetWallOffset(offset_ns); }

  // Whether thread rows go into the history, where the rules say so.
  void SetStoreThreads(bool store) { store_threads_ = store; }

  void OnRing(const tm_record_header& header) { keeper_.OnRing(header); }
  void BeginPass(bool all) { keeper_.BeginPass(all); }
  void OnTask(const tm_task_record& record) { keeper_.OnTask(record); }
  // What /proc and the user database say, whenever the answer comes.
  void OnNames(const NameAnswer& answer) { keeper_.OnNames(answer); }
  void OnSmaps(const SmapsAnswer& answer) { keeper_.OnSmaps(answer); }

  void OnConnections(int32_t tgid, uint64_t start_ns, uint32_t used_flags, uint64_t boot_ns) {
    keeper_.OnConnections(tgid, start_ns, used_flags, boot_ns);
  }

  // Closes the tick. `lost_records` of the tick makes a gap event.
  Result EndTick(const Tick& tick);

  // Of living processes that have an address space: those wanted, by (tgid, start), and as many others as are read
  // unasked, tracked ones first, then the largest. To look for these takes a look at everybody, so they are chosen anew
  // every kSmapsChoiceTicks.
  std::vector<SmapsTarget> SmapsTargets(const std::vector<std::pair<int32_t, uint64_t>>& wanted);
  static constexpr uint64_t kSmapsChoiceTicks = 10;

  // Living processes that can have files open.
  std::vector<ProcessId> Processes() const;

  uint64_t accounted_runtime_ns() const { return keeper_.accounted_runtime_ns(); }
  // Events since the last tick.
  size_t event_count() const { return keeper_.event_count(); }
  size_t thread_count() const { return keeper_.table().thread_count(); }
  size_t process_count() const { return keeper_.table().processes().size(); }
  uint64_t tracked_threads() const { return tracked_threads_; }
  const PreRoll::Stats& pre_roll_stats() const { return pre_roll_.stats(); }
  KnownNames& names() { return keeper_.names(); }
  // A process by the number of one of its threads; null: there is none.
  const Process* FindProcess(int32_t tid);

 private:
  std::optional<SmapsTarget> SmapsTargetOf(const Process& process) const;
  void ChooseSmapsOthers();
  void AskNames(Process* process, uint64_t tick_seq, std::vector<NameRequest>* requests);
  // Bring one process or thread up to the tick.
  void CloseProcess(Process* process, const Snapshot& snapshot, Result* result);
  void CloseThread(Thread* thread, uint64_t tick_seq);
  void AskRules(Process* process, const Snapshot& snapshot);
  void NotePromotion(Process* process, bool was_tracked);
  void AnswerKernel(Process* process, std::vector<bpf::UserVerdict>* verdicts);
  TickRows CloseAll(const Snapshot& snapshot, Result* result);
  void TakeEvents(const Tick& tick, std::vector<Event>* events);

  Options options_;
  TaskKeeper keeper_;
  PreRoll pre_roll_;
  std::vector<std::pair<int32_t, uint64_t>> promoted_;  // in this tick: processes whose past is to be stored
  bool store_threads_ = true;
  uint64_t tracked_threads_ = 0;
  std::vector<std::pair<int32_t, uint64_t>> smaps_others_;
  std::optional<uint64_t> smaps_chosen_pass_;
};

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
//
// Makes the immutable infos and samples of what the task table knows. Before a process's info is made, the rules are
// asked about it: the only place where both happen. Pure; used by the builder and the keeper on the sampler's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "daemon/known_names.h"
#include "daemon/metric_sources.h"
#include "daemon/rules/admission.h"
#include "daemon/rules/app_catalogue.h"
#include "daemon/sample_draft.h"
#include "daemon/task_table.h"
#include "storage/sample.h"

namespace taskmon::daemon {

class RowMaker {
 public:
  struct Options {
    SharedText boot_id;
    const rules::AppCatalogue* apps = nullptr;  // null: no application is known
    rules::Admission* admission = nullptr;      // null: every task is tracked
  };

  explicit RowMaker(Options options) : options_(std::move(options)) {}

  // Which hook groups fill their counters from now on.
  void SetAttached(HookGroups attached) { attached_ = attached; }
  // wall clock = boot clock + offset; taken anew at every tick.
  void SetWallOffset(int64_t offset_ns) { wall_offset_ns_ = offset_ns; }

  int64_t WallNs(uint64_t boot_ns) const { return static_cast<int64_t>(boot_ns) + wall_offset_ns_; }

  // Asks the rules about a process by who it is. True when what its info says of them changed.
  bool Judge(Process* process);
  // Has the rules believe what the kernel side decided of it by a threshold, once for each decision. `row` as for
  // Admission::BelieveKernel. True as for Judge.
  bool BelieveKernel(uint64_t boot_ns, const query::Row* row, Process* process);
  KnownNames& names() { return names_; }

  // The info as of now; the one before when nothing changed.
  std::shared_ptr<const TaskInfo> ProcessInfo(Process* process);
  std::shared_ptr<const TaskInfo> ThreadInfo(Thread* thread);

  // Make a new sample with the increase since the one before. `tick_seq` 0: the task has ended.
  void MakeProcessSample(Process* process, uint64_t tick_seq);
  void MakeThreadSample(Thread* thread, uint64_t tick_seq);

 private:
  // `follows`: `before` is of the sample before, or of birth.
  void FillHitPercent(const Counters& counters, bool follows, CacheHits* before);
  void FillWaits(uint64_t off_since_ns, uint64_t iowait_since_ns);

  bool AreNamesKnown(const Process& process) const;

  Options options_;
  KnownNames names_;
  HookGroups attached_;
  int64_t wall_offset_ns_ = 0;
  SampleDraft draft_;  // the sample at work
};

}  // namespace taskmon::daemon

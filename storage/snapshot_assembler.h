// SPDX-License-Identifier: Apache-2.0
//
// Turns a TickSource into Snapshots: joins rows with their names, applies the filter, keeps the order that snapshots
// have. A row that got no update keeps the very TaskSample it had, so an idle task's tick_seq is smaller than the
// snapshot's, as it is in live snapshots. Belongs to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/chunk.h"
#include "storage/ring_reader.h"
#include "storage/tick_source.h"

namespace taskmon::storage {

class SnapshotAssembler {
 public:
  using FindInfo = std::function<absl::StatusOr<std::shared_ptr<const TaskInfo>>(int64_t task_id, int64_t info_id)>;

  SnapshotAssembler(TickSource* source, const ScanFilter& filter, std::string boot_id, FindInfo find_info)
      : source_(source), filter_(filter), boot_id_(std::move(boot_id)), find_info_(std::move(find_info)) {}

  size_t next_tick() const { return next_tick_; }
  // Goes to just before position `tick` without looking at the ones before; `chunk` is the source. Call first of all.
  absl::Status SkipTo(size_t tick, ClosedChunk* chunk);
  // Applies the next tick without making anything of it.
  absl::Status Step();
  // The world as of the tick stepped to last.
  absl::StatusOr<Snapshot> Build();

 private:
  struct Slot {
    std::shared_ptr<const TaskInfo> info;
    std::shared_ptr<const TaskSample> sample;
    int64_t info_id = 0;
    bool present = false;
    bool shown = false;  // passes the filter
    bool stale = false;  // `sample` is older than the row
  };
  absl::Status Update(uint32_t row);
  void Reorder();
  bool Passes(const TaskInfo& info) const;
  std::shared_ptr<const TaskSample> Materialize(uint32_t row) const;

  TickSource* source_;
  const ScanFilter filter_;
  const std::string boot_id_;
  const FindInfo find_info_;
  size_t next_tick_ = 0;
  StepChanges changes_;
  std::vector<Slot> slots_;      // by row
  std::vector<uint32_t> order_;  // rows shown, in snapshot order but for `newcomers_`
  std::vector<uint32_t> newcomers_;
  bool left_ = false;      // some of order_ are present no more
  bool shuffled_ = false;  // names changed, and names decide the order
};

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
//
// What readers make of a chunk: its ticks as snapshots.
#pragma once

#include "storage/snapshot_assembler.h"

namespace taskmon::storage {

// As the table of names: number 0 is nobody's.
inline absl::StatusOr<std::shared_ptr<const TaskInfo>> AnyNames(int64_t task, int64_t names) {
  if (names == 0) return Damaged("names");
  auto info = std::make_shared<TaskInfo>();
  info->key.tid = static_cast<int32_t>(task);
  info->comm = "task";
  return info;
}

inline void AssembleAll(TickSource* source) {
  SnapshotAssembler assembler(source, {}, "boot", AnyNames);
  for (size_t tick = 0; tick < source->ticks().size() && assembler.Step().ok(); ++tick) {
    const absl::StatusOr<Snapshot> snapshot = assembler.Build();
    if (!snapshot.ok()) return;
    for (const auto& task : snapshot->tasks) {
      if (task->info == nullptr) __builtin_trap();
    }
  }
}

}  // namespace taskmon::storage

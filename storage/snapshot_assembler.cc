// SPDX-License-Identifier: Apache-2.0
#include "storage/snapshot_assembler.h"

#include <algorithm>

namespace taskmon::storage {
bool SnapshotAssembler::Passes(const TaskInfo& info) const {
  return (filter_.tid == 0 || info.key.tid == filter_.tid) &&
         (!filter_.thread.has_value() || info.key.thread == *filter_.thread);
}

absl::Status SnapshotAssembler::Update(uint32_t row) {
  if (row >= slots_.size()) slots_.resize(row + 1);
  Slot& slot = slots_[row];
  const int64_t info_id = source_->row(row).info_id;
  if (slot.info == nullptr || slot.info_id != info_id) {
    absl::StatusOr<std::shared_ptr<const TaskInfo>> info = find_info_(source_->row(row).task_id, info_id);
    if (!info.ok()) return info.status();
    slot.info = *std::move(info);
    slot.info_id = info_id;
    shuffled_ = shuffled_ || slot.present;
  }
  if (!slot.present) {
    slot.present = true;
    slot.shown = Passes(*slot.info);
    if (slot.shown) newcomers_.push_back(row);
  }
  slot.stale = true;
  return absl::OkStatus();
}

absl::Status SnapshotAssembler::SkipTo(size_t tick, ClosedChunk* chunk) {
  next_tick_ = tick;
  return chunk->SkipTo(static_cast<uint32_t>(tick));
}

absl::Status SnapshotAssembler::Step() {
  absl::Status status = source_->Step(&changes_);
  if (!status.ok()) return status;
  ++next_tick_;
  for (uint32_t row : changes_.gone) {
    slots_[row] = Slot();
    left_ = true;
  }
  for (uint32_t row : changes_.updated) {
    status = Update(row);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

void SnapshotAssembler::Reorder() {
  const auto before = [&](uint32_t a, uint32_t b) { return InSnapshotOrder(*slots_[a].info, *slots_[b].info); };
  const auto is_gone = [&](uint32_t row) { return !slots_[row].present; };
  if (left_) {
    std::erase_if(order_, is_gone);
    std::erase_if(newcomers_, is_gone);
  }
  const auto middle = static_cast<std::ptrdiff_t>(order_.size());
  order_.insert(order_.end(), newcomers_.begin(), newcomers_.end());
  if (shuffled_) {
    std::sort(order_.begin(), order_.end(), before);
  } else if (!newcomers_.empty()) {
    std::sort(order_.begin() + middle, order_.end(), before);
    std::inplace_merge(order_.begin(), order_.begin() + middle, order_.end(), before);
  }
  newcomers_.clear();
  left_ = shuffled_ = false;
}

std::shared_ptr<const TaskSample> SnapshotAssembler::Materialize(uint32_t row) const {
  auto sample = std::make_shared<TaskSample>(source_->row(row).sample);
  sample->info = slots_[row].info;
  sample->valid &= filter_.metrics;
  return sample;
}

absl::StatusOr<Snapshot> SnapshotAssembler::Build() {
  Reorder();
  const TickHeader& header = source_->ticks()[next_tick_ - 1];
  Snapshot snapshot;
  snapshot.tick = header.tick;
  snapshot.boot_id = boot_id_;
  snapshot.memory_total_bytes = header.memory_total_bytes;
  snapshot.tasks.reserve(order_.size());
  for (uint32_t row : order_) {
    Slot& slot = slots_[row];
    if (slot.stale) slot.sample = Materialize(row);
    slot.stale = false;
    snapshot.tasks.push_back(slot.sample);
  }
  return snapshot;
}

}  // namespace taskmon::storage

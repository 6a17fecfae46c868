// SPDX-License-Identifier: Apache-2.0
#include "daemon/pre_roll.h"

#include <algorithm>
#include <map>

namespace taskmon::daemon {
namespace {

constexpr uint64_t kRowBytes = sizeof(TaskSample) + sizeof(std::shared_ptr<const TaskSample>) + 32;

// One task on its way through the ticks.
struct Track {
  std::shared_ptr<const TaskSample> latest;
  uint64_t last_news_seq = 0;  // its last row with news; after that it is idle, or gone
};

bool BelongsTo(const TaskSample& row, const std::pair<int32_t, uint64_t>& process) {
  return row.info->tgid == process.first && row.info->process_start_ns == process.second;
}

}  // namespace

void PreRoll::DropOldest() {
  stats_.bytes -= ticks_.front().rows.size() * kRowBytes;
  ticks_.pop_front();
}

void PreRoll::Add(const Tick& tick, const std::vector<std::shared_ptr<const TaskSample>>& rows) {
  if (options_.max_bytes == 0) return;
  while (!ticks_.empty() && tick.boot_ns - ticks_.front().boot_ns > options_.max_age_ns) DropOldest();
  Kept kept{.seq = tick.seq, .boot_ns = tick.boot_ns};
  for (const auto& row : rows) {
    if (row->tick_seq == tick.seq) kept.rows.push_back(row);
  }
  stats_.bytes += kept.rows.size() * kRowBytes;
  ticks_.push_back(std::move(kept));
  while (!ticks_.empty() && stats_.bytes > options_.max_bytes) {
    stats_.rows_given_up += ticks_.front().rows.size();
    DropOldest();
  }
  while (ticks_.size() > storage::RingWriter::kMaxPastTicks) DropOldest();
  stats_.ticks = ticks_.size();
}

std::vector<storage::PastTick> PreRoll::Take(const std::vector<std::pair<int32_t, uint64_t>>& processes) {
  std::map<uint64_t, storage::PastTick> past;  // by tick
  for (const auto& process : processes) {
    std::map<TaskKey, Track> tracks;
    auto rows_of = [&](const Kept& kept) {
      auto less = [](const std::shared_ptr<const TaskSample>& row, int32_t tgid) { return row->info->tgid < tgid; };
      return std::lower_bound(kept.rows.begin(), kept.rows.end(), process.first, less);
    };
    for (const Kept& kept : ticks_) {
      for (auto row = rows_of(kept); row != kept.rows.end() && (*row)->info->tgid == process.first; ++row) {
        if (BelongsTo(**row, process)) tracks[(*row)->info->key].last_news_seq = kept.seq;
      }
    }
    for (const Kept& kept : ticks_) {
      for (auto row = rows_of(kept); row != kept.rows.end() && (*row)->info->tgid == process.first; ++row) {
        if (BelongsTo(**row, process)) tracks[(*row)->info->key].latest = *row;
      }
      for (const auto& [key, track] : tracks) {
        if (track.latest == nullptr || kept.seq > track.last_news_seq) continue;
        storage::PastTick& tick = past[kept.seq];
        tick.seq = kept.seq;
        tick.tasks.push_back(track.latest);
      }
    }
    if (!tracks.empty()) ++stats_.promotions;
  }
  std::vector<storage::PastTick> ticks;
  for (auto& [seq, tick] : past) {
    stats_.rows_taken += tick.tasks.size();
    ticks.push_back(std::move(tick));
  }
  return ticks;
}

}  // namespace taskmon::daemon

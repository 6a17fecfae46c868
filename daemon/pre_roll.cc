// SPDX-License-Identifier: Apache-2.0
#include "daemon/pre_roll.h"

#include <map>
#include <set>

namespace taskmon::daemon {
namespace {

constexpr size_t kMostRowsTaken = 100'000;  // at once: an edit can promote everybody
constexpr uint64_t kOverheadBytes = sizeof(std::shared_ptr<const TaskSample>) + 48;  // the allocator's with it

// One task on its way through the ticks.
struct Track {
  std::shared_ptr<const TaskSample> latest;
  uint64_t last_news_seq = 0;  // its last row with news; after that it is idle, or gone
};

}  // namespace

void PreRoll::DropOldest() {
  stats_.bytes -= ticks_.front().bytes;
  ticks_.pop_front();
}

void PreRoll::Add(const Tick& tick, const std::vector<std::shared_ptr<const TaskSample>>& rows) {
  if (options_.max_bytes == 0) return;
  while (!ticks_.empty() && tick.boot_ns - ticks_.front().boot_ns > options_.max_age_ns) DropOldest();
  Kept kept{.seq = tick.seq, .boot_ns = tick.boot_ns};
  for (const auto& row : rows) {
    if (row->tick_seq != tick.seq) continue;
    kept.rows.push_back(row);
    kept.bytes += BytesOf(*row) + kOverheadBytes;
  }
  stats_.bytes += kept.bytes;
  ticks_.push_back(std::move(kept));
  while (!ticks_.empty() && stats_.bytes > options_.max_bytes) {
    stats_.rows_given_up += ticks_.front().rows.size();
    DropOldest();
  }
  while (ticks_.size() > storage::RingWriter::kMaxPastTicks) DropOldest();
  stats_.ticks = ticks_.size();
}

std::vector<storage::PastTick> PreRoll::Take(const std::vector<std::pair<int32_t, uint64_t>>& processes) {
  if (processes.empty()) return {};
  const std::set<std::pair<int32_t, uint64_t>> wanted(processes.begin(), processes.end());
  auto is_wanted = [&wanted](const TaskSample& row) {
    return wanted.contains({row.info->tgid, row.info->process_start_ns});
  };
  std::map<TaskKey, Track> tracks;
  for (const Kept& kept : ticks_) {
    for (const auto& row : kept.rows) {
      if (is_wanted(*row)) tracks[row->info->key].last_news_seq = kept.seq;
    }
  }
  std::vector<storage::PastTick> past;
  size_t room = kMostRowsTaken;
  for (const Kept& kept : ticks_) {
    for (const auto& row : kept.rows) {
      if (is_wanted(*row)) tracks[row->info->key].latest = row;
    }
    storage::PastTick tick{.seq = kept.seq};
    for (const auto& [key, track] : tracks) {
      if (track.latest == nullptr || kept.seq > track.last_news_seq) continue;
      if (room == 0) {
        ++stats_.rows_given_up;
        continue;
      }
      --room;
      tick.tasks.push_back(track.latest);
    }
    if (!tick.tasks.empty()) past.push_back(std::move(tick));
  }
  stats_.promotions += wanted.size();
  stats_.rows_taken += kMostRowsTaken - room;
  return past;
}

}  // namespace taskmon::daemon

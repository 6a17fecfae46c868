// SPDX-License-Identifier: Apache-2.0
#include "storage/supplement.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace taskmon::storage {
namespace {

using Rows = std::vector<std::shared_ptr<const TaskSample>>;

// Both in snapshot order; where both have a task, that of `more` stays.
Rows Merged(const Rows& base, const Rows& more) {
  Rows merged;
  merged.reserve(base.size() + more.size());
  auto next = base.begin();
  for (const auto& row : more) {
    while (next != base.end() && (*next)->info->key != row->info->key && InSnapshotOrder(*(*next)->info, *row->info)) {
      merged.push_back(*next++);
    }
    if (next != base.end() && (*next)->info->key == row->info->key) ++next;
    merged.push_back(row);
  }
  std::copy(next, base.end(), std::back_inserter(merged));
  return merged;
}

}  // namespace

void Supplement::Add(ClosedChunk chunk) { sources_.emplace_back(std::move(chunk), filter_, boot_id_, names_); }

absl::Status Supplement::Merge(Snapshot* snapshot) {
  for (Source& source : sources_) {
    const std::vector<TickHeader>& ticks = source.chunk.ticks();
    size_t next = source.assembler.next_tick();
    if (next >= ticks.size() || ticks[next].tick.seq > snapshot->tick.seq) continue;
    while (next < ticks.size() && ticks[next].tick.seq <= snapshot->tick.seq) {
      absl::Status status = source.assembler.Step();
      if (!status.ok()) return status;
      ++next;
    }
    if (ticks[next - 1].tick.seq != snapshot->tick.seq) continue;
    absl::StatusOr<Snapshot> rows = source.assembler.Build();
    if (!rows.ok()) return rows.status();
    snapshot->tasks = Merged(snapshot->tasks, rows->tasks);
  }
  return absl::OkStatus();
}

}  // namespace taskmon::storage

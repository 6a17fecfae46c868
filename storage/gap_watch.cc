// SPDX-License-Identifier: Apache-2.0
#include "storage/gap_watch.h"

#include <utility>

namespace taskmon::storage {

void GapWatch::Pass(const Tick& tick, const std::string& boot_id, const std::function<void(const Gap&)>& report) {
  const Tick before = std::exchange(last_, tick);
  const bool same_boot = any_ && boot_id == boot_id_;
  const bool first = !std::exchange(any_, true);
  boot_id_ = boot_id;
  if (!first && (!same_boot || tick.elapsed_ns == 0)) {
    report({Gap::Reason::kNotRunning, before.wall_ns, tick.wall_ns, 0});
  } else if (!first && tick.boot_ns > before.boot_ns + tick.elapsed_ns + tick.elapsed_ns / 2) {
    // Ticks of a coarser resolution are made of those that were stored, so their numbers do not tell how many were not.
    const uint64_t missing = tick.seq - before.seq - 1;
    report({Gap::Reason::kNotStored, before.wall_ns, tick.wall_ns - static_cast<int64_t>(tick.elapsed_ns), missing});
  }
  if (tick.lost_records > 0) {
    report({Gap::Reason::kLost, first ? tick.wall_ns : before.wall_ns, tick.wall_ns, tick.lost_records});
  }
}

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
#include "storage/gap_watch.h"

#include <utility>

namespace taskmon::storage {

uint64_t MissingBefore(const Tick& tick, const Tick& before) {
  // Elapsed times are differences of the same clock, so that nothing but rounding is between ticks that follow.
  constexpr uint64_t kRoundingNs = 1000000;
  const uint64_t accounted = before.boot_ns + tick.elapsed_ns + kRoundingNs;
  return tick.boot_ns > accounted ? tick.boot_ns - accounted + kRoundingNs : 0;
}

void GapWatch::Pass(const Tick& tick, const std::string& boot_id, bool folded,
                    const std::function<void(const Gap&)>& report) {
  const Tick before = std::exchange(last_, tick);
  const bool same_boot = any_ && boot_id == boot_id_;
  const bool first = !std::exchange(any_, true);
  boot_id_ = boot_id;
  if (!first && (!same_boot || tick.elapsed_ns == 0)) {
    report({Gap::Reason::kNotRunning, before.wall_ns, tick.wall_ns, 0});
  } else if (!first && MissingBefore(tick, before) > 0) {
    // Folded ticks have the number of their last one, which does not tell how many are missing.
    const uint64_t missing = folded ? 0 : tick.seq - before.seq - 1;
    report({Gap::Reason::kNotStored, before.wall_ns, tick.wall_ns - static_cast<int64_t>(tick.elapsed_ns), missing});
  }
  if (tick.lost_records > 0) {
    report({Gap::Reason::kLost, first ? tick.wall_ns : before.wall_ns, tick.wall_ns, tick.lost_records});
  }
}

}  // namespace taskmon::storage

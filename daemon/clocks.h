// SPDX-License-Identifier: Apache-2.0
//
// The clocks of the daemon in one place. All in ns.
#pragma once

#include <time.h>

#include <cstdint>

namespace taskmon::daemon {

inline uint64_t ReadClockNs(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

inline uint64_t BootNowNs() { return ReadClockNs(CLOCK_BOOTTIME); }
inline int64_t WallNowNs() { return static_cast<int64_t>(ReadClockNs(CLOCK_REALTIME)); }

}  // namespace taskmon::daemon

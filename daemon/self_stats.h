// SPDX-License-Identifier: Apache-2.0
//
// What taskmond says about itself and about its books: own CPU and memory, and how much of the CPU time that the kernel
// says was spent in tasks was seen in tasks. Fed by the sampler once a tick, read by anyone.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

namespace taskmon::daemon {

// user + nice + system of the "cpu" line of /proc/stat, ns; guest time is part of user. nullopt: unreadable.
std::optional<uint64_t> TaskCpuFromProcStat(const std::string& text);

class SelfStats {
 public:
  struct Values {
    double cpu_percent = 0;          // of one CPU, over the window
    double serving_cpu_percent = 0;  // … of that, what was no recording
    uint64_t rss_bytes = 0;
    std::optional<double> accounted_percent;  // unknown until the window holds enough CPU time
  };

  struct OwnCpu {
    uint64_t all_ns = 0;
    uint64_t recording_ns = 0;  // RecordingThread's, without answers
  };
  // So far: own CPU time, and CPU time seen in tasks.
  void OnTick(uint64_t boot_ns, OwnCpu own, uint64_t accounted_ns) ABSL_LOCKS_EXCLUDED(mutex_);
  Values Read() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  static constexpr uint64_t kWindowNs = 60ull * 1'000'000'000;
  // The kernel counts all interrupts of all CPUs for each look at /proc/stat: so few looks make up a window.
  static constexpr uint64_t kPoints = 12;

  struct Point {
    uint64_t boot_ns;
    OwnCpu own;
    uint64_t accounted_ns;
    uint64_t kernel_ns;
  };

  bool IsDue(uint64_t boot_ns) const ABSL_LOCKS_EXCLUDED(mutex_);

  mutable absl::Mutex mutex_;
  std::deque<Point> points_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
//
// What each hook costs: switches the kernel's BPF statistics on for one tick a minute (they cost some ns per run
// themselves, so never for good) and keeps, for each hook, the runs and the time seen while they were on. Sampler
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "bpf/probe.h"

namespace taskmon::daemon {

class HookMeter {
 public:
  struct Cost {
    uint64_t runs = 0;         // while measuring, since start
    double ns_per_run = 0;     // of the newest measurement with runs; 0: none yet
    double ns_per_second = 0;  // CPU time of all CPUs, newest measurement
  };

  // Called once a tick. Switches on, or off again and takes the figures.
  void OnTick(uint64_t boot_ns, bpf::Probe* probe);

  // Measures from the next tick on, out of turn, because hooks are attached or detached then. `boot_ns`: of this tick.
  void MeasureSoon(uint64_t boot_ns) { next_ns_ = boot_ns + 1; }

  // All hooks together but the iterator, whose time is taskmond's own.
  struct Sum {
    uint64_t began_boot_ns = 0;
    uint64_t taken_boot_ns = 0;
    double ns_per_second = 0;  // CPU time of all CPUs
  };
  // Of the newest measurement; nullopt: none yet, or refused.
  const std::optional<Sum>& sum() const { return sum_; }

  // By position in Probe::Hooks().
  const std::vector<Cost>& costs() const { return costs_; }
  // The kernel does not let this process measure.
  bool refused() const { return refused_; }

 private:
  static constexpr uint64_t kEveryNs = 60ull * 1'000'000'000;

  void Take(uint64_t boot_ns, const std::vector<bpf::Hook>& hooks);

  bool measuring_ = false;
  bool refused_ = false;
  uint64_t next_ns_ = 0;
  uint64_t began_ns_ = 0;
  std::vector<bpf::Hook> before_;
  std::vector<Cost> costs_;
  std::optional<Sum> sum_;
};

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
//
// Keeps taskmond within its own budget: compares what it costs with what it may, and says what to leave out when it is
// over, and when to do it again. Pure: figures and clock are handed in, nothing is applied here. Sampler's thread.
//
// Load is shed one step at a time, in the order of Shed, by what helps:
//
//   CPU         smaps, thread rows, hooks of watchers, all hooks on demand, interval x2, x4, x8
//   BPF         hooks of watchers, all hooks on demand
//   stall       smaps
//
// A window is judged as a whole, and the next step waits for a window of its own. Steps are taken back in the reverse
// order, each after the cost has been well below every limit for a hold time. A step that must be shed again soon after
// doubles that time, so that a load that stays does not make it flap.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace taskmon::daemon {

enum class Shed : uint8_t {
  kSmaps,         // values of smaps are not read
  kThreadRows,    // thread rows are not stored
  kWatchedHooks,  // hooks that only watchers want are detached
  kHooks,         // … all of them but the life cycle's
  kInterval2,     // a tick every two intervals
  kInterval4,
  kInterval8,
};
inline constexpr size_t kSheds = 7;

class SelfControl {
 public:
  struct Options {
    // Limits; 0: none.
    double cpu_percent = 0;  // of one CPU: user and system time of the threads that record
    double bpf_percent = 0;  // of all CPUs: run time of the hooks in other tasks
    uint64_t stall_ns = 0;   // per second, inflicted on others by reading smaps
    uint64_t window_ns = 10'000'000'000;
    std::bitset<kSheds> pointless;  // steps that would change nothing here
  };

  struct BpfCost {
    uint64_t taken_boot_ns = 0;  // when the measurement ended …
    uint64_t began_boot_ns = 0;  // … and began
    double percent = 0;
  };

  // What taskmond has used since it began.
  struct Usage {
    uint64_t boot_ns = 0;
    uint64_t cpu_ns = 0;
    uint64_t stall_ns = 0;
    std::optional<BpfCost> bpf;  // the newest measurement; nullopt: none, or the kernel does not let us measure
  };

  enum class Resource { kCpu, kBpf, kStall };

  struct Change {
    Shed step;
    bool shed = true;  // false: taken back
    // Shed only: what was over, and by how much.
    Resource resource = Resource::kCpu;
    double used = 0;  // in the limit's unit
    double limit = 0;
  };

  // Of the newest window.
  struct Figures {
    double cpu_percent = 0;
    std::optional<double> bpf_percent;
    double stall_ns = 0;
    std::vector<Shed> shed;  // in the order in which it was
    uint64_t times_shed = 0;
    uint32_t interval_factor = 1;  // in force from the next tick on
  };

  explicit SelfControl(Options options);

  // Once a tick. At most one step is taken, or taken back.
  std::optional<Change> OnTick(const Usage& usage);

  bool IsShed(Shed step) const { return shed_.test(static_cast<size_t>(step)); }
  uint32_t interval_factor() const;
  const Figures& figures() const { return figures_; }
  const Options& options() const { return options_; }

 private:
  struct Over {
    Resource resource;
    double used;
    double limit;
  };

  std::vector<Over> Judge() const;
  std::optional<Change> ShedOne(const std::vector<Over>& over, uint64_t now_ns);
  std::optional<Change> TakeBack(uint64_t now_ns);
  bool IsCalm() const;
  void Measure(const Usage& usage);

  const Options options_;
  std::bitset<kSheds> shed_;
  Figures figures_;
  std::optional<Usage> window_begin_;
  bool bpf_is_new_ = false;        // measured with the hooks as they are now, and not judged yet
  uint64_t hooks_changed_ns_ = 0;  // one that did not begin later says nothing of the hooks as they are now
  uint64_t bpf_judged_ns_ = 0;
  uint64_t hold_ns_;
  uint64_t calm_since_ns_ = 0;  // 0: it is not
  uint64_t taken_back_ns_ = 0;  // the last time; 0: never, or it has proved right
};

// "smaps", "thread rows", "hooks of watchers", "hooks", "interval x2"…
std::string ShedName(Shed step);
// For people, as the detail of an event: what is left out, and what was over.
std::string ChangeText(const SelfControl::Change& change);

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
//
// Who wants which hook group: the configuration for good, rules while they are enabled, watchers for as long as they
// watch and a little longer, so that a client that asks again and again does not attach and detach all the time.
// Watchers come on gRPC threads, the sampler sets the rules and asks at each tick.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "bpf/taskmon_abi.h"
#include "daemon/metric_sources.h"
#include "storage/sample.h"

namespace taskmon::daemon {

// The hook groups that fill these metrics.
HookGroups GroupsOf(const MetricSet& metrics);

class HookDemand {
 public:
  static constexpr uint64_t kLingerNs = 10ull * 1'000'000'000;

  explicit HookDemand(HookGroups configured) : configured_(configured) {}

  // A claim of one watcher; given back when it is destroyed.
  class Claim {
   public:
    Claim() = default;
    Claim(HookDemand* demand, HookGroups groups) : demand_(demand), groups_(groups) { demand_->Change(groups_, +1); }
    Claim(Claim&& other) noexcept : demand_(std::exchange(other.demand_, nullptr)), groups_(other.groups_) {}
    Claim& operator=(Claim&&) = delete;
    ~Claim() {
      if (demand_ != nullptr) demand_->Change(groups_, -1);
    }

   private:
    HookDemand* demand_ = nullptr;
    HookGroups groups_;
  };

  Claim Watch(const MetricSet& metrics) { return Claim(this, GroupsOf(metrics)); }

  // What the enabled rules want, by the name of the rule, in order.
  struct RuleWish {
    std::string rule;
    HookGroups groups;
  };
  void SetRules(const std::vector<RuleWish>& wishes) ABSL_LOCKS_EXCLUDED(mutex_);

  // What is not attached although somebody wants it, because taskmond is over its budget. The life cycle always is.
  enum class Shed { kNothing, kWatched, kAll };
  void SetShed(Shed shed) ABSL_LOCKS_EXCLUDED(mutex_);

  // What should be attached now. The life cycle always is.
  HookGroups Wanted(uint64_t now_ns) ABSL_LOCKS_EXCLUDED(mutex_);

  // "shed: over the budget", "wanted by kernel.hooks", "wanted by rule web and 2 more", "wanted by 2 watchers", "not
  // wanted"…
  std::string Reason(tm_hook_group group) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Change(HookGroups groups, int by) ABSL_LOCKS_EXCLUDED(mutex_);
  // By the configuration or a rule, so not by watchers alone.
  bool IsStanding(int group) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsShed(int group) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const HookGroups configured_;
  struct RuleWishes {
    std::string first;  // rule
    int count = 0;
  };

  mutable absl::Mutex mutex_;
  Shed shed_ ABSL_GUARDED_BY(mutex_) = Shed::kNothing;
  std::array<RuleWishes, TM_HOOK_GROUP_MAX> rules_ ABSL_GUARDED_BY(mutex_);
  std::array<int, TM_HOOK_GROUP_MAX> watchers_ ABSL_GUARDED_BY(mutex_) = {};
  std::array<uint64_t, TM_HOOK_GROUP_MAX> wanted_until_ns_ ABSL_GUARDED_BY(mutex_) = {};
};

}  // namespace taskmon::daemon

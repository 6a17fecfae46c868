// SPDX-License-Identifier: Apache-2.0
//
// Puts rules in force: takes the newest set from the book, gives it to the admission, the push-down plan of it to the
// kernel side, and what it wants collected to the hook demand. Sampler's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "bpf/probe.h"
#include "daemon/hook_demand.h"
#include "daemon/known_names.h"
#include "daemon/rules/admission.h"
#include "daemon/rules/push_down.h"
#include "daemon/rules/rule_book.h"

namespace taskmon::daemon {

// The hook groups that a rule wants attached: those of its metric groups if it tracks, and of what its expression
// reads.
HookGroups HooksOf(const rules::CheckedRule& rule);

class RuleDriver {
 public:
  struct Parts {  // all outlive it
    const rules::RuleBook* book;
    rules::Admission* admission;
    HookDemand* demand;
  };

  RuleDriver(Parts parts, bool send_unwanted) : parts_(parts), send_unwanted_(send_unwanted) {}

  // Before a pass. `names` are what tests on cgroups and users are resolved by. Without a probe the kernel side is told
  // with the next call that has one.
  void Update(const KnownNames& names, uint64_t boot_ns, bpf::Probe* probe);

 private:
  void TakeRules(rules::RuleSetPtr set);
  bool HasNewFacts(const KnownNames& names) const;
  void TellKernel(const KnownNames& names, bpf::Probe* probe);

  const Parts parts_;
  const bool send_unwanted_;
  rules::RuleSetPtr set_;
  rules::FactsWanted facts_wanted_;
  uint64_t cgroups_version_ = 0;
  uint64_t users_version_ = 0;
  uint32_t kernel_version_ = 0;
  uint64_t told_boot_ns_ = 0;
  bpf::KernelRules plan_;  // that the kernel side was told last
  bool told_ = false;      // it has the newest rules
  bool failing_ = false;   // told once
};

}  // namespace taskmon::daemon

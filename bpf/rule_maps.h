// SPDX-License-Identifier: Apache-2.0
//
// The user side of the rules in the kernel: lays KernelRules out as rules_abi.h has it, puts a set in force, and passes
// verdicts on. Owned by the probe; the sampler thread only.
//
// A set that is being made is reachable by nobody: its maps are new, and the half of tm_rules that it goes to is out of
// force. A program that has read the index just before a set went out of force may run on for a moment, so Set ends by
// waiting for all of those.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <absl/status/status.h>

#include "bpf/kernel_rules.h"
#include "bpf/rules_abi.h"

namespace taskmon::bpf {

class RuleMaps {
 public:
  struct Fds {
    int keys;      // tm_rule_keys
    int prefixes;  // tm_rule_prefixes
    int verdicts;  // tm_verdicts
    int sent;      // tm_sent
    int left_out;  // tm_left_out
  };

  // `shared` is the kernel's own tm_rules, `waiting` its tm_verdicts_waiting; both, and the maps, outlive this.
  RuleMaps(const Fds& fds, tm_rules* shared, uint32_t* waiting) : fds_(fds), shared_(shared), waiting_(waiting) {}

  // As Probe::SetRules. `epoch` is the open one.
  absl::Status Set(const KernelRules& rules, uint32_t epoch);

  // As Probe::SetVerdicts.
  absl::Status Answer(std::span<const UserVerdict> verdicts);
  // After a pass that has come to its end: what has found no taker never will.
  void ForgetAnswers();

  // What programs counted: all of LeftOut but the latest pass's.
  LeftOut CountLeftOut() const;
  uint64_t dropped_verdicts() const { return dropped_verdicts_; }

 private:
  void FillSet(const KernelRules& rules, uint32_t index);

  const Fds fds_;
  tm_rules* const shared_;
  uint32_t* const waiting_;
  std::vector<tm_process_key> answered_;
  uint64_t dropped_verdicts_ = 0;
};

}  // namespace taskmon::bpf

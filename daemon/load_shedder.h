// SPDX-License-Identifier: Apache-2.0
//
// Measures what taskmond costs, asks SelfControl, and sees to it that what it says is left out is left out: hooks by
// way of the demand, thread rows by the builder; smaps and the interval are the sampler's to ask for. Every step
// becomes an event of the history and a line of the log. Sampler's thread.
#pragma once

#include <cstdint>
#include <optional>

#include "daemon/hook_demand.h"
#include "daemon/hook_meter.h"
#include "daemon/sample_builder.h"
#include "daemon/self_control.h"
#include "storage/sample.h"

namespace taskmon::daemon {

class LoadShedder {
 public:
  LoadShedder(SelfControl::Options options, HookDemand* demand) : control_(options), demand_(demand) {}

  // Since taskmond began.
  struct Spent {
    uint64_t cpu_ns = 0;    // of the threads that record, user and system
    uint64_t stall_ns = 0;  // of others, by smaps reads
  };
  // Once a tick. The event of the step that was taken, if any.
  std::optional<Event> OnTick(uint64_t boot_ns, int64_t wall_ns, Spent spent, HookMeter* meter, SampleBuilder* builder);

  bool reads_smaps() const { return !control_.IsShed(Shed::kSmaps); }
  uint32_t interval_factor() const { return control_.interval_factor(); }
  const SelfControl::Figures& figures() const { return control_.figures(); }

 private:
  void TakeBpfCost(const HookMeter& meter);

  SelfControl control_;
  HookDemand* const demand_;
  std::optional<SelfControl::BpfCost> bpf_;  // of the newest measurement
};

}  // namespace taskmon::daemon

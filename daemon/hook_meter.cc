// SPDX-License-Identifier: Apache-2.0
#include "daemon/hook_meter.h"

namespace taskmon::daemon {

void HookMeter::OnTick(uint64_t boot_ns, bpf::Probe* probe) {
  if (measuring_) {
    Take(boot_ns, probe->Hooks());
    measuring_ = false;
    // Off can only fail when it is off already.
    probe->SetStatistics(false).IgnoreError();
    return;
  }
  if (boot_ns < next_ns_) return;
  next_ns_ = boot_ns + kEveryNs;
  refused_ = !probe->SetStatistics(true).ok();
  if (refused_) sum_.reset();
  if (refused_) return;  // no right to it, or an older kernel: costs stay unknown
  before_ = probe->Hooks();
  began_ns_ = boot_ns;
  measuring_ = true;
}

void HookMeter::Take(uint64_t boot_ns, const std::vector<bpf::Hook>& hooks) {
  costs_.resize(hooks.size());
  const double seconds = static_cast<double>(boot_ns - began_ns_) / 1e9;
  sum_ = Sum{.began_boot_ns = began_ns_, .taken_boot_ns = boot_ns};
  for (size_t i = 0; i < hooks.size() && i < before_.size(); ++i) {
    // A program that was loaded anew counts from 0.
    if (hooks[i].runs < before_[i].runs) continue;
    const uint64_t runs = hooks[i].runs - before_[i].runs;
    const auto time_ns = static_cast<double>(hooks[i].run_time_ns - before_[i].run_time_ns);
    costs_[i].runs += runs;
    if (runs != 0) costs_[i].ns_per_run = time_ns / static_cast<double>(runs);
    if (seconds <= 0) continue;
    costs_[i].ns_per_second = time_ns / seconds;
    if (!hooks[i].own_time) sum_->ns_per_second += time_ns / seconds;
  }
}

}  // namespace taskmon::daemon

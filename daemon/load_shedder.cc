// SPDX-License-Identifier: Apache-2.0
#include "daemon/load_shedder.h"

#include <unistd.h>

#include <spdlog/spdlog.h>

namespace taskmon::daemon {
namespace {

HookDemand::Shed HooksShed(const SelfControl& control) {
  if (control.IsShed(Shed::kHooks)) return HookDemand::Shed::kAll;
  return control.IsShed(Shed::kWatchedHooks) ? HookDemand::Shed::kWatched : HookDemand::Shed::kNothing;
}

}  // namespace

// CPUs come and go; how many there are is a file of the kernel's, so it is read once a measurement.
void LoadShedder::TakeBpfCost(const HookMeter& meter) {
  const std::optional<HookMeter::Sum>& sum = meter.sum();
  if (!sum || (bpf_ && bpf_->taken_boot_ns == sum->taken_boot_ns)) return;
  const auto cpus = static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN));
  bpf_ = SelfControl::BpfCost{.taken_boot_ns = sum->taken_boot_ns,
                              .began_boot_ns = sum->began_boot_ns,
                              .percent = sum->ns_per_second / 1e7 / cpus};
}

std::optional<Event> LoadShedder::OnTick(uint64_t boot_ns, int64_t wall_ns, Spent spent, HookMeter* meter,
                                         SampleBuilder* builder) {
  TakeBpfCost(*meter);
  const std::optional<SelfControl::Change> change =
      control_.OnTick({.boot_ns = boot_ns, .cpu_ns = spent.cpu_ns, .stall_ns = spent.stall_ns, .bpf = bpf_});
  if (!change) return std::nullopt;
  demand_->SetShed(HooksShed(control_));
  builder->SetStoreThreads(!control_.IsShed(Shed::kThreadRows));
  if (change->step == Shed::kWatchedHooks || change->step == Shed::kHooks) meter->MeasureSoon(boot_ns);
  Event event;
  event.type = EventType::kDegraded;
  event.wall_ns = wall_ns;
  event.boot_ns = boot_ns;
  event.begins = change->shed;
  event.detail = ChangeText(*change);
  spdlog::log(change->shed ? spdlog::level::warn : spdlog::level::info, "{}", event.detail);
  return event;
}

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/load_shedder.h"

#include <unistd.h>

#include <spdlog/spdlog.h>

#include "daemon/clocks.h"

namespace taskmon::daemon {
namespace {

std::optional<SelfControl::BpfCost> CostOf(const HookMeter& meter) {
  if (!meter.sum()) return std::nullopt;
  const auto cpus = static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN));
  return SelfControl::BpfCost{.taken_boot_ns = meter.sum()->taken_boot_ns,
                              .began_boot_ns = meter.sum()->began_boot_ns,
                              .percent = meter.sum()->ns_per_second / 1e7 / cpus};
}

HookDemand::Shed HooksShed(const SelfControl& control) {
  if (control.IsShed(Shed::kHooks)) return HookDemand::Shed::kAll;
  return control.IsShed(Shed::kWatchedHooks) ? HookDemand::Shed::kWatched : HookDemand::Shed::kNothing;
}

}  // namespace

std::optional<Event> LoadShedder::OnTick(uint64_t boot_ns, int64_t wall_ns, uint64_t stall_ns, HookMeter* meter,
                                         SampleBuilder* builder) {
  const std::optional<SelfControl::Change> change = control_.OnTick({.boot_ns = boot_ns,
                                                                     .cpu_ns = ReadClockNs(CLOCK_PROCESS_CPUTIME_ID),
                                                                     .stall_ns = stall_ns,
                                                                     .bpf = CostOf(*meter)});
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

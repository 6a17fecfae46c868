// SPDX-License-Identifier: Apache-2.0
#include "daemon/self_control.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace taskmon::daemon {
namespace {

// Taking a step back costs something again: only well below the limit is there room for it.
constexpr double kReturnBelow = 0.6;
constexpr uint64_t kHoldWindows = 6;
constexpr uint64_t kLongestHoldNs = 3600ull * 1'000'000'000;

using Steps = std::bitset<kSheds>;
constexpr Steps kHelpsCpu = 0b1111111;
constexpr Steps kHelpsBpf = 0b0001100;
constexpr Steps kHelpsStall = 0b0000001;

Steps HelpsAgainst(SelfControl::Resource resource) {
  switch (resource) {
    case SelfControl::Resource::kCpu: return kHelpsCpu;
    case SelfControl::Resource::kBpf: return kHelpsBpf;
    case SelfControl::Resource::kStall: return kHelpsStall;
  }
  return {};
}

bool ChangesHooks(Shed step) { return step == Shed::kWatchedHooks || step == Shed::kHooks; }

}  // namespace

SelfControl::SelfControl(Options options) : options_(options), hold_ns_(kHoldWindows * options.window_ns) {}

uint32_t SelfControl::interval_factor() const {
  if (IsShed(Shed::kInterval8)) return 8;
  if (IsShed(Shed::kInterval4)) return 4;
  return IsShed(Shed::kInterval2) ? 2 : 1;
}

void SelfControl::Measure(const Usage& usage) {
  const auto elapsed = static_cast<double>(usage.boot_ns - window_begin_->boot_ns);
  figures_.cpu_percent = 100.0 * static_cast<double>(usage.cpu_ns - window_begin_->cpu_ns) / elapsed;
  figures_.stall_ns = 1e9 * static_cast<double>(usage.stall_ns - window_begin_->stall_ns) / elapsed;
  figures_.bpf_percent = usage.bpf ? std::optional<double>(usage.bpf->percent) : std::nullopt;
  bpf_is_new_ = usage.bpf && usage.bpf->began_boot_ns > hooks_changed_ns_ && usage.bpf->taken_boot_ns > bpf_judged_ns_;
  if (bpf_is_new_) bpf_judged_ns_ = usage.bpf->taken_boot_ns;
  window_begin_ = usage;
}

std::vector<SelfControl::Over> SelfControl::Judge() const {
  std::vector<Over> over;
  if (options_.cpu_percent > 0 && figures_.cpu_percent > options_.cpu_percent) {
    over.push_back({Resource::kCpu, figures_.cpu_percent, options_.cpu_percent});
  }
  if (options_.bpf_percent > 0 && bpf_is_new_ && *figures_.bpf_percent > options_.bpf_percent) {
    over.push_back({Resource::kBpf, *figures_.bpf_percent, options_.bpf_percent});
  }
  const auto stall_limit = static_cast<double>(options_.stall_ns);
  if (stall_limit > 0 && figures_.stall_ns > stall_limit) {
    over.push_back({Resource::kStall, figures_.stall_ns, stall_limit});
  }
  return over;
}

// A limit that is not watched, or cannot be, never stands in the way.
bool SelfControl::IsCalm() const {
  const auto calm = [](double used, double limit) { return limit <= 0 || used <= kReturnBelow * limit; };
  return calm(figures_.cpu_percent, options_.cpu_percent) &&
         calm(figures_.bpf_percent.value_or(0), options_.bpf_percent) &&
         calm(figures_.stall_ns, static_cast<double>(options_.stall_ns));
}

std::optional<SelfControl::Change> SelfControl::OnTick(const Usage& usage) {
  if (!window_begin_) {
    window_begin_ = usage;
    return std::nullopt;
  }
  if (usage.boot_ns < window_begin_->boot_ns + options_.window_ns) return std::nullopt;
  Measure(usage);
  const std::vector<Over> over = Judge();
  std::optional<Change> change = over.empty() ? TakeBack(usage.boot_ns) : ShedOne(over, usage.boot_ns);
  if (change && ChangesHooks(change->step)) hooks_changed_ns_ = usage.boot_ns;
  figures_.interval_factor = interval_factor();
  return change;
}

std::optional<SelfControl::Change> SelfControl::ShedOne(const std::vector<Over>& over, uint64_t now_ns) {
  calm_since_ns_ = 0;
  for (const Over& excess : over) {
    const Steps open = HelpsAgainst(excess.resource) & ~shed_ & ~options_.pointless;
    for (size_t i = 0; i < kSheds; ++i) {
      if (!open.test(i)) continue;
      if (taken_back_ns_ != 0 && now_ns < taken_back_ns_ + hold_ns_) hold_ns_ = std::min(2 * hold_ns_, kLongestHoldNs);
      taken_back_ns_ = 0;
      shed_.set(i);
      figures_.shed.push_back(static_cast<Shed>(i));
      ++figures_.times_shed;
      return Change{
          .step = static_cast<Shed>(i), .resource = excess.resource, .used = excess.used, .limit = excess.limit};
    }
  }
  return std::nullopt;
}

std::optional<SelfControl::Change> SelfControl::TakeBack(uint64_t now_ns) {
  if (!IsCalm()) {
    calm_since_ns_ = 0;
    return std::nullopt;
  }
  if (calm_since_ns_ == 0) calm_since_ns_ = now_ns;
  if (taken_back_ns_ != 0 && now_ns >= taken_back_ns_ + hold_ns_) {
    taken_back_ns_ = 0;
    if (shed_.none()) hold_ns_ = kHoldWindows * options_.window_ns;
  }
  if (shed_.none() || now_ns < calm_since_ns_ + hold_ns_) return std::nullopt;
  const Shed step = figures_.shed.back();
  figures_.shed.pop_back();
  shed_.reset(static_cast<size_t>(step));
  taken_back_ns_ = now_ns;
  calm_since_ns_ = now_ns;  // the next one waits for a hold time of its own
  return Change{.step = step, .shed = false};
}

std::string ShedName(Shed step) {
  constexpr std::array<const char*, kSheds> kNames = {"smaps",       "thread rows", "hooks of watchers", "hooks",
                                                      "interval x2", "interval x4", "interval x8"};
  return kNames[static_cast<size_t>(step)];
}

std::string ChangeText(const SelfControl::Change& change) {
  constexpr std::array<const char*, kSheds> kShed = {"smaps values are not read",
                                                     "thread rows are not stored",
                                                     "hooks that only watchers want are detached",
                                                     "all hooks but the life cycle's are detached",
                                                     "ticks are taken half as often",
                                                     "ticks are taken a quarter as often",
                                                     "ticks are taken an eighth as often"};
  constexpr std::array<const char*, kSheds> kBack = {"smaps values are read again",
                                                     "thread rows are stored again",
                                                     "hooks that watchers want are attached again",
                                                     "hooks that rules want are attached again",
                                                     "ticks are taken at every interval again",
                                                     "ticks are taken at every second interval again",
                                                     "ticks are taken at every fourth interval again"};
  const auto index = static_cast<size_t>(change.step);
  if (!change.shed) return kBack[index];
  switch (change.resource) {
    case SelfControl::Resource::kCpu:
      return fmt::format("{}: recording used {:.1f}% of a CPU, its budget is {:.4g}%", kShed[index], change.used,
                         change.limit);
    case SelfControl::Resource::kBpf:
      return fmt::format("{}: hooks used {:.1f}% of all CPUs, their budget is {:.4g}%", kShed[index], change.used,
                         change.limit);
    case SelfControl::Resource::kStall:
      return fmt::format("{}: reading smaps stalled others {:.1f} ms a second, the budget is {:.4g} ms", kShed[index],
                         change.used / 1e6, change.limit / 1e6);
  }
  return kShed[index];
}

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/reports.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "bpf/abi_names.h"
#include "proto/catalogue.h"

namespace taskmon::daemon {
namespace {

std::string HookReason(const bpf::Hook& hook, const Figures& figures) {
  if (!hook.available) return hook.reason;
  // The scheduler group's program sees deaths, too: the two take turns.
  if (hook.group == TM_HOOKS_LIFECYCLE && !hook.attached) return "the sched group's program does its work";
  return figures.hook_reasons[hook.group];
}

void AddCheck(const std::string& name, v1::Health health, const std::string& reason, const std::string& remedy,
              v1::Doctor* doctor) {
  v1::Check* check = doctor->add_checks();
  check->set_name(name);
  check->set_health(health);
  check->set_reason(reason);
  check->set_remedy(remedy);
}

bool IsAbout(const bpf::HookLimit& limit, const bpf::Hook& hook, const MetricDesc& metric) {
  if (limit.metrics.empty()) return metric.hook == bpf::HookGroupName(hook.group);
  return std::find(limit.metrics.begin(), limit.metrics.end(), metric.name) != limit.metrics.end();
}

// A metric that works, but less well than on a newer kernel.
void JudgeLimits(const MetricDesc& metric, const Figures& figures, v1::MetricHealth* health) {
  for (const bpf::Hook& hook : figures.sampler.hooks) {
    for (const bpf::HookLimit& limit : hook.limits) {
      if (health->health() != v1::WORKS || !IsAbout(limit, hook, metric)) continue;
      health->set_health(v1::DEGRADED);
      health->set_reason(limit.reason);
    }
  }
}

void JudgeRights(const Figures& figures, v1::Doctor* doctor) {
  for (const LackingCapability& lacking : figures.lacking) {
    AddCheck(lacking.name, v1::DEGRADED, lacking.effect,
             fmt::format("start taskmond with {} (AmbientCapabilities= in its unit)", lacking.name), doctor);
  }
  if (!figures.all_tasks_visible) {
    AddCheck("PID namespace", v1::DEGRADED, "only tasks of taskmond's own PID namespace are seen, some without names",
             "start taskmond in the host's PID namespace (docker run --pid=host)", doctor);
  }
  if (!figures.sampler.hook_costs_refused) return;
  AddCheck("hook costs", v1::DEGRADED, "what each hook costs is not measured: the kernel asks for CAP_SYS_ADMIN",
           "sysctl kernel.bpf_stats_enabled=1 while you want to know it; it costs some ns a run", doctor);
}

void JudgeSmaps(const Config& config, const Figures& figures, v1::MetricHealth* health) {
  const std::vector<Shed>& shed = figures.sampler.budget.shed;
  if (std::find(shed.begin(), shed.end(), Shed::kSmaps) != shed.end()) {
    health->set_health(v1::DEGRADED);
    health->set_reason("not read now: taskmond is over its budget; `ages` tell how old the values are");
  } else if (!figures.lacking.empty()) {
    health->set_health(v1::DEGRADED);
    health->set_reason(fmt::format("without {} only taskmond's own processes are read", figures.lacking[0].name));
  } else if (figures.smaps.too_large != 0) {
    health->set_health(v1::DEGRADED);
    health->set_reason(fmt::format(
        "{} {} too large to be read within smaps.per_target ({} us) and unavailable there", figures.smaps.too_large,
        figures.smaps.too_large == 1 ? "process is" : "processes are", config.smaps_per_target_ns / 1000));
  }
}

constexpr size_t kMostRulesNamed = 10;

// A rule that matches nobody is often a mistake in its expression, and as often one that waits for its task.
void JudgeRules(const Figures& figures, v1::Doctor* doctor) {
  const auto& idle = figures.rules_without_match;
  std::string reason = fmt::format("{} enabled", figures.rules_enabled);
  if (!idle.empty()) {
    const auto last = idle.begin() + static_cast<ptrdiff_t>(std::min(idle.size(), kMostRulesNamed));
    reason += fmt::format(
        "; no process is with {}{}", fmt::join(idle.begin(), last, ", "),
        idle.size() > kMostRulesNamed ? fmt::format(" and {} more", idle.size() - kMostRulesNamed) : std::string());
  }
  AddCheck("rules", v1::WORKS, reason, "", doctor);
}

std::string CostText(const Config& config, const SelfControl::Figures& budget) {
  const auto limit = [](bool any, std::string text) { return any ? "of " + text + " allowed" : "without a limit"; };
  return fmt::format(
      "recording {:.1f}% of a CPU {}, hooks {} {}, smaps stall {:.1f} ms a second {}", budget.cpu_percent,
      limit(config.budget_cpu_percent > 0, fmt::format("{:.4g}%", config.budget_cpu_percent)),
      budget.bpf_percent ? fmt::format("{:.1f}% of all CPUs", *budget.bpf_percent) : "not measured",
      limit(config.budget_bpf_percent > 0, fmt::format("{:.4g}%", config.budget_bpf_percent)), budget.stall_ns / 1e6,
      limit(config.budget_stall_per_second_ns > 0,
            fmt::format("{:.4g} ms", static_cast<double>(config.budget_stall_per_second_ns) / 1e6)));
}

std::vector<std::string> ShedNames(const SelfControl::Figures& budget) {
  std::vector<std::string> names;
  for (const Shed step : budget.shed) names.push_back(ShedName(step));
  return names;
}

void JudgeBudget(const Config& config, const Figures& figures, v1::Doctor* doctor) {
  const SelfControl::Figures& budget = figures.sampler.budget;
  const std::string cost = CostText(config, budget);
  if (budget.shed.empty()) return AddCheck("budget", v1::WORKS, cost, "", doctor);
  AddCheck(
      "budget", v1::DEGRADED,
      fmt::format("taskmond was over its budget and left out: {}; now {}", fmt::join(ShedNames(budget), ", "), cost),
      "it comes back by itself once the cost stays below; or raise [budget], lengthen the interval, "
      "record fewer threads and metric groups",
      doctor);
}

void FillBudget(const Config& config, const Figures& figures, v1::BudgetStatus* out) {
  const SelfControl::Figures& budget = figures.sampler.budget;
  out->set_cpu_percent(budget.cpu_percent);
  out->set_cpu_limit_percent(config.budget_cpu_percent);
  out->set_bpf_known(budget.bpf_percent.has_value());
  out->set_bpf_percent(budget.bpf_percent.value_or(0));
  out->set_bpf_limit_percent(config.budget_bpf_percent);
  out->set_stall_ns(budget.stall_ns);
  out->set_stall_limit_ns(config.budget_stall_per_second_ns);
  for (const std::string& name : ShedNames(budget)) out->add_shed(name);
  out->set_since_time_ns(figures.sampler.shed_since_wall_ns);
  out->set_times_shed(budget.times_shed);
  out->set_interval_ms(config.interval_ns * budget.interval_factor / 1'000'000);
}

// Health of one group of hooks: works when one of its programs runs.
void JudgeHooks(const MetricDesc& metric, const Figures& figures, v1::MetricHealth* health) {
  health->set_health(v1::UNAVAILABLE);
  health->set_reason(fmt::format("no hook of group {} fits this kernel", metric.hook));
  for (const bpf::Hook& hook : figures.sampler.hooks) {
    if (metric.hook != bpf::HookGroupName(hook.group)) continue;
    if (hook.attached) {
      health->set_health(v1::WORKS);
      health->clear_reason();
      return;
    }
    health->set_reason(hook.available ? fmt::format("hook {} is not attached: {}", hook.name, HookReason(hook, figures))
                                      : fmt::format("hook {}: {}", hook.name, hook.reason));
  }
}

}  // namespace

v1::Status MakeStatus(const Config& config, const Figures& figures) {
  v1::Status status;
  status.set_version(TASKMON_VERSION);
  status.set_uptime_s(figures.uptime_s);
  status.set_interval_ms(config.interval_ns / 1'000'000);
  status.set_tasks(figures.sampler.threads);
  status.set_processes(figures.sampler.processes);
  status.set_tracked(figures.sampler.tracked);
  status.set_ticks(figures.sampler.ticks);
  status.set_late_ticks(figures.sampler.late_ticks);
  status.set_early_ticks(figures.sampler.early_ticks);
  auto& dropped = *status.mutable_dropped();
  for (int i = 0; i < TM_DROP_MAX; ++i) dropped[bpf::DropName(static_cast<tm_drop>(i))] = figures.sampler.drops[i];
  dropped["failed_passes"] = figures.sampler.failed_passes;
  dropped["rule_memory"] = figures.sampler.rule_memory_turned_away;
  dropped["pre_roll_rows"] = figures.sampler.pre_roll.rows_given_up;
  dropped["unstored_past_rows"] = figures.writer.past_rows_lost;
  dropped["writer_queue_ticks"] = figures.writer.ticks_turned_away;
  dropped["unstored_ticks"] = figures.writer.ticks_not_stored;
  dropped["unstored_events"] = figures.writer.events_lost;
  dropped["name_requests"] = figures.names_dropped;
  dropped["streams_refused"] = figures.refused_streams;
  dropped["calls_refused"] = figures.refused_calls;
  dropped["connections_refused"] = figures.refused_connections;
  dropped["query_memory"] = figures.query_memory_turned_away;
  status.set_db_bytes(figures.writer.ring.bytes);
  status.set_db_cap_bytes(config.history_cap_bytes);
  status.set_oldest_time_ns(figures.writer.ring.oldest_wall_ns);
  status.set_newest_time_ns(figures.writer.ring.newest_wall_ns);
  status.set_db_path(config.ring_path());
  status.set_storage_error(figures.writer.error);
  status.set_cpu_percent(figures.self.cpu_percent);
  status.set_serving_cpu_percent(figures.self.serving_cpu_percent);
  status.set_rss_bytes(figures.self.rss_bytes);
  status.set_accounted_known(figures.self.accounted_percent.has_value());
  status.set_accounted_cpu_percent(figures.self.accounted_percent.value_or(0));
  status.set_last_tick_ns(figures.sampler.last_tick_ns);
  for (size_t i = 0; i < figures.sampler.hooks.size(); ++i) {
    const bpf::Hook& hook = figures.sampler.hooks[i];
    v1::HookStatus* row = status.add_hooks();
    row->set_name(hook.name);
    row->set_group(bpf::HookGroupName(hook.group));
    row->set_attached(hook.attached);
    row->set_reason(HookReason(hook, figures));
    if (hook.attached) row->set_since_time_ns(figures.sampler.attached_wall_ns[hook.group]);
    if (i >= figures.sampler.hook_costs.size()) continue;
    row->set_runs(figures.sampler.hook_costs[i].runs);
    row->set_ns_per_run(figures.sampler.hook_costs[i].ns_per_run);
    row->set_ns_per_second(figures.sampler.hook_costs[i].ns_per_second);
  }
  v1::SmapsStatus* smaps = status.mutable_smaps();
  smaps->set_reads(figures.smaps.reads);
  smaps->set_stall_max_ns(figures.smaps.stall_max_ns);
  smaps->set_too_large(figures.smaps.too_large);
  smaps->set_no_room(figures.smaps.no_room);
  smaps->set_ns_per_gib(figures.smaps.ns_per_byte * (1ull << 30));
  smaps->set_per_target_ns(config.smaps_per_target_ns);
  smaps->set_per_second_ns(config.smaps_per_second_ns);
  FillBudget(config, figures, status.mutable_budget());
  return status;
}

v1::Doctor MakeDoctor(const Config& config, const Figures& figures, const std::string& kernel_release) {
  v1::Doctor doctor;
  AddCheck("kernel", v1::WORKS, fmt::format("Linux {} with BTF", kernel_release), "", &doctor);
  for (const bpf::Hook& hook : figures.sampler.hooks) {
    const bool works = hook.available;
    AddCheck("hook " + hook.name, works ? v1::WORKS : v1::UNAVAILABLE, HookReason(hook, figures),
             works ? "" : "a newer kernel", &doctor);
  }
  JudgeRights(figures, &doctor);
  JudgeBudget(config, figures, &doctor);
  JudgeRules(figures, &doctor);
  const bool writes = figures.writer.error.empty();
  AddCheck("history", writes ? v1::WORKS : v1::DEGRADED, writes ? config.ring_path() : figures.writer.error,
           writes ? "" : "free some space or mend the directory; writing resumes by itself", &doctor);
  if (!figures.writer.ring.set_aside.empty()) {
    AddCheck("damaged history", v1::DEGRADED, "set aside as " + figures.writer.ring.set_aside,
             "look into it with sqlite3, then remove it", &doctor);
  }
  for (const MetricDesc& metric : AllMetrics()) {
    v1::MetricHealth* health = doctor.add_metrics();
    health->set_metric(metric.id);
    health->set_health(v1::WORKS);
    if (metric.group == v1::SMAPS) {
      JudgeSmaps(config, figures, health);
    } else if (!metric.hook.empty()) {
      JudgeHooks(metric, figures, health);
    }
    JudgeLimits(metric, figures, health);
  }
  return doctor;
}

}  // namespace taskmon::daemon

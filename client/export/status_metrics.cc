// SPDX-License-Identifier: Apache-2.0
#include "client/export/status_metrics.h"

#include <algorithm>
#include <map>
#include <string>

namespace taskmon::client {
namespace {

constexpr double kNsPerSecond = 1e9;

void Gauge(const char* name, const char* unit, const char* help, double value, Exposition* page) {
  page->Single({.name = name, .unit = unit, .help = help}, value);
}

void Counter(const char* name, const char* help, double value, Exposition* page) {
  page->Single({.name = name, .type = MetricFamily::Type::kCounter, .help = help}, value);
}

void WriteDropped(const v1::Status& status, Exposition* page) {
  page->Begin({.name = "taskmon_dropped",
               .type = MetricFamily::Type::kCounter,
               .help = "What did not fit or was turned away, by kind; taskmonctl status explains them."});
  const std::map<std::string, uint64_t> sorted(status.dropped().begin(), status.dropped().end());
  for (const auto& [kind, count] : sorted) page->Add({{"kind", kind}}, static_cast<double>(count));
}

void WriteHooks(const v1::Status& status, Exposition* page) {
  page->Begin({.name = "taskmon_hook_attached", .help = "Whether the kernel hook is attached."});
  for (const v1::HookStatus& hook : status.hooks())
    page->Add({{"hook", hook.name()}, {"group", hook.group()}}, hook.attached() ? 1 : 0);
  page->Begin({.name = "taskmon_hook_cpu_ratio",
               .unit = "ratio",
               .help = "CPUs that the hook takes, of all CPUs together, at the newest measurement."});
  for (const v1::HookStatus& hook : status.hooks()) {
    if (hook.attached() && hook.ns_per_run() > 0) {
      page->Add({{"hook", hook.name()}, {"group", hook.group()}}, hook.ns_per_second() / kNsPerSecond);
    }
  }
}

}  // namespace

void WriteStatusMetrics(const v1::Status& status, Exposition* page) {
  page->Begin({.name = "taskmon_build_info", .help = "The version of taskmond."});
  page->Add({{"version", status.version()}}, 1);
  Gauge("taskmon_uptime_seconds", "seconds", "How long taskmond has been running.", status.uptime_s(), page);
  // As long as the budget has it longer, that one is in force.
  const uint64_t interval_ms = std::max(status.interval_ms(), status.budget().interval_ms());
  Gauge("taskmon_interval_seconds", "seconds", "Time between two ticks.", static_cast<double>(interval_ms) / 1e3, page);
  Gauge("taskmon_threads", "", "Threads alive, as the sampler sees them.", static_cast<double>(status.tasks()), page);
  Gauge("taskmon_processes", "", "Processes alive, as the sampler sees them.", static_cast<double>(status.processes()),
        page);
  Gauge("taskmon_tracked", "", "Threads of processes that a rule keeps in detail, or may.",
        static_cast<double>(status.tracked()), page);
  Counter("taskmon_ticks", "Ticks taken.", static_cast<double>(status.ticks()), page);
  Counter("taskmon_late_ticks", "Ticks that came too late.", static_cast<double>(status.late_ticks()), page);
  Counter("taskmon_early_ticks", "Ticks that did not wait for their time, because many events did.",
          static_cast<double>(status.early_ticks()), page);
  WriteDropped(status, page);
  Gauge("taskmon_last_tick_seconds", "seconds", "What the newest tick cost the sampler.",
        static_cast<double>(status.last_tick_ns()) / kNsPerSecond, page);
  Gauge("taskmon_history_bytes", "bytes", "Size of the history, its write-ahead log included.",
        static_cast<double>(status.db_bytes()), page);
  Gauge("taskmon_history_limit_bytes", "bytes", "How large the history may become.",
        static_cast<double>(status.db_cap_bytes()), page);
  if (status.oldest_time_ns() != 0) {
    Gauge("taskmon_history_oldest_timestamp_seconds", "seconds", "When the oldest stored tick was.",
          static_cast<double>(status.oldest_time_ns()) / kNsPerSecond, page);
    Gauge("taskmon_history_newest_timestamp_seconds", "seconds", "When the newest stored tick was.",
          static_cast<double>(status.newest_time_ns()) / kNsPerSecond, page);
  }
  Gauge("taskmon_history_writable", "", "Whether ticks can be stored.", status.storage_error().empty() ? 1 : 0, page);
  Gauge("taskmon_self_cpu_ratio", "ratio", "CPUs that taskmond takes.", status.cpu_percent() / 100, page);
  Gauge("taskmon_self_resident_bytes", "bytes", "Resident memory of taskmond.", static_cast<double>(status.rss_bytes()),
        page);
  if (status.accounted_known()) {
    Gauge("taskmon_accounted_cpu_ratio", "ratio",
          "CPU time of all tasks, live and dead, over what the kernel says was spent, last minute.",
          status.accounted_cpu_percent() / 100, page);
  }
  WriteHooks(status, page);
}

}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
#include "client/output/status_text.h"

#include <algorithm>
#include <map>
#include <vector>

#include <fmt/format.h>

#include "client/output/cell.h"
#include "client/output/escape.h"
#include "client/output/json_object.h"
#include "client/output/units.h"
#include "client/output/wrap.h"

namespace taskmon::client {
namespace {

constexpr size_t kRoomForWhy = 30;

std::string Line(const char* label, const std::string& value, const Terminal& terminal) {
  return fmt::format("  {:<10} {}\n", label, Wrapped(value, 13, terminal.width));
}

std::string Bytes(uint64_t bytes, bool raw) {
  return raw ? std::to_string(bytes) : HumanBytes(static_cast<double>(bytes));
}

std::string IntervalText(uint64_t ms) {
  return ms % 1000 == 0 ? fmt::format("{} s", ms / 1000) : fmt::format("{} ms", ms);
}

// Over its budget taskmond takes every second, fourth, eighth tick alone.
std::string EffectiveInterval(const v1::Status& status) {
  const uint64_t effective_ms = status.budget().interval_ms();
  if (effective_ms == 0 || effective_ms == status.interval_ms()) return IntervalText(status.interval_ms());
  return fmt::format("{} (within its budget: {})", IntervalText(effective_ms), IntervalText(status.interval_ms()));
}

std::string DroppedText(const v1::Status& status) {
  // A protobuf map has no order; people and diffs want one.
  const std::map<std::string, uint64_t> dropped(status.dropped().begin(), status.dropped().end());
  std::vector<std::string> parts;
  for (const auto& [kind, count] : dropped) {
    if (count > 0) parts.push_back(fmt::format("{} {}", Thousands(count), TerminalSafe(kind)));
  }
  return parts.empty() ? "nothing" : fmt::format("{}", fmt::join(parts, ", "));
}

std::string HistoryText(const v1::Status& status, bool raw) {
  std::string text = fmt::format("{} of {}", Bytes(status.db_bytes(), raw), Bytes(status.db_cap_bytes(), raw));
  if (!status.db_path().empty()) text += " in " + TerminalSafe(status.db_path());
  return text;
}

std::string SinceText(const v1::Status& status) {
  if (status.oldest_time_ns() == 0) return "nothing stored yet";
  const double span_ns = static_cast<double>(status.newest_time_ns() - status.oldest_time_ns());
  return fmt::format("{} {} ({} kept)", LocalTime(status.oldest_time_ns(), false), LocalZone(status.oldest_time_ns()),
                     HumanDuration(std::max(span_ns, 0.0)));
}

std::string SmapsText(const v1::SmapsStatus& smaps, bool raw) {
  const auto time = [raw](double ns) { return raw ? fmt::format("{:.0f}", ns) : HumanDuration(ns); };
  std::string text = fmt::format("{} reads", Thousands(smaps.reads()));
  if (smaps.reads() != 0) {
    text += fmt::format(", the longest {} of {} allowed, {} per GiB", time(static_cast<double>(smaps.stall_max_ns())),
                        time(static_cast<double>(smaps.per_target_ns())), time(smaps.ns_per_gib()));
  }
  if (smaps.too_large() != 0) text += fmt::format("; left out: {} too large", Thousands(smaps.too_large()));
  if (smaps.no_room() != 0) text += fmt::format("; waiting for room: {}", Thousands(smaps.no_room()));
  return text;
}

std::string BudgetText(const v1::BudgetStatus& budget, bool raw) {
  if (budget.shed().empty()) return "kept; nothing is shed";
  const std::string since = raw ? std::to_string(budget.since_time_ns()) : LocalTime(budget.since_time_ns(), false);
  return fmt::format("over: since {} left out: {}", since,
                     TerminalSafe(fmt::format("{}", fmt::join(budget.shed(), ", "))));
}

// Where WHY would have no room, the groups give way.
std::string HooksText(const v1::Status& status, const Terminal& terminal) {
  if (status.hooks().empty()) return "";
  size_t name_width = 4;
  size_t group_width = 5;
  for (const v1::HookStatus& hook : status.hooks()) {
    name_width = std::max(name_width, DisplayWidth(TerminalSafe(hook.name())));
    group_width = std::max(group_width, DisplayWidth(TerminalSafe(hook.group())));
  }
  const size_t before_why = name_width + 30;
  const bool groups = terminal.width == 0 || before_why + group_width + 1 + kRoomForWhy <= terminal.width;
  const auto line = [&](const std::string& name, const std::string& group, const char* attached,
                        const std::string& runs, const std::string& cost, const std::string& why) {
    std::string text = fmt::format("  {:<{}} ", name, name_width);
    if (groups) text += fmt::format("{:<{}} ", group, group_width);
    text += fmt::format("{:<8} {:>8} {:>7}  ", attached, runs, cost);
    text += Wrapped(why, DisplayWidth(text), terminal.width);
    return text.substr(0, text.find_last_not_of(' ') + 1) + "\n";
  };
  const auto attached = std::count_if(status.hooks().begin(), status.hooks().end(),
                                      [](const v1::HookStatus& hook) { return hook.attached(); });
  std::string text = fmt::format("\nHooks: {} of {} attached\n", attached, status.hooks_size()) +
                     line("NAME", "GROUP", "ATTACHED", "RUNS", "NS/RUN", "WHY");
  for (const v1::HookStatus& hook : status.hooks()) {
    const std::string cost = hook.ns_per_run() > 0 ? fmt::format("{:.0f}", hook.ns_per_run()) : "-";
    text += line(TerminalSafe(hook.name()), TerminalSafe(hook.group()), hook.attached() ? "yes" : "no",
                 HumanCount(static_cast<double>(hook.runs())), cost, TerminalSafe(hook.reason()));
  }
  return text;
}

void HookKeys(const v1::HookStatus& hook, JsonObject* object) {
  object->String("name", hook.name());
  object->String("group", hook.group());
  object->Bool("attached", hook.attached());
  object->Number("runs", hook.runs());
  object->NumberOrNull("ns_per_run", hook.ns_per_run() > 0, hook.ns_per_run());
  object->String("reason", hook.reason());
  object->TimeOrNull("since_time", hook.since_time_ns());
}

void SmapsKeys(const v1::SmapsStatus& smaps, JsonObject* object) {
  object->Number("reads", smaps.reads());
  object->Number("stall_max_ns", smaps.stall_max_ns());
  object->Number("too_large", smaps.too_large());
  object->Number("no_room", smaps.no_room());
  object->NumberOrNull("ns_per_gib", smaps.reads() != 0, smaps.ns_per_gib());
  object->Number("per_target_ns", smaps.per_target_ns());
  object->Number("per_second_ns", smaps.per_second_ns());
}

void BudgetKeys(const v1::BudgetStatus& budget, JsonObject* object) {
  object->Number("cpu_percent", budget.cpu_percent());
  object->Number("cpu_limit_percent", budget.cpu_limit_percent());
  object->NumberOrNull("bpf_percent", budget.bpf_known(), budget.bpf_percent());
  object->Number("bpf_limit_percent", budget.bpf_limit_percent());
  object->Number("stall_ns", budget.stall_ns());
  object->Number("stall_limit_ns", budget.stall_limit_ns());
  object->Strings("shed", budget.shed());
  object->TimeOrNull("since_time", budget.since_time_ns());
  object->Number("times_shed", budget.times_shed());
  object->Number("interval_ms", budget.interval_ms());
}

void StatusKeys(const v1::Status& status, JsonObject* object) {
  object->String("version", status.version());
  object->Number("uptime_s", status.uptime_s());
  object->Number("interval_ms", status.interval_ms());
  object->Number("tasks", status.tasks());
  object->Number("processes", status.processes());
  object->Number("tracked", status.tracked());
  object->Number("ticks", status.ticks());
  object->Number("late_ticks", status.late_ticks());
  object->Number("early_ticks", status.early_ticks());
  object->Number("last_tick_ns", status.last_tick_ns());
  object->Numbers("dropped", std::map<std::string, uint64_t>(status.dropped().begin(), status.dropped().end()));
  object->Number("db_bytes", status.db_bytes());
  object->Number("db_cap_bytes", status.db_cap_bytes());
  object->String("db_path", status.db_path());
  object->TimeOrNull("oldest_time", status.oldest_time_ns());
  object->TimeOrNull("newest_time", status.newest_time_ns());
  object->Number("cpu_percent", status.cpu_percent());
  object->Number("serving_cpu_percent", status.serving_cpu_percent());
  object->Number("rss_bytes", status.rss_bytes());
  object->Array("hooks", status.hooks(), HookKeys);
  object->Object("smaps", status.smaps(), SmapsKeys);
  object->When(status.has_budget(), [&] { object->Object("budget", status.budget(), BudgetKeys); });
  object->NumberOrNull("accounted_cpu_percent", status.accounted_known(), status.accounted_cpu_percent());
  object->StringOrNull("storage_error", status.storage_error());
}

}  // namespace

std::string StatusText(const v1::Status& status, const Terminal& terminal, bool raw) {
  const auto duration = [&](double ns) { return raw ? fmt::format("{:.0f}", ns) : HumanDuration(ns); };
  const auto line = [&](const char* label, const std::string& value) { return Line(label, value, terminal); };
  std::string text = fmt::format("taskmond {}, up {}, a tick every {}\n", TerminalSafe(status.version()),
                                 duration(status.uptime_s() * 1e9), EffectiveInterval(status));
  text += line("tasks", fmt::format("{} in {} processes, {} tracked", Thousands(status.tasks()),
                                    Thousands(status.processes()), Thousands(status.tracked())));
  const std::string early = status.early_ticks() == 0 ? "" : fmt::format(", {} early", Thousands(status.early_ticks()));
  text += line("ticks",
               fmt::format("{}, {} late{}; the last took {}", Thousands(status.ticks()), Thousands(status.late_ticks()),
                           early, duration(static_cast<double>(status.last_tick_ns()))));
  text += line("dropped", DroppedText(status));
  text += line("history", HistoryText(status, raw));
  text += line("since", SinceText(status));
  text += line("cost", fmt::format("{:.1f}% of a CPU, {:.1f}% for clients; {} of memory", status.cpu_percent(),
                                   status.serving_cpu_percent(), Bytes(status.rss_bytes(), raw)));
  text += line("books", status.accounted_known() ? fmt::format("{:.1f}% of the CPU time of the last minute has a task",
                                                               status.accounted_cpu_percent())
                                                 : "not known yet (needs a minute)");
  text += line("smaps", SmapsText(status.smaps(), raw));
  if (status.has_budget()) text += line("budget", BudgetText(status.budget(), raw));
  if (!status.storage_error().empty()) text += line("TROUBLE", "not storing: " + TerminalSafe(status.storage_error()));
  return text + HooksText(status, terminal);
}

std::string StatusJson(const v1::Status& status) { return JsonObject::Text(status, StatusKeys); }

std::string StatusSchema() { return JsonObject::Described<v1::Status>(StatusKeys); }

}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
#include "client/output/task_block.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include <fmt/format.h>

#include "client/output/escape.h"
#include "client/output/units.h"
#include "client/output/witness_text.h"

namespace taskmon::client {
namespace {

constexpr size_t kEntryWidth = 37;  // two beside each other in 80 columns
constexpr size_t kDefaultWidth = 80;

std::string Line(const char* label, const std::string& value) {
  return value.empty() ? "" : fmt::format("  {:<10} {}\n", label, value);
}

std::string Owner(const v1::TaskInfo& info) {
  const std::string numbers = fmt::format("uid {}, gid {}", info.uid(), info.gid());
  return info.user().empty() ? numbers : fmt::format("{} ({})", TerminalSafe(info.user()), numbers);
}

// Nobody saw its end, so that nothing is known of a time at which it was as the rest says.
bool AtUnknownTime(const TaskRow& row) { return row.tick->time_ns() == 0; }

std::string Started(const TaskRow& row) {
  const int64_t start_ns = row.info->start_time_ns();
  const std::string start = LocalTime(start_ns, false) + " " + LocalZone(start_ns);
  if (AtUnknownTime(row)) return start;
  const double age_ns = static_cast<double>(row.tick->time_ns() - row.info->start_time_ns());
  return fmt::format("{} ({} before)", start, HumanDuration(std::max(age_ns, 0.0)));
}

std::string Tracked(const v1::TaskInfo& info) {
  if (!info.tracked()) return "no";
  if (info.rules().empty()) return "yes";
  return TerminalSafe(fmt::format("yes, by {}", fmt::join(info.rules(), ", ")));
}

std::string Identity(const TaskRow& row) {
  const v1::TaskInfo& info = *row.info;
  const char* what = info.thread() ? "Thread" : info.kthread() ? "Kernel thread" : "Process";
  std::string text = fmt::format("{} {}  {}\n", what, info.tid(), TerminalSafe(info.comm()));
  const int64_t time_ns = row.tick->time_ns();
  if (!AtUnknownTime(row)) text += Line("at", LocalTime(time_ns, true) + " " + LocalZone(time_ns));
  if (row.sample->ended_time_ns() != 0) text += Line("ended", LocalTime(row.sample->ended_time_ns(), true));
  text += Line("started", Started(row));
  if (info.thread()) text += Line("process", std::to_string(info.tgid()));
  text += Line("parent", std::to_string(info.ppid()));
  text += Line("owner", Owner(info));
  text += Line("cmdline", info.cmdline_redacted() ? "*" : TerminalSafe(info.cmdline()));
  text += Line("exe", info.exe_redacted() ? "*" : TerminalSafe(info.exe()));
  text += Line("app", TerminalSafe(info.app()));
  text += Line("unit", TerminalSafe(info.unit()));
  text += Line("container", TerminalSafe(info.container()));
  text += Line("cgroup", TerminalSafe(info.cgroup()));
  return text + Line("tracked", Tracked(info));
}

std::string RateText(const MetricDesc& metric, const std::map<v1::Metric, CounterRate>& rates) {
  const auto rate = rates.find(metric.id);
  if (rate == rates.end() || rate->second.elapsed_ns == 0) return "";
  return HumanRate(metric, rate->second.increase, rate->second.elapsed_ns);
}

// What stands beside a value: how old it is, or how fast it grows.
std::string BesideText(const MetricDesc& metric, const TaskRow& row, const std::map<v1::Metric, CounterRate>& rates) {
  const MetricCell cell = row.Get(metric.id);
  return cell.age_s ? HumanDuration(*cell.age_s * 1e9) + " ago" : RateText(metric, rates);
}

// Entries run down the columns, so that related metrics stay beneath each other.
std::string InColumns(const std::vector<std::string>& entries, size_t width) {
  const size_t columns = std::max<size_t>(1, (width - 1) / (kEntryWidth + 2));
  const size_t lines = (entries.size() + columns - 1) / columns;
  std::string text;
  for (size_t line = 0; line < lines; ++line) {
    std::string row;
    for (size_t i = line; i < entries.size(); i += lines) row += fmt::format("  {:<{}}", entries[i], kEntryWidth);
    row.erase(row.find_last_not_of(' ') + 1);
    text += row + "\n";
  }
  return text;
}

std::string GroupTitle(v1::Group group) {
  std::string title(GroupName(group));
  std::replace(title.begin(), title.end(), '_', ' ');
  const size_t capitals = title.size() <= 3 ? title.size() : 1;  // CPU, IO, OOM, NET
  for (size_t i = 0; i < capitals; ++i)
    title[i] = static_cast<char>(std::toupper(static_cast<unsigned char>(title[i])));
  return title;
}

struct Missing {
  std::string unavailable;
  std::string redacted;
};

std::vector<std::string> Entries(v1::Group group, const TaskRow& row, const std::map<v1::Metric, CounterRate>& rates,
                                 bool raw, Missing* missing) {
  std::vector<std::string> entries;
  for (const MetricDesc& metric : AllMetrics()) {
    if (metric.group != group || metric.witness_of != v1::METRIC_UNSPECIFIED) continue;
    const Field field{.metric = &metric};
    const Presence presence = PresenceOf(field, row);
    if (presence == Presence::kUnavailable) missing->unavailable += " " + metric.short_name;
    if (presence == Presence::kRedacted) missing->redacted += " " + metric.short_name;
    if (presence != Presence::kPresent) continue;
    Marks marks;
    std::string value = CellText(field, row, raw, &marks);
    if (metric.unit == v1::PERCENT && !raw) value += "%";
    entries.push_back(fmt::format("{:<12} {:>10} {:>13}", metric.short_name, value, BesideText(metric, row, rates)));
  }
  return entries;
}

std::string MissingLine(const char* what, const std::string& names, const Terminal& terminal) {
  if (names.empty()) return "";
  std::string text = fmt::format("\n{}\n ", what);
  size_t used = 1;
  const size_t width = terminal.width == 0 ? kDefaultWidth : terminal.width;
  for (size_t begin = 0; begin < names.size();) {
    const size_t end = std::min(names.find(' ', begin + 1), names.size());
    if (used + (end - begin) >= width) {
      text += "\n ";
      used = 1;
    }
    text += names.substr(begin, end - begin);
    used += end - begin;
    begin = end;
  }
  return text + "\n";
}

}  // namespace

std::string TaskBlock(const TaskRow& row, const std::map<v1::Metric, CounterRate>& rates, const Terminal& terminal,
                      bool raw) {
  std::string text = Identity(row);
  Missing missing;
  const size_t width = terminal.width == 0 ? kDefaultWidth : terminal.width;
  for (int i = 1; i <= v1::Group_MAX; ++i) {
    const auto group = static_cast<v1::Group>(i);
    const std::vector<std::string> entries = Entries(group, row, rates, raw, &missing);
    if (!entries.empty()) text += "\n" + GroupTitle(group) + "\n" + InColumns(entries, width);
  }
  const std::vector<std::string> witnesses = WitnessLines(row);
  if (!witnesses.empty()) text += fmt::format("\nLongest waits of the tick\n  {}\n", fmt::join(witnesses, "\n  "));
  const char* why =
      AtUnknownTime(row) ? "Not recorded, for nobody saw its end" : "Not available (taskmonctl doctor says why)";
  text += MissingLine(why, missing.unavailable, terminal);
  text += MissingLine("Hidden from this user (group taskmon sees them)", missing.redacted, terminal);
  return text;
}

}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
#include "client/fields.h"

#include <algorithm>
#include <cctype>
#include <set>

#include <fmt/format.h>

#include "client/suggest.h"

namespace taskmon::client {
namespace {

struct AttributeName {
  Attribute attribute;
  std::string_view key;
  std::string_view header;
  bool numeric;
};

// In the order of JSON rows.
constexpr AttributeName kAttributes[] = {
    {Attribute::kTime, "time", "TIME", true},
    {Attribute::kTimeNs, "time_ns", "TIME_NS", true},
    {Attribute::kTid, "tid", "TID", true},
    {Attribute::kTgid, "tgid", "TGID", true},
    {Attribute::kPpid, "ppid", "PPID", true},
    {Attribute::kComm, "comm", "COMM", false},
    {Attribute::kCmdline, "cmdline", "CMDLINE", false},
    {Attribute::kCommand, "command", "COMMAND", false},
    {Attribute::kExe, "exe", "EXE", false},
    {Attribute::kStartTime, "start_time", "START_TIME", true},
    {Attribute::kStartNs, "start_ns", "START_NS", true},
    {Attribute::kUid, "uid", "UID", true},
    {Attribute::kGid, "gid", "GID", true},
    {Attribute::kUser, "user", "USER", false},
    {Attribute::kState, "state", "S", false},
    {Attribute::kApp, "app", "APP", false},
    {Attribute::kCgroup, "cgroup", "CGROUP", false},
    {Attribute::kUnit, "unit", "UNIT", false},
    {Attribute::kContainer, "container", "CONTAINER", false},
    {Attribute::kTracked, "tracked", "TRACKED", false},
    {Attribute::kRules, "rules", "RULES", false},
    {Attribute::kKthread, "kthread", "KTHREAD", false},
    {Attribute::kTasks, "tasks", "TASKS", true},
};

const AttributeName& NameOf(Attribute attribute) {
  return *std::find_if(std::begin(kAttributes), std::end(kAttributes),
                       [&](const AttributeName& name) { return name.attribute == attribute; });
}

std::string Upper(std::string_view text) {
  std::string upper(text);
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return std::toupper(c); });
  return upper;
}

const AttributeName* FindAttribute(std::string_view name) {
  for (const AttributeName& attribute : kAttributes) {
    if (attribute.key == name) return &attribute;
  }
  return nullptr;
}

std::vector<std::string> FieldNames() {
  std::vector<std::string> names;
  for (const AttributeName& attribute : kAttributes) names.emplace_back(attribute.key);
  for (const MetricDesc& metric : AllMetrics()) {
    names.push_back(metric.name);
    names.push_back(metric.short_name);
  }
  return names;
}

std::vector<std::string> GroupNames() {
  std::vector<std::string> names;
  for (int i = 1; i <= v1::Group_MAX; ++i) names.emplace_back(GroupName(static_cast<v1::Group>(i)));
  return names;
}

absl::StatusOr<std::vector<Field>> GroupFields(std::string_view name) {
  const v1::Group group = FindGroup(name);
  if (group == v1::GROUP_UNSPECIFIED) {
    const std::string hint = fmt::format("the groups are @{}", fmt::join(GroupNames(), " @"));
    return absl::InvalidArgumentError(
        fmt::format("unknown field group '@{}'{}", name, SuggestOr(name, GroupNames(), hint)));
  }
  std::vector<Field> fields;
  for (const MetricDesc& metric : AllMetrics()) {
    if (metric.group == group) fields.push_back({.metric = &metric});
  }
  return fields;
}

absl::StatusOr<std::vector<Field>> Expand(std::string_view name, RowKind kind) {
  if (name == "all") return AllFields(kind == RowKind::kHistory || kind == RowKind::kTaskHistory);
  if (name == "default") return DefaultFields(kind, /*wide=*/false);
  if (name.front() == '@') return GroupFields(name.substr(1));
  absl::StatusOr<Field> field = ParseField(name);
  if (!field.ok()) return field.status();
  return std::vector<Field>{*field};
}

// For the lists below, whose names are known to be right.
std::vector<Field> FromNames(std::string_view names) {
  std::vector<Field> fields;
  while (!names.empty()) {
    const size_t end = std::min(names.find(' '), names.size());
    fields.push_back(*ParseField(names.substr(0, end)));
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  return fields;
}

}  // namespace

std::string_view FieldKey(const Field& field) {
  return field.attribute == Attribute::kNone ? std::string_view(field.metric->name) : NameOf(field.attribute).key;
}

std::string FieldHeader(const Field& field) {
  if (field.attribute != Attribute::kNone) return std::string(NameOf(field.attribute).header);
  if (field.metric->id == v1::TASK_THREAD_COUNT) return "THR";  // two digits under seven letters waste a column
  std::string header = Upper(field.metric->short_name);
  return field.metric->unit == v1::PERCENT ? header + "%" : header;
}

bool IsNumeric(const Field& field) {
  if (field.attribute != Attribute::kNone) return NameOf(field.attribute).numeric;
  return field.metric->unit != v1::LETTER && field.metric->unit != v1::BOOLEAN;
}

std::vector<Field> DefaultFields(RowKind kind, bool wide) {
  switch (kind) {
    case RowKind::kProcesses:
      return FromNames(wide ? "tid ppid user state cpu mem rss vm swap threads majflt runq_max iowait_max offcpu_max "
                              "read write fds app unit tracked command"
                            : "tid user state cpu mem rss threads runq_max offcpu_max command");
    case RowKind::kThreads:
      return FromNames(wide ? "tid tgid user state cpu cpu_id nice prio runq runq_max iowait_max offcpu_max vcsw ivcsw "
                              "migr app unit tracked comm"
                            : "tid tgid user state cpu cpu_id runq_max iowait_max offcpu_max comm");
    case RowKind::kHistory:
      return FromNames(wide ? "time tid ppid user state cpu mem rss swap threads majflt runq_max iowait_max offcpu_max "
                              "read write fds app unit command"
                            : "time tid state cpu rss runq_max offcpu_max comm");
    case RowKind::kTaskHistory:
      return FromNames(wide ? "time state cpu mem rss swap threads minflt majflt runq runq_max iowait_max offcpu_max "
                              "read write vcsw ivcsw fds comm"
                            : "time state cpu rss threads runq_max offcpu_max comm");
    case RowKind::kGroups:
      return FromNames(wide ? "tasks cpu mem rss swap threads minflt majflt runq runq_max iowait iowait_max offcpu_max "
                              "read write net_rx net_tx vcsw ivcsw forks fds"
                            : "tasks cpu rss threads runq_max iowait_max read write");
  }
  return {};
}

std::vector<Field> AllFields(bool time) {
  std::vector<Field> fields;
  for (const AttributeName& name : kAttributes) {
    const bool is_time = name.attribute == Attribute::kTime || name.attribute == Attribute::kTimeNs;
    const bool special = name.attribute == Attribute::kCommand || name.attribute == Attribute::kTasks;
    if (special || (is_time && !time)) continue;
    fields.push_back({.attribute = name.attribute});
  }
  for (const MetricDesc& metric : AllMetrics()) fields.push_back({.metric = &metric});
  return fields;
}

absl::StatusOr<std::optional<Attribute>> ParseBy(std::string_view by) {
  if (by.empty() || by == "task") return std::optional<Attribute>();
  if (by == "rule") return std::optional<Attribute>(Attribute::kRules);
  for (const Attribute attribute : {Attribute::kApp, Attribute::kUnit, Attribute::kUser, Attribute::kComm}) {
    if (NameOf(attribute).key == by) return std::optional<Attribute>(attribute);
  }
  const std::vector<std::string> names = {"app", "unit", "user", "comm", "rule", "task"};
  return absl::InvalidArgumentError(fmt::format(
      "cannot group by '{}'{}", by, SuggestOr(std::string(by), names, "--by takes app, unit, user, comm, rule, task")));
}

absl::StatusOr<Field> ParseField(std::string_view name) {
  if (const AttributeName* attribute = FindAttribute(name)) return Field{.attribute = attribute->attribute};
  if (const MetricDesc* metric = FindMetric(name)) return Field{.metric = metric};
  return absl::InvalidArgumentError(
      fmt::format("unknown field '{}'{}", name, SuggestOr(name, FieldNames(), "`taskmonctl metrics` lists them")));
}

absl::StatusOr<std::vector<Field>> ParseFields(std::string_view text, RowKind kind) {
  std::vector<Field> fields;
  constexpr std::string_view kSeparators = ", ";
  for (size_t begin = 0; (begin = text.find_first_not_of(kSeparators, begin)) != std::string_view::npos;) {
    const size_t end = std::min(text.find_first_of(kSeparators, begin), text.size());
    absl::StatusOr<std::vector<Field>> more = Expand(text.substr(begin, end - begin), kind);
    if (!more.ok()) return more.status();
    for (const Field& field : *more) {
      if (std::find(fields.begin(), fields.end(), field) == fields.end()) fields.push_back(field);
    }
    begin = end;
  }
  if (fields.empty()) return absl::InvalidArgumentError("-f names no field; try -f default");
  return fields;
}

std::vector<uint32_t> MetricsFor(const std::vector<Field>& fields) {
  std::set<uint32_t> metrics;
  for (const Field& field : fields) {
    if (field.metric != nullptr) metrics.insert(field.metric->id);
    if (field.attribute == Attribute::kState) metrics.insert(v1::TASK_STATE);
  }
  if (metrics.size() == AllMetrics().size()) return {};
  if (metrics.empty()) metrics.insert(v1::TASK_STATE);
  return {metrics.begin(), metrics.end()};
}

}  // namespace taskmon::client

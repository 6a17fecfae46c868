// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/field.h"

#include <unordered_map>

namespace taskmon::query {
namespace {

const std::vector<Field>& AttributeFields() {
  static const auto* const fields = new std::vector<Field>{
      {"tid", FieldType::kNumber, Attribute::kTid},
      {"tgid", FieldType::kNumber, Attribute::kTgid},
      {"ppid", FieldType::kNumber, Attribute::kPpid},
      {"comm", FieldType::kText, Attribute::kComm},
      {"cmdline", FieldType::kText, Attribute::kCmdline},
      {"exe", FieldType::kText, Attribute::kExe},
      {"uid", FieldType::kNumber, Attribute::kUid},
      {"gid", FieldType::kNumber, Attribute::kGid},
      {"user", FieldType::kText, Attribute::kUser},
      {"app", FieldType::kText, Attribute::kApp},
      {"cgroup", FieldType::kText, Attribute::kCgroup},
      {"unit", FieldType::kText, Attribute::kUnit},
      {"container", FieldType::kText, Attribute::kContainer},
      {"kthread", FieldType::kBoolean, Attribute::kKthread},
      {"tracked", FieldType::kBoolean, Attribute::kTracked},
      {"rules", FieldType::kTextList, Attribute::kRules},
      {"rule", FieldType::kTextList, Attribute::kRules},
      {"age", FieldType::kDuration, Attribute::kAge},
      {"start_time", FieldType::kTime, Attribute::kStartTime},
  };
  return *fields;
}

FieldType TypeOf(v1::Unit unit) {
  switch (unit) {
    case v1::LETTER: return FieldType::kLetter;
    case v1::BOOLEAN: return FieldType::kBoolean;
    default: return FieldType::kNumber;
  }
}

const std::vector<Field>& AllFields() {
  static const auto* const fields = [] {
    auto* all = new std::vector<Field>(AttributeFields());
    for (const MetricDesc& metric : AllMetrics()) {
      all->push_back({metric.short_name, TypeOf(metric.unit), Attribute::kMetric, &metric});
    }
    for (const MetricDesc& metric : AllMetrics()) {
      all->push_back({metric.name, TypeOf(metric.unit), Attribute::kMetric, &metric});
    }
    return all;
  }();
  return *fields;
}

std::optional<double> ReadMetric(const Row& row, const MetricDesc& metric, CounterAs counter) {
  if (IsRedacted(row, metric.id)) return std::nullopt;
  if (metric.kind == v1::COUNTER && counter == CounterAs::kRate) return ResolveRate(row, metric.id);
  const std::optional<int64_t> value = ResolveValue(row, metric.id);
  if (!value) return std::nullopt;
  // Divided, not multiplied: 290 thousandths are then the same double as the 0.29 that somebody wrote.
  return static_cast<double>(*value) / static_cast<double>(metric.scale);
}

double Age(const Row& row) {
  const uint64_t now = row.snapshot->tick.boot_ns;
  const uint64_t start = row.info().key.start_ns;
  return now > start ? static_cast<double>(now - start) : 0;
}

std::optional<std::string_view> Known(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional<std::string_view>(text);
}

}  // namespace

const Field* FindField(std::string_view name) {
  static const auto* const by_name = [] {
    auto* table = new std::unordered_map<std::string_view, const Field*>;
    for (const Field& field : AllFields()) table->emplace(field.name, &field);
    return table;
  }();
  auto it = by_name->find(name);
  return it == by_name->end() ? nullptr : it->second;
}

const std::vector<std::string>& FieldNames() {
  static const auto* const names = [] {
    auto* list = new std::vector<std::string>;
    for (const Field& field : AllFields()) list->push_back(field.name);
    return list;
  }();
  return *names;
}

std::optional<double> ReadNumber(const Row& row, const Field& field, CounterAs counter) {
  const TaskInfo& info = row.info();
  switch (field.attribute) {
    case Attribute::kMetric: return ReadMetric(row, *field.metric, counter);
    case Attribute::kTid: return info.key.tid;
    case Attribute::kTgid: return info.tgid;
    case Attribute::kPpid: return info.ppid;
    case Attribute::kUid: return info.uid;
    case Attribute::kGid: return info.gid;
    case Attribute::kKthread: return info.kthread;
    case Attribute::kTracked: return info.tracked;
    case Attribute::kAge: return Age(row);
    case Attribute::kStartTime: return static_cast<double>(info.start_wall_ns);
    default: return std::nullopt;
  }
}

bool IsHidden(const Row& row, const Field& field) {
  switch (field.attribute) {
    case Attribute::kMetric: return IsRedacted(row, field.metric->id);
    case Attribute::kCmdline: return !row.names_visible().cmdline;
    case Attribute::kExe: return !row.names_visible().exe;
    default: return false;
  }
}

std::optional<std::string_view> ReadText(const Row& row, const Field& field) {
  const TaskInfo& info = row.info();
  switch (field.attribute) {
    case Attribute::kComm: return info.comm;
    case Attribute::kCmdline: return row.cmdline_visible ? std::optional<std::string_view>(info.cmdline) : std::nullopt;
    case Attribute::kExe: return row.names_visible().exe ? std::optional<std::string_view>(info.exe) : std::nullopt;
    case Attribute::kUser: return Known(info.user);
    case Attribute::kApp: return info.app;
    case Attribute::kCgroup: return info.cgroup;
    case Attribute::kUnit: return info.unit;
    case Attribute::kContainer: return info.container;
    default: return std::nullopt;
  }
}

}  // namespace taskmon::query

// SPDX-License-Identifier: Apache-2.0
#include "proto/catalogue.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <unordered_map>

namespace taskmon {
namespace {

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

v1::Metric MaximumNamed(const std::string& name, const std::vector<MetricDesc>& all) {
  auto it = std::find_if(all.begin(), all.end(), [&](const MetricDesc& metric) { return metric.name == name; });
  return it == all.end() ? v1::METRIC_UNSPECIFIED : it->id;
}

std::vector<MetricDesc> BuildCatalogue() {
  std::vector<MetricDesc> all;
  std::map<v1::Metric, std::string> witness_of;
  const google::protobuf::EnumDescriptor* metrics = v1::Metric_descriptor();
  for (int i = 0; i < metrics->value_count(); ++i) {
    const google::protobuf::EnumValueDescriptor* value = metrics->value(i);
    if (value->number() == v1::METRIC_UNSPECIFIED) continue;
    const v1::MetricInfo& info = value->options().GetExtension(v1::info);
    witness_of[static_cast<v1::Metric>(value->number())] = info.witness_of();
    all.push_back({.id = static_cast<v1::Metric>(value->number()),
                   .name = Lower(value->name()),
                   .short_name = info.short_name(),
                   .unit = info.unit(),
                   .kind = info.kind(),
                   .visibility = info.visibility(),
                   .group = info.group(),
                   .aggregation = info.aggregation(),
                   .scale = info.scale() == 0 ? 1 : info.scale(),
                   .source = info.source(),
                   .help = info.help(),
                   .hook = info.hook(),
                   .quantum = info.quantum(),
                   .digits = info.digits(),
                   .kept_from = info.kept_from()});
  }
  for (MetricDesc& metric : all) metric.witness_of = MaximumNamed(witness_of[metric.id], all);
  std::sort(all.begin(), all.end(), [](const MetricDesc& a, const MetricDesc& b) { return a.id < b.id; });
  return all;
}

}  // namespace

const std::vector<MetricDesc>& AllMetrics() {
  static const auto* const all = new std::vector<MetricDesc>(BuildCatalogue());
  return *all;
}

bool IsMetric(uint32_t id) { return id != 0 && v1::Metric_IsValid(static_cast<int>(id)); }

const MetricDesc& Describe(v1::Metric id) {
  static const auto* const by_number = [] {
    auto* table = new std::vector<const MetricDesc*>(v1::Metric_MAX + 1, nullptr);
    for (const MetricDesc& metric : AllMetrics()) (*table)[metric.id] = &metric;
    return table;
  }();
  return *(*by_number)[id];
}

const MetricDesc* FindMetric(std::string_view name) {
  static const auto* const by_name = [] {
    auto* table = new std::unordered_map<std::string_view, const MetricDesc*>;
    for (const MetricDesc& metric : AllMetrics()) {
      table->emplace(metric.name, &metric);
      table->emplace(metric.short_name, &metric);
    }
    return table;
  }();
  auto it = by_name->find(name);
  return it == by_name->end() ? nullptr : it->second;
}

std::string_view UnitName(v1::Unit unit) {
  switch (unit) {
    case v1::COUNT: return "count";
    case v1::BYTES: return "bytes";
    case v1::NANOSECONDS: return "ns";
    case v1::JIFFIES: return "jiffies";
    case v1::PERCENT: return "percent";
    case v1::LETTER: return "letter";
    case v1::BOOLEAN: return "boolean";
    case v1::NUMBER: return "number";
    default: return "unknown";
  }
}

std::string_view KindName(v1::Kind kind) {
  switch (kind) {
    case v1::COUNTER: return "counter";
    case v1::GAUGE: return "gauge";
    case v1::WINDOW_MAX: return "window_max";
    default: return "unknown";
  }
}

std::string_view VisibilityName(v1::Visibility visibility) { return visibility == v1::GUARDED ? "guarded" : "public"; }

std::string_view GroupName(v1::Group group) {
  static const auto* const names = [] {
    auto* table = new std::vector<std::string>;
    for (int i = 0; i <= v1::Group_MAX; ++i) {
      table->push_back(Lower(v1::Group_Name(static_cast<v1::Group>(i))));
    }
    return table;
  }();
  return v1::Group_IsValid(group) ? std::string_view((*names)[group]) : "unknown";
}

v1::Group FindGroup(std::string_view name) {
  for (int i = 1; i <= v1::Group_MAX; ++i) {
    if (GroupName(static_cast<v1::Group>(i)) == name) return static_cast<v1::Group>(i);
  }
  return v1::GROUP_UNSPECIFIED;
}

}  // namespace taskmon

// SPDX-License-Identifier: Apache-2.0
//
// The metric catalogue as C++ reads it: one MetricDesc per value of v1::Metric, built once from the descriptors of
// metric.proto. Immutable after first use, safe from every thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "taskmon/v1/metric.pb.h"

namespace taskmon {

struct MetricDesc {
  v1::Metric id;
  std::string name;        // task_utime_jiffies
  std::string short_name;  // utime
  v1::Unit unit;
  v1::Kind kind;
  v1::Visibility visibility;
  v1::Group group;
  v1::Aggregation aggregation;
  int64_t scale;  // held values are integers of 1/scale unit; at least 1
  std::string source;
  std::string help;
  std::string hook;                                // empty: needs no hook
  v1::Metric witness_of = v1::METRIC_UNSPECIFIED;  // the window maximum whose circumstances it tells
  // What the history keeps, see MetricInfo.
  int64_t quantum = 0;
  uint32_t digits = 0;
  int64_t kept_from = 0;
};

// Every metric in the order of its number.
const std::vector<MetricDesc>& AllMetrics();

// The descriptor of a valid metric number. Precondition: IsMetric(id).
const MetricDesc& Describe(v1::Metric id);
bool IsMetric(uint32_t id);

// By full or short name; nullptr when there is none.
const MetricDesc* FindMetric(std::string_view name);

// Lower-case words for people and JSON: "ns", "bytes", "counter", "cpu", "guarded".
std::string_view UnitName(v1::Unit unit);
std::string_view KindName(v1::Kind kind);
std::string_view GroupName(v1::Group group);
std::string_view VisibilityName(v1::Visibility visibility);

// Group by its lower-case name; GROUP_UNSPECIFIED when there is none.
v1::Group FindGroup(std::string_view name);

}  // namespace taskmon

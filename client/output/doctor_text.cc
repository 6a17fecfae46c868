// SPDX-License-Identifier: Apache-2.0
#include "client/output/doctor_text.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "client/output/escape.h"
#include "client/output/json_object.h"
#include "client/output/wrap.h"
#include "proto/catalogue.h"

namespace taskmon::client {
namespace {

std::string ChecksText(const v1::Doctor& doctor, size_t line_width) {
  size_t width = 0;
  for (const v1::Check& check : doctor.checks()) width = std::max(width, DisplayWidth(TerminalSafe(check.name())));
  std::string text;
  for (const v1::Check& check : doctor.checks()) {
    text += fmt::format("{:<11}  {:<{}}  {}", HealthName(check.health()), TerminalSafe(check.name()), width,
                        Wrapped(TerminalSafe(check.reason()), 15 + width, line_width));
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
    if (!check.remedy().empty())
      text += fmt::format("{:13}-> {}\n", "", Wrapped(TerminalSafe(check.remedy()), 16, line_width));
  }
  return text;
}

// Metrics that share a fate are told together: one missing hook takes several with it.
std::string MetricsText(const v1::Doctor& doctor, size_t line_width) {
  std::map<std::pair<v1::Health, std::string>, std::vector<std::string>> ailing;
  int working = 0;
  for (const v1::MetricHealth& metric : doctor.metrics()) {
    if (!IsMetric(metric.metric())) continue;
    if (metric.health() == v1::WORKS) {
      ++working;
    } else {
      ailing[{metric.health(), metric.reason()}].push_back(
          Describe(static_cast<v1::Metric>(metric.metric())).short_name);
    }
  }
  if (doctor.metrics().empty()) return "";
  std::string text = fmt::format("\n{} of {} metrics work\n", working, doctor.metrics_size());
  for (const auto& [fate, names] : ailing) {
    text += fmt::format("{:<11}  {}\n{:16}{}\n", HealthName(fate.first),
                        Wrapped(fmt::format("{}", fmt::join(names, " ")), 13, line_width), "",
                        Wrapped(TerminalSafe(fate.second), 16, line_width));
  }
  return text;
}

void CheckKeys(const v1::Check& check, JsonObject* object) {
  object->String("name", check.name());
  object->String("health", HealthName(check.health()));
  object->String("reason", check.reason());
  object->String("remedy", check.remedy());
}

void MetricKeys(const v1::MetricHealth& metric, JsonObject* object) {
  object->String("name",
                 IsMetric(metric.metric()) ? Describe(static_cast<v1::Metric>(metric.metric())).name : "unknown");
  object->String("health", HealthName(metric.health()));
  object->String("reason", metric.reason());
}

void DoctorKeys(const v1::Doctor& doctor, JsonObject* object) {
  object->Array("checks", doctor.checks(), CheckKeys);
  object->Array("metrics", doctor.metrics(), MetricKeys);
}

}  // namespace

std::string_view HealthName(v1::Health health) {
  switch (health) {
    case v1::WORKS: return "works";
    case v1::DEGRADED: return "degraded";
    case v1::UNAVAILABLE: return "unavailable";
    default: return "unknown";
  }
}

std::string DoctorText(const v1::Doctor& doctor, const Terminal& terminal) {
  return ChecksText(doctor, terminal.width) + MetricsText(doctor, terminal.width);
}

std::string DoctorJson(const v1::Doctor& doctor) { return JsonObject::Text(doctor, DoctorKeys); }

std::string DoctorSchema() { return JsonObject::Described<v1::Doctor>(DoctorKeys); }

}  // namespace taskmon::client

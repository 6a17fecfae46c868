// SPDX-License-Identifier: Apache-2.0
#include "client/output/json_object.h"

#include <cmath>

#include <fmt/format.h>

#include "client/output/escape.h"
#include "daemon/query/time_spec.h"

namespace taskmon::client {

JsonObject::JsonObject(std::string* out) : out_(out) { out_->push_back('{'); }

bool JsonObject::Begin(std::string_view key, std::string_view type) {
  if (schema_ != nullptr) {
    schema_->Add(key, type, !optional_);
    return false;
  }
  if (!first_) out_->push_back(',');
  first_ = false;
  AppendText(key);
  out_->push_back(':');
  return true;
}

void JsonObject::AppendText(std::string_view text) { AppendJsonString(text, out_); }

void JsonObject::AppendNumber(bool known, double value) {
  out_->append(known && std::isfinite(value) ? fmt::format("{}", value) : "null");
}

void JsonObject::String(std::string_view key, std::string_view value) {
  if (Begin(key, R"({"type":"string"})")) AppendText(value);
}

void JsonObject::StringOrNull(std::string_view key, bool known, std::string_view value) {
  if (!Begin(key, R"({"type":["string","null"]})")) return;
  known ? AppendText(value) : (void)out_->append("null");
}

void JsonObject::Number(std::string_view key, double value) {
  if (Begin(key, R"({"type":"number"})")) AppendNumber(true, value);
}

void JsonObject::Bool(std::string_view key, bool value) {
  if (Begin(key, R"({"type":"boolean"})")) out_->append(value ? "true" : "false");
}

void JsonObject::Time(std::string_view key, int64_t time_ns) {
  if (Begin(key, R"({"type":"string","format":"date-time"})")) AppendText(query::FormatRfc3339(time_ns));
}

void JsonObject::TimeOrNull(std::string_view key, int64_t time_ns) {
  if (!Begin(key, R"({"type":["string","null"],"format":"date-time"})")) return;
  time_ns == 0 ? (void)out_->append("null") : AppendText(query::FormatRfc3339(time_ns));
}

void JsonObject::Times(const std::string& key, int64_t time_ns) {
  Time(key, time_ns);
  Number(key + "_ns", time_ns);
}

void JsonObject::Metric(const MetricDesc& metric, int64_t value) {
  if (Begin(metric.name, [&] { return MetricType(metric); })) AppendJsonValue(metric, value, out_);
}

void JsonObject::Close() { out_->push_back('}'); }

}  // namespace taskmon::client

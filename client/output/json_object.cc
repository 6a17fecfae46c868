// SPDX-License-Identifier: Apache-2.0
#include "client/output/json_object.h"

#include <cmath>

#include <fmt/format.h>

#include "client/output/escape.h"

namespace taskmon::client {

JsonObject::JsonObject(std::string* out) : out_(out) { out_->push_back('{'); }

std::string* JsonObject::Key(std::string_view key) {
  if (!first_) out_->push_back(',');
  first_ = false;
  AppendJsonString(key, out_);
  out_->push_back(':');
  return out_;
}

void JsonObject::String(std::string_view key, std::string_view value) { AppendJsonString(value, Key(key)); }

void JsonObject::Number(std::string_view key, double value) {
  Key(key)->append(std::isfinite(value) ? fmt::format("{}", value) : "null");
}

void JsonObject::Bool(std::string_view key, bool value) { Key(key)->append(value ? "true" : "false"); }

void JsonObject::Null(std::string_view key) { Key(key)->append("null"); }

void JsonObject::Metric(const MetricDesc& metric, int64_t value) { AppendJsonValue(metric, value, Key(metric.name)); }

void JsonObject::Close() { out_->push_back('}'); }

}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
#include "client/output/json_schema.h"

#include <fmt/format.h>

#include "client/output/escape.h"

namespace taskmon::client {
namespace {

std::string Quoted(std::string_view text) {
  std::string quoted;
  AppendJsonString(text, &quoted);
  return quoted;
}

std::string_view PlainType(const MetricDesc& metric) {
  if (metric.unit == v1::LETTER) return R"("type":"string","minLength":1,"maxLength":1)";
  return metric.unit == v1::PERCENT && metric.scale > 1 ? R"("type":"number")" : R"("type":"integer")";
}

}  // namespace

void JsonSchema::Add(std::string_view key, std::string_view type, bool required) {
  if (!keys_.emplace(key).second) return;
  const std::string quoted = Quoted(key);
  properties_ += fmt::format("{}\n{}:{}", properties_.empty() ? "" : ",", quoted, type);
  if (required) required_ += (required_.empty() ? "" : ",") + quoted;
}

std::string JsonSchema::Text() const {
  return fmt::format(R"({{"type":"object","additionalProperties":false,"properties":{{{}}},"required":[{}]}})",
                     properties_, required_);
}

std::string MetricType(const MetricDesc& metric) {
  const std::string help = fmt::format("{} ({}, {})", metric.help, UnitName(metric.unit), KindName(metric.kind));
  return fmt::format(R"({{{},"description":{}}})", PlainType(metric), Quoted(help));
}

std::string ArrayType(std::string_view items) { return fmt::format(R"({{"type":"array","items":{}}})", items); }

std::string MapType(std::string_view values) {
  return fmt::format(R"({{"type":"object","additionalProperties":{}}})", values);
}

std::string SchemaDocument(std::string_view title, const std::vector<std::string>& schemas, bool array) {
  std::string schema =
      schemas.size() == 1 ? schemas.front() : fmt::format("{{\"anyOf\":[{}]}}", fmt::join(schemas, ",\n"));
  if (array) schema = ArrayType(schema);
  // The schema is the document itself, without its opening brace.
  return fmt::format(R"({{"$schema":"https://json-schema.org/draft/2020-12/schema","title":{},)", Quoted(title)) +
         schema.substr(1) + "\n";
}

}  // namespace taskmon::client

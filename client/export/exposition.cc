// SPDX-License-Identifier: Apache-2.0
#include "client/export/exposition.h"

#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "client/output/escape.h"

namespace taskmon::client {
namespace {

std::string Escaped(std::string_view text, bool quotes) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\n') {
      escaped += "\\n";
      continue;
    }
    if (c == '\\' || (quotes && c == '"')) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string NumberText(double value) {
  const bool whole = std::abs(value) < 9e15 && value == std::floor(value);
  return whole ? std::to_string(static_cast<long long>(value)) : fmt::format("{}", value);
}

}  // namespace

std::string_view ContentType(Dialect dialect) {
  return dialect == Dialect::kOpenMetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                          : "text/plain; version=0.0.4; charset=utf-8";
}

void Exposition::Begin(MetricFamily family) {
  family_ = std::move(family);
  head_written_ = false;
}

// The Prometheus format knows no units, and its family has the name of its samples.
void Exposition::WriteHead() {
  head_written_ = true;
  const bool counter = family_.type == MetricFamily::Type::kCounter;
  const bool open = dialect_ == Dialect::kOpenMetrics;
  const std::string name = family_.name + (counter && !open ? "_total" : "");
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, Escaped(family_.help, open), name,
                       counter ? "counter" : "gauge");
  if (open && !family_.unit.empty()) text_ += fmt::format("# UNIT {} {}\n", name, family_.unit);
}

void Exposition::Add(const std::vector<MetricLabel>& labels, double value) {
  if (!head_written_) WriteHead();
  text_ += family_.name;
  if (family_.type == MetricFamily::Type::kCounter) text_ += "_total";
  for (size_t i = 0; i < labels.size(); ++i) {
    text_ += fmt::format("{}{}=\"{}\"", i == 0 ? '{' : ',', labels[i].name,
                         Escaped(TerminalSafe(std::string(labels[i].value)), /*quotes=*/true));
  }
  if (!labels.empty()) text_ += '}';
  text_ += ' ' + NumberText(value) + '\n';
}

void Exposition::Single(MetricFamily family, double value) {
  Begin(std::move(family));
  Add({}, value);
}

std::string Exposition::Finish() {
  if (dialect_ == Dialect::kOpenMetrics) text_ += "# EOF\n";
  return std::move(text_);
}

}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
//
// Writes metric families in the OpenMetrics text format, or in the Prometheus text format 0.0.4 for scrapers that do
// not ask for OpenMetrics. Pure: text is all it makes. A family without values leaves nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace taskmon::client {

enum class Dialect { kOpenMetrics, kPrometheus };

std::string_view ContentType(Dialect dialect);

struct MetricFamily {
  std::string name;  // without _total, ending in the unit where there is one
  enum class Type { kCounter, kGauge } type = Type::kGauge;
  std::string unit;  // "seconds", "bytes", "ratio"; empty: a number
  std::string help;
};

struct MetricLabel {
  std::string_view name;
  std::string_view value;
};

class Exposition {
 public:
  explicit Exposition(Dialect dialect) : dialect_(dialect) {}

  // What follows belongs to this family. Each family once.
  void Begin(MetricFamily family);
  void Add(const std::vector<MetricLabel>& labels, double value);
  // A family of one value.
  void Single(MetricFamily family, double value);
  // The whole text; nothing may follow.
  std::string Finish();

 private:
  void WriteHead();

  Dialect dialect_;
  MetricFamily family_;
  bool head_written_ = false;
  std::string text_;
};

}  // namespace taskmon::client

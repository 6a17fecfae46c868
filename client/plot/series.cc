// SPDX-License-Identifier: Apache-2.0
#include "client/plot/series.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace taskmon::client::plot {
namespace {

void Raise(double value, double* column) {
  if (std::isnan(*column) || value > *column) *column = value;
}

}  // namespace

uint64_t NiceStep(int64_t at_least_ns) {
  constexpr int64_t kSecond = 1'000'000'000;
  for (const int64_t seconds : {1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200}) {
    if (seconds * kSecond >= at_least_ns) return static_cast<uint64_t>(seconds * kSecond);
  }
  return static_cast<uint64_t>(86400 * kSecond);
}

int64_t UsualStep(const std::vector<Point>& points) {
  std::vector<int64_t> steps;
  for (size_t i = 1; i < points.size(); ++i) steps.push_back(points[i].time_ns - points[i - 1].time_ns);
  if (steps.empty()) return 0;
  const auto middle = steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2);
  std::nth_element(steps.begin(), middle, steps.end());
  return *middle;
}

std::vector<double> Columns(const std::vector<Point>& points, int64_t begin_ns, int64_t end_ns, size_t columns) {
  std::vector<double> values(columns, std::numeric_limits<double>::quiet_NaN());
  if (end_ns <= begin_ns || columns == 0) return values;
  const double scale = static_cast<double>(columns) / static_cast<double>(end_ns - begin_ns);
  const auto column_of = [&](int64_t time_ns) {
    return static_cast<std::ptrdiff_t>(std::floor(static_cast<double>(time_ns - begin_ns) * scale));
  };
  const int64_t reach_ns = UsualStep(points) * 5 / 2;
  for (size_t i = 0; i < points.size(); ++i) {
    if (std::isnan(points[i].value)) continue;
    const std::ptrdiff_t last = column_of(points[i].time_ns);
    std::ptrdiff_t first = last;
    const bool joined =
        i > 0 && !std::isnan(points[i - 1].value) && points[i].time_ns - points[i - 1].time_ns <= reach_ns;
    if (joined) first = std::min(last, column_of(points[i - 1].time_ns) + 1);
    for (std::ptrdiff_t c = std::max<std::ptrdiff_t>(0, first); c <= last && c < static_cast<std::ptrdiff_t>(columns);
         ++c) {
      Raise(points[i].value, &values[static_cast<size_t>(c)]);
    }
  }
  return values;
}

}  // namespace taskmon::client::plot

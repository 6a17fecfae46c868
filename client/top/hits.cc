// SPDX-License-Identifier: Apache-2.0
#include "client/top/hits.h"

#include <algorithm>
#include <cmath>

namespace taskmon::client::top {
namespace {

constexpr double kBusyTimes = 2;
constexpr double kLeastPercent = 10;

double UsualCpu(const std::vector<TotalsPoint>& points) {
  std::vector<double> values;
  for (const TotalsPoint& point : points) {
    if (!std::isnan(point.get(Total::kCpu))) values.push_back(point.get(Total::kCpu));
  }
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::vector<int64_t> AllHits(const std::vector<TotalsPoint>& points, const std::vector<Mark>& marks) {
  std::vector<int64_t> hits;
  for (const Mark& mark : marks) hits.push_back(mark.kind == Mark::Kind::kGap ? mark.end_ns : mark.begin_ns);
  const double busy = UsualCpu(points) * kBusyTimes + kLeastPercent;
  bool before = false;
  for (const TotalsPoint& point : points) {
    const bool now = point.get(Total::kCpu) >= busy;  // false: not known
    if (now && !before) hits.push_back(point.time_ns);
    before = now;
  }
  std::sort(hits.begin(), hits.end());
  return hits;
}

}  // namespace

std::optional<int64_t> NextHit(const std::vector<TotalsPoint>& points, const std::vector<Mark>& marks, int64_t from_ns,
                               int direction) {
  const std::vector<int64_t> hits = AllHits(points, marks);
  const auto after = std::upper_bound(hits.begin(), hits.end(), from_ns);
  if (direction > 0) return after == hits.end() ? std::nullopt : std::optional<int64_t>(*after);
  return after == hits.begin() ? std::nullopt : std::optional<int64_t>(*(after - 1));
}

}  // namespace taskmon::client::top

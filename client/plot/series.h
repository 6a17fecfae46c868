// SPDX-License-Identifier: Apache-2.0
//
// Readings over time made fit for a number of columns. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace taskmon::client::plot {

struct Point {
  int64_t time_ns = 0;
  double value = 0;  // NaN: not known
};

// For each of `columns` equal parts of [begin, end) the largest value in it. A part between two readings that lie no
// farther apart than readings usually do has the later one's; a longer stretch without a reading stays NaN.
std::vector<double> Columns(const std::vector<Point>& points, int64_t begin_ns, int64_t end_ns, size_t columns);

// A length of time in ns, at least that long, of which stored coarse ticks are equal parts where it is long.
uint64_t NiceStep(int64_t at_least_ns);

// The usual time between two readings; 0 for fewer than two.
int64_t UsualStep(const std::vector<Point>& points);

}  // namespace taskmon::client::plot

// SPDX-License-Identifier: Apache-2.0
//
// A graph with axes, as lines of text:
//
//   cpu (%)                                              mean 12.3  max 98.1
//    100 ┤⠀⠀⣀⡀
//     50 ┤⠀⡜⠀⢱
//      0 ┼─┬────────────┬─────
//        08:15        08:16          UTC
//
// Pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "client/plot/series.h"

namespace taskmon::client::plot {

struct GraphOptions {
  int width = 80;  // of the whole
  int rows = 6;    // of the curve
  int64_t begin_ns = 0;
  int64_t end_ns = 0;
  bool bytes = false;                        // the axis is divided for bytes
  bool bars = false;                         // filled from below, as for counts in equal parts; otherwise a line
  std::function<std::string(double)> label;  // a value for people, at most 7 cells
  std::function<std::string(int64_t)> time;  // "08:15", the same length for all
};

// Without a title; the last line has the times. A curve is interrupted where nothing is known.
std::vector<std::string> Graph(const std::vector<Point>& points, const GraphOptions& options);

// Columns of blocks, one for each value, highest `rows` cells; 0 is blank, NaN a shade on the ground.
std::vector<std::string> BlockColumns(const std::vector<double>& values, int rows, double top);

}  // namespace taskmon::client::plot

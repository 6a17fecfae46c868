// SPDX-License-Identifier: Apache-2.0
#include "client/plot/graph.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "client/plot/dots.h"
#include "client/plot/spark.h"

namespace taskmon::client::plot {
namespace {

constexpr int kLabel = 8;     // cells before the axis
constexpr int kBetween = 14;  // cells between two times, at least

double Highest(const std::vector<double>& values) {
  double top = 0;
  for (const double value : values) top = value > top ? value : top;
  return top;
}

// Each column's dot, joined with the one before.
Dots Curve(const std::vector<double>& columns, int cells, int rows, double top) {
  Dots dots(cells, rows);
  const auto y_of = [&](double value) {
    return dots.height() - 1 - static_cast<int>(std::lround(value / top * (dots.height() - 1)));
  };
  for (size_t x = 0; x < columns.size(); ++x) {
    if (std::isnan(columns[x])) continue;
    const bool joined = x > 0 && !std::isnan(columns[x - 1]);
    const auto at = static_cast<int>(x);
    if (joined) {
      dots.Line(at - 1, y_of(columns[x - 1]), at, y_of(columns[x]));
    } else {
      dots.Set(at, y_of(columns[x]));
    }
  }
  return dots;
}

std::string Times(const GraphOptions& options, int cells, std::string* axis) {
  const auto length = static_cast<int>(options.time(options.begin_ns).size());
  const int every = std::max(kBetween, length + 2);
  std::string line(static_cast<size_t>(kLabel), ' ');
  for (int x = 0; x < cells; ++x) {
    const bool tick = x % every == 0 && x + length <= cells;
    *axis += tick ? "┬" : "─";
    if (!tick) continue;
    line.resize(static_cast<size_t>(kLabel + x), ' ');
    line += options.time(options.begin_ns + (options.end_ns - options.begin_ns) / cells * x);
  }
  return line;
}

}  // namespace

std::vector<std::string> BlockColumns(const std::vector<double>& values, int rows, double top) {
  std::vector<std::string> lines;
  for (int row = rows - 1; row >= 0; --row) {
    std::string line;
    for (const double value : values) {
      const double share = value > 0 && top > 0 ? value / top * rows - row : 0;
      // Something is never nothing.
      const double seen = row == 0 && value > 0 ? std::max(share, 0.125) : share;
      if (std::isnan(value) && row == 0) {
        line += "░";
        continue;
      }
      line += seen >= 0.0625 ? Block(std::min(1.0, seen)) : " ";
    }
    lines.push_back(line);
  }
  return lines;
}

std::vector<std::string> Graph(const std::vector<Point>& points, const GraphOptions& options) {
  const int cells = std::max(10, options.width - kLabel - 1);
  std::vector<std::string> curve;
  double top = 1;
  if (options.bars) {
    const std::vector<double> columns = Columns(points, options.begin_ns, options.end_ns, static_cast<size_t>(cells));
    top = options.bytes ? NiceTopBytes(Highest(columns)) : NiceTop(Highest(columns));
    curve = BlockColumns(columns, options.rows, top);
  } else {
    const std::vector<double> columns =
        Columns(points, options.begin_ns, options.end_ns, static_cast<size_t>(cells) * 2);
    top = options.bytes ? NiceTopBytes(Highest(columns)) : NiceTop(Highest(columns));
    const Dots dots = Curve(columns, cells, options.rows, top);
    for (int row = 0; row < options.rows; ++row) curve.push_back(dots.Row(row));
  }
  std::vector<std::string> lines;
  for (int row = 0; row < options.rows; ++row) {
    const bool labelled = row == 0 || row == options.rows / 2;
    const double value = top * (options.rows - row) / options.rows;
    std::string& line = lines.emplace_back(
        fmt::format("{:>{}}{}", labelled ? options.label(value) : "", kLabel - 1, labelled ? "┤" : "│"));
    line += curve[static_cast<size_t>(row)];
    line.erase(line.find_last_not_of(' ') + 1);
  }
  std::string axis = fmt::format("{:>{}}┼", options.label(0), kLabel - 1);
  const std::string times = Times(options, cells, &axis);
  lines.push_back(axis);
  lines.push_back(times);
  return lines;
}

}  // namespace taskmon::client::plot

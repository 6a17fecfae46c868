// SPDX-License-Identifier: Apache-2.0
#include "client/plot/spark.h"

#include <algorithm>
#include <cmath>

#include "client/plot/dots.h"

namespace taskmon::client::plot {
namespace {

// A glyph of eight in a row of Unicode: U+2581… from below, U+258F… (backwards) from the left.
std::string Eighth(int eighths, bool from_below) {
  if (eighths <= 0) return " ";
  const int low = from_below ? 0x80 + eighths : 0x90 - eighths;
  return {static_cast<char>(0xe2), static_cast<char>(0x96), static_cast<char>(low)};
}

int Parts(double share, int whole) {
  if (!(share > 0)) return 0;
  return std::clamp(static_cast<int>(std::lround(share * whole)), 1, whole);
}

}  // namespace

std::vector<std::string> Spark(const std::vector<double>& values, int cells_wide, int cells_high, double top) {
  Dots dots(cells_wide, cells_high);
  const int count = std::min(static_cast<int>(values.size()), dots.width());
  const auto newest = values.end() - count;
  if (top <= 0) {
    for (auto it = newest; it != values.end(); ++it) top = *it > top ? *it : top;
  }
  for (int i = 0; i < count; ++i) {
    const double value = newest[i];
    const int filled = top > 0 ? Parts(value / top, dots.height()) : 0;
    if (filled > 0) dots.Column(dots.width() - count + i, dots.height() - filled, dots.height() - 1);
  }
  std::vector<std::string> rows;
  for (int row = 0; row < cells_high; ++row) rows.push_back(dots.Row(row));
  return rows;
}

std::string Block(double share) { return Eighth(Parts(share, 8), true); }

std::string Bar(double share, int cells) {
  const int eighths = Parts(share, cells * 8);
  std::string bar;
  for (int i = 0; i < cells; ++i) bar += Eighth(std::min(8, eighths - i * 8), false);
  return bar;
}

double NiceTopBytes(double bytes) {
  double unit = 1;
  while (bytes > 500 * unit && unit < 1e18) unit *= 1024;
  return NiceTop(bytes / unit) * unit;
}

double NiceTop(double value) {
  if (!(value > 0)) return 1;
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (const double step : {1.0, 2.0, 5.0}) {
    if (value <= step * power * 1.0000001) return step * power;
  }
  return 10 * power;
}

}  // namespace taskmon::client::plot

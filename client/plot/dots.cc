// SPDX-License-Identifier: Apache-2.0
#include "client/plot/dots.h"

#include <algorithm>
#include <cstdlib>

namespace taskmon::client::plot {
namespace {

// The bit of each dot in U+2800…U+28FF, by row and column.
constexpr uint8_t kBit[Dots::kDown][Dots::kAcross] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};

}  // namespace

Dots::Dots(int cells_wide, int cells_high)
    : cells_wide_(std::max(0, cells_wide)),
      cells_high_(std::max(0, cells_high)),
      cells_(static_cast<size_t>(cells_wide_) * static_cast<size_t>(cells_high_)) {}

void Dots::Set(int x, int y) {
  if (x < 0 || y < 0 || x >= width() || y >= height()) return;
  const int cell = y / kDown * cells_wide_ + x / kAcross;
  cells_[static_cast<size_t>(cell)] |= kBit[y % kDown][x % kAcross];
}

void Dots::Column(int x, int y1, int y2) {
  const int last = std::min(std::max(y1, y2), height() - 1);
  for (int y = std::max(0, std::min(y1, y2)); y <= last; ++y) Set(x, y);
}

void Dots::Line(int x1, int y1, int x2, int y2) {
  const int steps = std::max(std::abs(x2 - x1), std::abs(y2 - y1));
  if (steps == 0) return Set(x1, y1);
  for (int i = 0; i <= steps; ++i) {
    // Rounded to the nearest dot, halves upwards, without leaving integers.
    const int x = x1 + (2 * i * (x2 - x1) + steps) / (2 * steps);
    const int dy = y2 - y1;
    const int y = y1 + (dy >= 0 ? (2 * i * dy + steps) / (2 * steps) : -((-2 * i * dy + steps) / (2 * steps)));
    Set(x, y);
  }
}

std::string Dots::Cell(int cell_column, int cell_row) const {
  const uint8_t bits = cells_[static_cast<size_t>(cell_row * cells_wide_ + cell_column)];
  if (bits == 0) return " ";
  return {static_cast<char>(0xe2), static_cast<char>(0xa0 | bits >> 6), static_cast<char>(0x80 | (bits & 0x3f))};
}

std::string Dots::Row(int cell_row) const {
  std::string row;
  for (int x = 0; x < cells_wide_; ++x) row += Cell(x, cell_row);
  return row;
}

}  // namespace taskmon::client::plot

// SPDX-License-Identifier: Apache-2.0
//
// A drawing surface of braille dots: every character cell holds 2 x 4 of them, so that a curve has eight times as many
// points as a terminal has cells. Dot (0, 0) is at the top left; dots outside are left out. A value.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace taskmon::client::plot {

class Dots {
 public:
  static constexpr int kAcross = 2;  // dots of one cell
  static constexpr int kDown = 4;

  Dots(int cells_wide, int cells_high);

  int width() const { return cells_wide_ * kAcross; }
  int height() const { return cells_high_ * kDown; }

  void Set(int x, int y);
  // All dots of column x from y1 to y2, in either order.
  void Column(int x, int y1, int y2);
  void Line(int x1, int y1, int x2, int y2);

  // One row of cells as UTF-8; a cell without dots is a blank.
  std::string Row(int cell_row) const;
  std::string Cell(int cell_column, int cell_row) const;

 private:
  int cells_wide_;
  int cells_high_;
  std::vector<uint8_t> cells_;
};

}  // namespace taskmon::client::plot

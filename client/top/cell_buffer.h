// SPDX-License-Identifier: Apache-2.0
//
// A screen as cells with styles, drawn without a terminal, so that tests can look at it. Whatever text is put in is
// made terminal safe here and nowhere else: names that tasks gave themselves cannot move the cursor. Anything outside
// the buffer is cut off. A value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace taskmon::client::top {

// What a cell says; the terminal decides how that looks on dark, on light and without colour.
enum class Style : uint8_t {
  kNormal,
  kDim,     // of lesser interest
  kTitle,   // the line at the top
  kHeader,  // column names
  kStrong,  // stands out
  kAccent,  // keys, the sort column
  kLow,     // meters and graphs, by how high
  kMiddle,
  kHigh,
  kMark,   // an anomaly
  kAlarm,  // an OOM kill, an error
  kEnded,  // a task that has ended
};

struct Cell {
  std::string glyph = " ";  // UTF-8; empty: the right half of a wide character
  Style style = Style::kNormal;
  bool selected = false;
};

class CellBuffer {
 public:
  CellBuffer(int width, int height);

  int width() const { return width_; }
  int height() const { return height_; }
  const Cell& at(int x, int y) const { return cells_[Index(x, y)]; }

  // Puts text at (x, y), at most `room` cells of it (with "…" where it is cut); returns the x after it.
  int Put(int x, int y, std::string_view text, Style style = Style::kNormal, int room = 1 << 20);
  // The same, ending before x + room.
  void PutRight(int x, int y, std::string_view text, Style style, int room);
  void Fill(int x, int y, int width, Style style);
  // Everything in the row from x on is shown as the one chosen.
  void Select(int x, int y, int width);
  // The row of another buffer of the same width.
  void CopyRow(const CellBuffer& from, int from_y, int y);
  void Restyle(int x, int y, int width, Style style);

  // A row without its trailing blanks, and all rows with line feeds.
  std::string RowText(int y) const;
  std::string Text() const;

 private:
  size_t Index(int x, int y) const {
    return static_cast<size_t>(y) * static_cast<size_t>(width_) + static_cast<size_t>(x);
  }

  int width_;
  int height_;
  std::vector<Cell> cells_;
};

}  // namespace taskmon::client::top

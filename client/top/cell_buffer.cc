// SPDX-License-Identifier: Apache-2.0
#include "client/top/cell_buffer.h"

#include <algorithm>

#include "client/output/escape.h"

namespace taskmon::client::top {
namespace {

constexpr size_t kMostBytes = 32;  // of one cell: a letter may carry marks, but not a thousand

}  // namespace

CellBuffer::CellBuffer(int width, int height)
    : width_(std::max(0, width)),
      height_(std::max(0, height)),
      cells_(static_cast<size_t>(width_) * static_cast<size_t>(height_)) {}

int CellBuffer::Put(int x, int y, std::string_view text, Style style, int room) {
  if (y < 0 || y >= height_ || room <= 0) return x;
  const std::string shown = Cut(TerminalSafe(text), static_cast<size_t>(room));
  for (size_t pos = 0; pos < shown.size();) {
    const size_t start = pos;
    NextCodePoint(shown, &pos);
    const std::string_view glyph = std::string_view(shown).substr(start, pos - start);
    const int wide = static_cast<int>(DisplayWidth(glyph));
    if (wide == 0) {
      if (x > 0 && x <= width_ && at(x - 1, y).glyph.size() < kMostBytes) cells_[Index(x - 1, y)].glyph += glyph;
      continue;
    }
    if (x >= 0 && x + wide <= width_) {
      cells_[Index(x, y)] = {std::string(glyph), style};
      if (wide == 2) cells_[Index(x + 1, y)] = {"", style};
    }
    x += wide;
  }
  return x;
}

void CellBuffer::PutRight(int x, int y, std::string_view text, Style style, int room) {
  const std::string shown = Cut(TerminalSafe(text), static_cast<size_t>(std::max(0, room)));
  Put(x + room - static_cast<int>(DisplayWidth(shown)), y, shown, style, room);
}

void CellBuffer::Fill(int x, int y, int width, Style style) {
  if (y < 0 || y >= height_) return;
  for (int i = std::max(0, x); i < std::min(x + width, width_); ++i) cells_[Index(i, y)] = {" ", style};
}

void CellBuffer::Select(int x, int y, int width) {
  if (y < 0 || y >= height_) return;
  for (int i = std::max(0, x); i < std::min(x + width, width_); ++i) cells_[Index(i, y)].selected = true;
}

void CellBuffer::Restyle(int x, int y, int width, Style style) {
  if (y < 0 || y >= height_) return;
  for (int i = std::max(0, x); i < std::min(x + width, width_); ++i) cells_[Index(i, y)].style = style;
}

void CellBuffer::CopyRow(const CellBuffer& from, int from_y, int y) {
  if (y < 0 || y >= height_ || from_y < 0 || from_y >= from.height_) return;
  for (int x = 0; x < std::min(width_, from.width_); ++x) cells_[Index(x, y)] = from.at(x, from_y);
}

std::string CellBuffer::RowText(int y) const {
  std::string row;
  for (int x = 0; x < width_; ++x) row += at(x, y).glyph;
  row.erase(row.find_last_not_of(' ') + 1);
  return row;
}

std::string CellBuffer::Text() const {
  std::string text;
  for (int y = 0; y < height_; ++y) text += RowText(y) + "\n";
  return text;
}

}  // namespace taskmon::client::top

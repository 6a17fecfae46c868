// SPDX-License-Identifier: Apache-2.0
#include "client/output/table.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "client/output/escape.h"

namespace taskmon::client {
namespace {

// What a cut column keeps at least: enough to tell names apart.
constexpr size_t kNarrowText = 8;

std::string Padded(const std::string& text, size_t width, Align align, bool last) {
  const size_t used = DisplayWidth(text);
  if (used >= width) return text;
  const std::string blanks(width - used, ' ');
  if (align == Align::kRight) return blanks + text;
  return last ? text : text + blanks;
}

}  // namespace

Table::Table(std::vector<Column> columns, TableStyle style, Output* out)
    : columns_(std::move(columns)), style_(style), out_(out) {}

void Table::Add(std::vector<std::string> cells) { AddLine({.cells = std::move(cells)}); }

void Table::AddNote(std::string first, std::string text) {
  AddLine({.cells = {std::move(first), std::move(text)}, .note = true});
}

void Table::AddLine(Line line) {
  if (!widths_.empty()) return WriteRow(line);
  held_back_.push_back(std::move(line));
  if (held_back_.size() >= kLookAhead) Flush();
}

void Table::Flush() {
  if (columns_.empty()) return;
  if (widths_.empty()) {
    ChooseWidths();
    if (style_.header) WriteHeader();
  }
  for (const Line& line : held_back_) WriteRow(line);
  held_back_.clear();
}

void Table::ChooseWidths() {
  for (size_t i = 0; i < columns_.size(); ++i) {
    const Column& column = columns_[i];
    size_t width = std::max(column.min_width, style_.header ? DisplayWidth(column.header) : size_t{1});
    for (const Line& line : held_back_) {
      if (!line.note || i == 0) width = std::max(width, DisplayWidth(line.cells[i]));
    }
    if (style_.width != 0 && column.max_width != 0) width = std::min(width, column.max_width);
    widths_.push_back(width);
  }
  const size_t total = std::accumulate(widths_.begin(), widths_.end(), columns_.size() - 1);
  if (style_.width != 0 && total > style_.width) Shrink(total - style_.width);
}

void Table::Shrink(size_t excess) {
  for (size_t i = columns_.size(); i-- > 0 && excess > 0;) {
    if (columns_[i].align == Align::kRight) continue;
    const size_t keep = std::max(kNarrowText, style_.header ? DisplayWidth(columns_[i].header) : 0);
    if (widths_[i] <= keep) continue;
    const size_t taken = std::min(excess, widths_[i] - keep);
    widths_[i] -= taken;
    excess -= taken;
  }
}

void Table::WriteHeader() {
  std::string line;
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (i > 0) line += ' ';
    line += Padded(columns_[i].header, widths_[i], columns_[i].align, i + 1 == columns_.size());
  }
  out_->Write(style_.bold_header ? "\x1b[1m" + line + "\x1b[0m\n" : line + "\n");
}

void Table::WriteRow(const Line& row) {
  const std::vector<std::string>& cells = row.cells;
  std::string line;
  if (row.note) {
    line = Padded(cells[0], widths_[0], columns_[0].align, false) + " " + cells[1];
    if (style_.width != 0) line = Cut(line, style_.width);
    return out_->Write(line + "\n");
  }
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (i > 0) line += ' ';
    const bool cut = style_.width != 0 && columns_[i].align == Align::kLeft;
    line += Padded(cut ? Cut(cells[i], widths_[i]) : cells[i], widths_[i], columns_[i].align, i + 1 == columns_.size());
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  line += '\n';
  out_->Write(line);
}

}  // namespace taskmon::client

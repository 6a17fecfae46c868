// SPDX-License-Identifier: Apache-2.0
//
// A table on a terminal or in a pipe. Rows are held back until the column widths are known (at Flush, or after
// kLookAhead rows) and stream after that with the widths found, so that memory stays bounded. Where the width is
// limited, the last column gives way first, then other left-aligned ones; numbers are never cut.
// Cells must be terminal safe (output/escape.h).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "client/output/output.h"

namespace taskmon::client {

enum class Align { kLeft, kRight };

struct Column {
  std::string header;
  Align align = Align::kLeft;
  size_t min_width = 0;
  size_t max_width = 0;  // 0: no limit; ignored where the table's width is unlimited
};

struct TableStyle {
  size_t width = 0;  // 0: unlimited, nothing is cut
  bool header = true;
  bool bold_header = false;
};

class Table {
 public:
  static constexpr size_t kLookAhead = 1000;

  Table(std::vector<Column> columns, TableStyle style, Output* out);

  // As many cells as there are columns.
  void Add(std::vector<std::string> cells);
  // A cell of the first column, followed by a text that belongs to no column.
  void AddNote(std::string first, std::string text);
  // Writes what is held back, the header before the first row. Rows added later keep the widths.
  void Flush();

 private:
  void ChooseWidths();
  void Shrink(size_t excess);
  struct Line {
    std::vector<std::string> cells;
    bool note = false;  // one cell and a text
  };
  void AddLine(Line line);
  void WriteRow(const Line& line);
  void WriteHeader();

  std::vector<Column> columns_;
  TableStyle style_;
  Output* out_;
  std::vector<size_t> widths_;  // empty: not chosen yet
  std::vector<Line> held_back_;
};

}  // namespace taskmon::client

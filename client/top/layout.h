// SPDX-License-Identifier: Apache-2.0
//
// Where on a screen of a given size things are; the model needs it for pages and clicks, the drawing for the rest.
// Pure.
#pragma once

#include <algorithm>
#include <cstdint>

namespace taskmon::client::top {

struct Layout {
  int width = 0;
  int height = 0;
  int graphs_y = 1;
  int graphs_across = 3;
  int graph_rows = 1;   // of braille; a label stands beside (1) or above (more)
  int graph_bands = 2;  // rows of graphs
  int bar_y = 0;        // its row of blocks; marks and times are below it
  bool has_bar = true;
  int list_y = 0;  // the column names; rows follow
  int list_rows = 0;
  int foot_y = 0;

  int graphs_height() const { return graph_bands * (graph_rows > 1 ? graph_rows + 1 : 1); }
};

inline Layout LayoutOf(int width, int height) {
  Layout layout{.width = width, .height = height};
  if (width >= 140) layout.graphs_across = 6;
  if (height >= 34) layout.graph_rows = 3;
  layout.graph_bands = 6 / layout.graphs_across;
  if (height < 16) layout.graph_bands = 0;
  layout.has_bar = height >= 12;
  layout.bar_y = layout.graphs_y + layout.graphs_height();
  layout.list_y = layout.bar_y + (layout.has_bar ? 2 : 0);
  layout.foot_y = height - 1;
  layout.list_rows = std::max(0, layout.foot_y - layout.list_y - 1);
  return layout;
}

}  // namespace taskmon::client::top

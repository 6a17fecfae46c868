// SPDX-License-Identifier: Apache-2.0
//
// The list of tasks or groups.
#include <algorithm>

#include <fmt/format.h>

#include "client/output/cell.h"
#include "client/output/event_text.h"
#include "client/plot/spark.h"
#include "client/top/screen.h"

namespace taskmon::client::top {
namespace {

std::string EndText(const Item& item) {
  if (item.exit_signal != 0) return "† " + SignalName(item.exit_signal) + " ";
  return item.exit_code == 0 ? "† " : fmt::format("† exit {} ", item.exit_code);
}

std::string GroupText(const ViewRow& row) {
  const std::string name = row.group.empty() ? "(none)" : row.group;
  const std::string text = fmt::format("{} {}", row.folded ? "▸" : "▾", name);
  if (!row.is_storm()) return fmt::format("{}  ({})", text, row.members);
  return fmt::format("{} × {}{}", text, row.members, row.ended == 0 ? "" : fmt::format("  ({} †)", row.ended));
}

class RowDrawer {
 public:
  RowDrawer(const State& state, CellBuffer* cells) : state_(state), cells_(cells), columns_(VisibleColumns(state)) {}

  void Header(int y) const {
    cells_->Fill(0, y, cells_->width(), Style::kHeader);
    int x = 0;
    for (const Column& column : columns_) {
      const bool sorted = column.name == state_.sort;
      const Style style = sorted ? Style::kAccent : Style::kHeader;
      const int room = WidthOf(column, x);
      const std::string name = column.header + (sorted ? (state_.invert ? "▴" : "▾") : "");
      if (IsLeft(column)) {
        cells_->Put(x, y, name, style, room);
      } else {
        // The arrow takes the meter's place.
        cells_->PutRight(x, y, name, style, room + (sorted ? 1 : 0));
      }
      x += Advance(column, room);
    }
    cells_->Restyle(0, y, 0, Style::kHeader);
  }

  void Row(const ViewRow& row, int y) const {
    const Item* item = row.is_group() ? nullptr : &state_.frame->items[static_cast<size_t>(row.item)];
    const bool ended = item != nullptr && item->ended_time_ns != 0;
    const Style base = ended ? Style::kEnded : item != nullptr && item->info->kthread() ? Style::kDim : Style::kNormal;
    int x = 0;
    for (const Column& column : columns_) {
      const int room = WidthOf(column, x);
      if (column.is_metric()) {
        Metric(column, row, base, x, y);
      } else if (column.attribute == Attribute::kCommand) {
        Command(row, item, base, x, y, room);
      } else if (item != nullptr) {
        Attributes(column, *item, base, x, y, room);
      }
      x += Advance(column, room);
    }
  }

 private:
  static bool IsLeft(const Column& column) {
    return !column.is_metric() && !IsNumeric({.attribute = column.attribute});
  }
  int WidthOf(const Column& column, int x) const {
    return column.width > 0 ? column.width : std::max(0, cells_->width() - x);
  }
  static int Advance(const Column& column, int room) { return room + 1 + (column.meter ? 1 : 0); }

  void Metric(const Column& column, const ViewRow& row, Style base, int x, int y) const {
    const Value value = ValueOf(column, *state_.frame, ValuesOf(row, *state_.frame));
    const bool zero = !value.known() || value.number == 0;
    cells_->PutRight(x, y, TextOf(column, value), zero && base == Style::kNormal ? Style::kDim : base, column.width);
    const double share = ShareOf(column, value);
    if (column.meter && share > 0) cells_->Put(x + column.width, y, plot::Block(share), LevelStyle(share));
  }

  void Attributes(const Column& column, const Item& item, Style base, int x, int y, int room) const {
    if (column.attribute == Attribute::kState) {
      const Value state = state_.frame->Get(item.values, v1::TASK_STATE);
      const bool busy = state.number == 'R' || state.number == 'D';
      cells_->Put(x, y, ValueText(Describe(v1::TASK_STATE), state), busy ? Style::kStrong : base, room);
      return;
    }
    const std::string text = TextOf(column, item);
    if (IsLeft(column)) {
      cells_->Put(x, y, text, base, room);
    } else {
      cells_->PutRight(x, y, text, base, room);
    }
  }

  void Command(const ViewRow& row, const Item* item, Style base, int x, int y, int room) const {
    if (item == nullptr) {
      const int at = cells_->Put(x, y, row.lines, Style::kDim, room);
      cells_->Put(at, y, GroupText(row), Style::kStrong, x + room - at);
      return;
    }
    int at = cells_->Put(x, y, row.lines, Style::kDim, room);
    if (row.folded) at = cells_->Put(at, y, fmt::format("▸{} ", row.members), Style::kAccent, x + room - at);
    if (item->ended_time_ns != 0) at = cells_->Put(at, y, EndText(*item), Style::kEnded, x + room - at);
    if (state_.threads && state_.frame->StandsForThreads(*item)) {
      at = cells_->Put(at, y, "Σ ", Style::kAccent, x + room - at);
    }
    const std::string name = item->id.thread ? item->info->comm() : CommandText(*item->info);
    cells_->Put(at, y, name, base, x + room - at);
  }

  const State& state_;
  CellBuffer* const cells_;
  const std::vector<Column> columns_;
};

}  // namespace

void DrawList(const State& state, CellBuffer* cells) {
  const Layout& layout = state.layout;
  const RowDrawer drawer(state, cells);
  drawer.Header(layout.list_y);
  if (state.frame == nullptr) {
    if (!state.trouble) cells->Put(2, layout.list_y + 2, "waiting for the first tick…", Style::kDim);
    return;
  }
  if (state.rows.empty()) {
    cells->Put(2, layout.list_y + 2,
               state.filter.empty() ? "nothing to show; a shows all" : "nothing matches the filter; Ctrl-L clears it",
               Style::kDim);
  }
  for (int i = 0; i < layout.list_rows; ++i) {
    const int row = state.scroll + i;
    if (row >= static_cast<int>(state.rows.size())) break;
    const int y = layout.list_y + 1 + i;
    drawer.Row(state.rows[static_cast<size_t>(row)], y);
    if (row == state.cursor) cells->Select(0, y, cells->width());
  }
}

}  // namespace taskmon::client::top

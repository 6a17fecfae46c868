// SPDX-License-Identifier: Apache-2.0
//
// What the commands of `:` do: the part of Model behind palette.h.
#include <algorithm>

#include "client/top/model.h"
#include "client/top/palette.h"

namespace taskmon::client::top {

bool Model::EnterCommand(const std::string& text) {
  if (text.empty()) return true;
  const absl::StatusOr<Typed> typed = ParsePalette(text);
  if (!typed.ok()) {
    state_.prompt.error = std::string(typed.status().message());
    return false;
  }
  switch (typed->verb) {
    case Verb::kColumns: return EnterColumns(typed->argument);
    case Verb::kFilter: return EnterFilter(typed->argument);
    case Verb::kGroup: return EnterGroup(typed->argument);
    case Verb::kJump: return EnterJump(typed->argument);
    case Verb::kSort: return EnterSort(typed->argument);
    case Verb::kFold:
    case Verb::kUnfold:
      state_.fold_storms = typed->verb == Verb::kFold;
      Rebuild(true);
      return true;
    case Verb::kHelp: OpenHelp(); return true;
    case Verb::kLive: PressTime('Z'); return true;
    case Verb::kQuit: quit_ = true; return true;
    case Verb::kThreads: PressChar('H'); return true;
    case Verb::kTree: PressChar('e'); return true;
  }
  return true;
}

bool Model::EnterGroup(const std::string& text) {
  Grouping group = Grouping::kNone;
  while (GroupingName(group) != text) {
    group = NextGrouping(group);
    if (group != Grouping::kNone) continue;
    state_.prompt.error = "no grouping '" + text + "'; Tab lists them";
    return false;
  }
  GroupBy(group);
  return true;
}

// Between the number and the command, whatever the width of the screen.
bool Model::EnterColumns(const std::string& text) {
  std::vector<Column> columns = DefaultColumns();
  if (text != "default") {
    columns = {columns.front(), columns.back()};
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find_first_of(", ", begin), text.size());
      const std::string name = text.substr(begin, end - begin);
      begin = end + 1;
      const bool there = std::any_of(columns.begin(), columns.end(), [&](const Column& c) { return c.name == name; });
      if (name.empty() || there) continue;
      absl::StatusOr<Column> column = ColumnFor(name);
      if (!column.ok()) {
        state_.prompt.error = std::string(column.status().message());
        return false;
      }
      column->narrowest = 0;
      columns.insert(columns.end() - 1, *std::move(column));
    }
  }
  state_.columns = std::move(columns);
  const auto sorts = [&](const Column& column) { return column.name == state_.sort; };
  if (std::none_of(state_.columns.begin(), state_.columns.end(), sorts)) {
    const auto metric = std::find_if(state_.columns.begin(), state_.columns.end(),
                                     [](const Column& column) { return column.is_metric(); });
    state_.sort = metric == state_.columns.end() ? state_.columns.front().name : metric->name;
    state_.invert = false;
  }
  Rebuild(true);
  AskAgain();
  return true;
}

}  // namespace taskmon::client::top

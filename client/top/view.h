// SPDX-License-Identifier: Apache-2.0
//
// Which rows the list has, and in which order: a frame sorted, as a tree, or in groups with totals. Siblings of a storm
// are one row, in the list and in the tree. Pure.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "client/top/column.h"
#include "client/top/frame.h"

namespace taskmon::client::top {

enum class Grouping { kNone, kProgram, kApp, kUser, kUnit, kContainer };

std::string_view GroupingName(Grouping grouping);
Grouping NextGrouping(Grouping grouping);

struct ViewOptions {
  Column sort;
  bool invert = false;
  bool tree = false;
  Grouping group = Grouping::kNone;
  bool kernel_threads = true;
  bool active_only = false;
  bool ended = true;
  bool fold_storms = true;
  std::set<TaskId> folded;         // of the tree
  std::set<std::string> unfolded;  // of groups and storms: their keys
};

struct ViewRow {
  int item = -1;       // index into Frame::items; -1: a group or a storm
  std::string group;   // its name; "" is those that belong to none
  int32_t parent = 0;  // of a storm
  int members = 0;     // tasks summed in the values; of a storm its siblings
  int ended = 0;       // of a storm
  std::vector<Value> sums;
  std::string lines;  // of the tree, before the command
  bool folded = false;
  bool has_below = false;

  bool is_group() const { return item < 0; }
  bool is_storm() const { return parent != 0; }
  // Tells groups and storms from each other.
  std::string key() const { return is_storm() ? std::to_string(parent) + " " + group : group; }
};

std::vector<ViewRow> MakeView(const Frame& frame, const ViewOptions& options);

// The values that a row shows.
const std::vector<Value>& ValuesOf(const ViewRow& row, const Frame& frame);

// Whether the task did anything in the tick, or ended in it.
bool IsActive(const Item& item, const Frame& frame);

}  // namespace taskmon::client::top

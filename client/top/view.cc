// SPDX-License-Identifier: Apache-2.0
#include "client/top/view.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <unordered_map>

namespace taskmon::client::top {
namespace {

// What rows are compared by, looked up once for each.
struct SortKey {
  bool known = false;
  double number = 0;
  std::string text;
};

constexpr size_t kWidestLines = 200;  // bytes

bool SortsByNumber(const Column& column) {
  return column.is_metric() || column.attribute == Attribute::kTid || column.attribute == Attribute::kTgid ||
         column.attribute == Attribute::kPpid || column.attribute == Attribute::kUid;
}

double NumberOf(const Column& column, const v1::TaskInfo& info) {
  switch (column.attribute) {
    case Attribute::kTgid: return info.tgid();
    case Attribute::kPpid: return info.ppid();
    case Attribute::kUid: return info.uid();
    default: return info.tid();
  }
}

SortKey KeyOf(const Column& column, const Frame& frame, const Item& item) {
  if (column.attribute == Attribute::kState) {
    const Value state = frame.Get(item.values, v1::TASK_STATE);
    return {state.known(), 0, std::string(1, static_cast<char>(state.number))};
  }
  if (column.is_metric()) {
    const Value value = ValueOf(column, frame, item.values);
    return {value.known(), value.number, ""};
  }
  if (SortsByNumber(column)) return {true, NumberOf(column, *item.info), ""};
  return {true, 0, TextOf(column, item)};
}

class Sorter {
 public:
  Sorter(const Frame& frame, const ViewOptions& options) : frame_(frame), options_(options) {
    for (const Item& item : frame.items) keys_.push_back(KeyOf(options.sort, frame, item));
  }

  // Metrics from the largest, names from A, numbers of tasks from 1; unknown last both ways; then by number.
  bool Before(int a, int b) const {
    const SortKey& left = keys_[static_cast<size_t>(a)];
    const SortKey& right = keys_[static_cast<size_t>(b)];
    if (left.known != right.known) return left.known;
    const int order = Compare(left, right);
    if (order != 0) return (order < 0) != options_.invert;
    return frame_.items[static_cast<size_t>(a)].id < frame_.items[static_cast<size_t>(b)].id;
  }

  void Sort(std::vector<int>* items) const {
    std::sort(items->begin(), items->end(), [&](int a, int b) { return Before(a, b); });
  }

 private:
  int Compare(const SortKey& a, const SortKey& b) const {
    if (!SortsByNumber(options_.sort)) return a.text.compare(b.text);
    if (a.number == b.number) return 0;
    return (a.number < b.number) == options_.sort.is_metric() ? 1 : -1;
  }

  const Frame& frame_;
  const ViewOptions& options_;
  std::vector<SortKey> keys_;
};

class TreeMaker {
 public:
  TreeMaker(const Frame& frame, const ViewOptions& options, const Sorter& sorter, const std::vector<int>& shown)
      : frame_(frame), options_(options), sorter_(sorter) {
    std::unordered_map<int32_t, int> processes;  // by number; the living win over those who had it before
    for (auto it = shown.rbegin(); it != shown.rend(); ++it) {
      const Item& item = At(*it);
      if (!item.id.thread) processes[item.id.tid] = *it;
    }
    std::vector<int> roots;
    for (const int item : shown) {
      const v1::TaskInfo& info = *At(item).info;
      const auto parent = processes.find(At(item).id.thread ? info.tgid() : info.ppid());
      const bool has_parent = parent != processes.end() && parent->second != item && OlderThan(parent->second, item);
      (has_parent ? below_[parent->second] : roots).push_back(item);
    }
    for (auto& [parent, children] : below_) sorter_.Sort(&children);
    sorter_.Sort(&roots);
    for (const int root : roots) Add(root, "", "");
  }

  std::vector<ViewRow> Take() { return std::move(rows_); }

 private:
  const Item& At(int item) const { return frame_.items[static_cast<size_t>(item)]; }
  // A number that was reused cannot be the parent, and no ring can come about.
  bool OlderThan(int parent, int child) const {
    const uint64_t a = At(parent).id.start_ns;
    const uint64_t b = At(child).id.start_ns;
    return a < b || (a == b && At(parent).id < At(child).id);
  }

  void Add(int item, const std::string& lines, const std::string& lines_below) {
    const auto children = below_.find(item);
    const bool has_below = children != below_.end();
    const bool folded = has_below && options_.folded.contains(At(item).id);
    rows_.push_back({.item = item, .members = 1, .lines = lines, .folded = folded, .has_below = has_below});
    if (!has_below) return;
    if (folded) {
      const size_t row = rows_.size() - 1;
      GroupSum sum(frame_);
      rows_[row].members = Sum(item, &sum);
      rows_[row].sums = sum.values();
      return;
    }
    // Deeper than that nobody sees, and a chain of thousands must not cost their square.
    const bool deep = lines_below.size() > kWidestLines;
    for (size_t i = 0; i < children->second.size(); ++i) {
      const bool last = i + 1 == children->second.size();
      Add(children->second[i], lines_below + (last ? "└─" : "├─"),
          deep ? lines_below : lines_below + (last ? "  " : "│ "));
    }
  }

  int Sum(int item, GroupSum* sum) const {
    int members = 1;
    sum->Add(At(item).values);
    const auto children = below_.find(item);
    if (children == below_.end()) return members;
    for (const int child : children->second) members += Sum(child, sum);
    return members;
  }

  const Frame& frame_;
  const ViewOptions& options_;
  const Sorter& sorter_;
  std::unordered_map<int, std::vector<int>> below_;
  std::vector<ViewRow> rows_;
};

std::string GroupOf(Grouping grouping, const v1::TaskInfo& info) {
  switch (grouping) {
    case Grouping::kProgram: return info.kthread() ? "(kernel)" : info.comm();
    case Grouping::kApp: return info.app();
    case Grouping::kUser: return info.user().empty() ? std::to_string(info.uid()) : info.user();
    case Grouping::kUnit: return info.unit();
    case Grouping::kContainer: return info.container();
    case Grouping::kNone: break;
  }
  return "";
}

bool GroupBefore(const ViewRow& a, const ViewRow& b, const Frame& frame, const ViewOptions& options) {
  if (options.sort.is_metric()) {
    const Value left = ValueOf(options.sort, frame, a.sums);
    const Value right = ValueOf(options.sort, frame, b.sums);
    if (left.known() != right.known()) return left.known();
    if (left.number != right.number) return (left.number > right.number) != options.invert;
  }
  return a.group < b.group;
}

std::vector<ViewRow> Groups(const Frame& frame, const ViewOptions& options, const Sorter& sorter,
                            const std::vector<int>& shown) {
  std::map<std::string, std::vector<int>> members;
  for (const int item : shown) {
    members[GroupOf(options.group, *frame.items[static_cast<size_t>(item)].info)].push_back(item);
  }
  std::vector<ViewRow> groups;
  for (const auto& [name, items] : members) {
    GroupSum sum(frame);
    for (const int item : items) sum.Add(frame.items[static_cast<size_t>(item)].values);
    groups.push_back({.group = name,
                      .members = static_cast<int>(items.size()),
                      .sums = sum.values(),
                      .folded = !options.unfolded.contains(name),
                      .has_below = true});
  }
  std::sort(groups.begin(), groups.end(),
            [&](const ViewRow& a, const ViewRow& b) { return GroupBefore(a, b, frame, options); });
  std::vector<ViewRow> rows;
  for (ViewRow& group : groups) {
    rows.push_back(group);
    if (group.folded) continue;
    std::vector<int>& items = members[group.group];
    sorter.Sort(&items);
    for (const int item : items) rows.push_back({.item = item, .members = 1, .lines = "  "});
  }
  return rows;
}

}  // namespace

std::string_view GroupingName(Grouping grouping) {
  switch (grouping) {
    case Grouping::kProgram: return "program";
    case Grouping::kApp: return "app";
    case Grouping::kUser: return "user";
    case Grouping::kUnit: return "unit";
    case Grouping::kContainer: return "container";
    case Grouping::kNone: break;
  }
  return "none";
}

Grouping NextGrouping(Grouping grouping) {
  return grouping == Grouping::kContainer ? Grouping::kNone : static_cast<Grouping>(static_cast<int>(grouping) + 1);
}

bool IsActive(const Item& item, const Frame& frame) {
  if (item.ended_time_ns != 0) return true;
  const Value state = frame.Get(item.values, v1::TASK_STATE);
  if (state.known() && (state.number == 'R' || state.number == 'D')) return true;
  for (size_t m = 0; m < frame.metrics.size() && m < item.values.size(); ++m) {
    const bool rate = Describe(frame.metrics[m]).kind == v1::COUNTER || frame.metrics[m] == v1::TASK_CPU_PERCENT;
    if (rate && item.values[m].known() && item.values[m].number > 0) return true;
  }
  return false;
}

std::vector<ViewRow> MakeView(const Frame& frame, const ViewOptions& options) {
  std::vector<int> shown;
  for (size_t i = 0; i < frame.items.size(); ++i) {
    const Item& item = frame.items[i];
    if (!options.kernel_threads && item.info->kthread()) continue;
    if (options.active_only && !IsActive(item, frame)) continue;
    if (!options.ended && item.ended_time_ns != 0) continue;
    shown.push_back(static_cast<int>(i));
  }
  const Sorter sorter(frame, options);
  if (options.group != Grouping::kNone) return Groups(frame, options, sorter, shown);
  if (options.tree) return TreeMaker(frame, options, sorter, shown).Take();
  sorter.Sort(&shown);
  std::vector<ViewRow> rows;
  for (const int item : shown) rows.push_back({.item = item, .members = 1});
  return rows;
}

const std::vector<Value>& ValuesOf(const ViewRow& row, const Frame& frame) {
  return row.sums.empty() ? frame.items[static_cast<size_t>(row.item)].values : row.sums;
}

}  // namespace taskmon::client::top

// SPDX-License-Identifier: Apache-2.0
#include "client/top/view.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <numeric>
#include <unordered_map>

#include "client/top/storm.h"

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
         column.attribute == Attribute::kPpid || column.attribute == Attribute::kUid ||
         column.attribute == Attribute::kGid || column.attribute == Attribute::kStartNs;
}

double NumberOf(const Column& column, const v1::TaskInfo& info) {
  switch (column.attribute) {
    case Attribute::kTgid: return info.tgid();
    case Attribute::kPpid: return info.ppid();
    case Attribute::kUid: return info.uid();
    case Attribute::kGid: return info.gid();
    case Attribute::kStartNs: return static_cast<double>(info.start_ns());
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

// What stands in one place of the order: a task, or a storm of them.
struct Entry {
  int item = -1;  // of a storm the first of its members
  const Storm* storm = nullptr;
  std::vector<Value> sums;
};

class Sorter {
 public:
  Sorter(const Frame& frame, const ViewOptions& options) : frame_(frame), options_(options) {
    for (const Item& item : frame.items) keys_.push_back(KeyOf(options.sort, frame, item));
  }

  void Sort(std::vector<int>* items) const {
    std::sort(items->begin(), items->end(), [&](int a, int b) { return Before(Key(a), a, Key(b), b); });
  }

  // Tasks and storms in one order, by `values(item)`: the task's own, or with those of others that it stands for.
  template <typename Values>
  std::vector<Entry> Order(const std::vector<int>& items, std::vector<Storm>* storms, Values values) const {
    std::vector<Entry> entries;
    std::vector<SortKey> keys;
    for (const int item : items) {
      entries.push_back({.item = item, .sums = {}});
      keys.push_back(KeyBy(values(item), item));
    }
    for (Storm& storm : *storms) {
      Sort(&storm.items);
      GroupSum sum(frame_);
      for (const int item : storm.items) sum.Add(values(item));
      entries.push_back({.item = storm.items.front(), .storm = &storm, .sums = sum.values()});
      keys.push_back(KeyBy(sum.values(), storm.items.front()));
    }
    std::vector<size_t> order(entries.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(),
              [&](size_t a, size_t b) { return Before(keys[a], entries[a].item, keys[b], entries[b].item); });
    std::vector<Entry> sorted;
    for (const size_t i : order) sorted.push_back(std::move(entries[i]));
    return sorted;
  }

 private:
  const SortKey& Key(int item) const { return keys_[static_cast<size_t>(item)]; }

  // Where the values do not tell, as with what cannot be summed, the task's own do.
  SortKey KeyBy(const std::vector<Value>& values, int item) const {
    const Value value = ValueOf(options_.sort, frame_, values);
    return value.known() ? SortKey{true, value.number, ""} : Key(item);
  }

  // Metrics from the largest, names from A, numbers of tasks from 1; unknown last both ways; then by number.
  bool Before(const SortKey& left, int a, const SortKey& right, int b) const {
    if (left.known != right.known) return left.known;
    const int order = Compare(left, right);
    if (order != 0) return (order < 0) != options_.invert;
    return frame_.items[static_cast<size_t>(a)].id < frame_.items[static_cast<size_t>(b)].id;
  }

  int Compare(const SortKey& a, const SortKey& b) const {
    if (!SortsByNumber(options_.sort)) return a.text.compare(b.text);
    if (a.number == b.number) return 0;
    return (a.number < b.number) == options_.sort.is_metric() ? 1 : -1;
  }

  const Frame& frame_;
  const ViewOptions& options_;
  std::vector<SortKey> keys_;
};

std::vector<Storm> Storms(const Frame& frame, const ViewOptions& options, std::vector<int>* items) {
  return options.fold_storms ? TakeStorms(frame, items) : std::vector<Storm>();
}

ViewRow StormRow(const Frame& frame, const ViewOptions& options, Entry entry, std::string lines) {
  const Storm& storm = *entry.storm;
  ViewRow row{.group = StormName(frame, storm),
              .parent = storm.parent,
              .members = static_cast<int>(storm.items.size()),
              .ended = storm.ended,
              .sums = std::move(entry.sums),
              .lines = std::move(lines),
              .has_below = true};
  row.folded = !options.unfolded.contains(row.key());
  return row;
}

std::vector<ViewRow> List(const Frame& frame, const ViewOptions& options, const Sorter& sorter,
                          std::vector<int> shown) {
  std::vector<Storm> storms = Storms(frame, options, &shown);
  const auto own = [&](int item) -> const std::vector<Value>& { return frame.items[static_cast<size_t>(item)].values; };
  std::vector<ViewRow> rows;
  for (Entry& entry : sorter.Order(shown, &storms, own)) {
    if (entry.storm == nullptr) {
      rows.push_back({.item = entry.item, .members = 1});
      continue;
    }
    const Storm& storm = *entry.storm;
    rows.push_back(StormRow(frame, options, std::move(entry), ""));
    if (rows.back().folded) continue;
    for (const int item : storm.items) rows.push_back({.item = item, .members = 1, .lines = "  "});
  }
  return rows;
}

// Siblings are in the order of what they and all below them do: whoever is busy is reached from the top. Nothing
// recurs: anybody can make a chain of as many processes as the machine has numbers.
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
    AddUp();
    AddLater(std::move(roots), [](bool) { return Lines(); });
    while (!pending_.empty()) AddNext();
  }

  std::vector<ViewRow> Take() { return std::move(rows_); }

 private:
  // What stands before a row, and what before those below it.
  struct Lines {
    std::string own;
    std::string below;
  };

  const Item& At(int item) const { return frame_.items[static_cast<size_t>(item)]; }
  // A number that was reused cannot be the parent, and no ring can come about.
  bool OlderThan(int parent, int child) const {
    const uint64_t a = At(parent).id.start_ns;
    const uint64_t b = At(child).id.start_ns;
    return a < b || (a == b && At(parent).id < At(child).id);
  }

  // A row whose turn comes.
  struct Pending {
    ViewRow row;
    std::string below;         // as in Lines
    std::vector<int> members;  // of a storm
  };

  // Siblings, in their order; `lines(last)` says what stands before each.
  template <typename MakeLines>
  void AddLater(std::vector<int> items, MakeLines lines) {
    std::vector<Storm> storms = Storms(frame_, options_, &items);
    std::vector<Entry> entries =
        sorter_.Order(items, &storms, [&](int item) -> const std::vector<Value>& { return ValuesWithBelow(item); });
    std::vector<Pending> siblings;
    for (Entry& entry : entries) {
      const Lines its = lines(&entry == &entries.back());
      siblings.push_back(entry.storm == nullptr ? OfTask(entry.item, its) : OfStorm(std::move(entry), its));
    }
    Push(std::move(siblings));
  }

  // The first of them is next.
  void Push(std::vector<Pending> siblings) {
    pending_.insert(pending_.end(), std::move_iterator(siblings.rbegin()), std::move_iterator(siblings.rend()));
  }

  Pending OfTask(int item, const Lines& lines) const {
    const bool has_below = below_.contains(item);
    const bool folded = has_below && options_.folded.contains(At(item).id);
    Pending task{.row = {.item = item, .members = 1, .lines = lines.own, .folded = folded, .has_below = has_below},
                 .below = lines.below,
                 .members = {}};
    if (folded) {
      task.row.members = subtrees_.at(item).members;
      task.row.sums = subtrees_.at(item).sums;
    }
    return task;
  }

  Pending OfStorm(Entry entry, const Lines& lines) const {
    std::vector<int> members = entry.storm->items;
    return {.row = StormRow(frame_, options_, std::move(entry), lines.own),
            .below = lines.below,
            .members = std::move(members)};
  }

  void AddNext() {
    Pending next = std::move(pending_.back());
    pending_.pop_back();
    rows_.push_back(std::move(next.row));
    const ViewRow& row = rows_.back();
    if (!row.has_below || row.folded) return;
    if (!next.members.empty()) {
      std::vector<Pending> members;
      for (const int item : next.members)
        members.push_back(OfTask(item, Below(next.below, item == next.members.back())));
      Push(std::move(members));
    } else {
      AddLater(below_.at(row.item), [&](bool last) { return Below(next.below, last); });
    }
  }

  // Deeper than that nobody sees, and a chain of thousands must not cost their square.
  static Lines Below(const std::string& lines, bool last) {
    const bool deep = lines.size() > kWidestLines;
    return {.own = lines + (last ? "└─" : "├─"), .below = deep ? lines : lines + (last ? "  " : "│ ")};
  }

  // A task with all below it.
  struct Subtree {
    int members = 1;
    std::vector<Value> sums;
  };

  const std::vector<Value>& ValuesWithBelow(int item) const {
    const auto subtree = subtrees_.find(item);
    return subtree == subtrees_.end() ? At(item).values : subtree->second.sums;
  }

  int MembersWithBelow(int item) const {
    const auto subtree = subtrees_.find(item);
    return subtree == subtrees_.end() ? 1 : subtree->second.members;
  }

  // The youngest first: children are younger than their parents, so that theirs are known by then.
  void AddUp() {
    std::vector<int> parents;
    for (const auto& [parent, children] : below_) parents.push_back(parent);
    std::sort(parents.begin(), parents.end(), [&](int a, int b) { return OlderThan(b, a); });
    for (const int parent : parents) {
      Subtree subtree;
      GroupSum sum(frame_);
      sum.Add(At(parent).values);
      for (const int child : below_[parent]) {
        subtree.members += MembersWithBelow(child);
        sum.Add(ValuesWithBelow(child));
      }
      subtree.sums = sum.values();
      subtrees_[parent] = std::move(subtree);
    }
  }

  const Frame& frame_;
  const ViewOptions& options_;
  const Sorter& sorter_;
  std::unordered_map<int, std::vector<int>> below_;
  std::unordered_map<int, Subtree> subtrees_;  // of those with others below
  std::vector<Pending> pending_;               // the next one last
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
  return List(frame, options, sorter, std::move(shown));
}

const std::vector<Value>& ValuesOf(const ViewRow& row, const Frame& frame) {
  return row.sums.empty() ? frame.items[static_cast<size_t>(row.item)].values : row.sums;
}

}  // namespace taskmon::client::top

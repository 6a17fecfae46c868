// SPDX-License-Identifier: Apache-2.0
//
// Folds a stretch of time into one row for each task, or for each group of tasks, that was there, dead ones included.
// What the rows say is written in taskmon.proto, beside ListTasksRequest. Owned by one question.
//
// Ticks tell what tasks counted up to the last tick they were in; their ends tell the rest, and all of those who lived
// between two ticks. So the sums over all groups are those of the machine, however short its tasks live.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "daemon/query/caller.h"
#include "daemon/query/memory_budget.h"
#include "daemon/query/plan.h"
#include "storage/sample.h"

namespace taskmon::query {

enum class GroupBy : uint8_t { kTask, kApp, kUnit, kUser, kComm, kRule };

// InvalidArgument: none of app, unit, user, comm, rule, task; empty is task.
absl::StatusOr<GroupBy> ParseGroupBy(std::string_view text_untrusted);

struct WindowRow {
  std::shared_ptr<const TaskSample> sample;
  bool guarded_visible = true;
  bool cmdline_visible = true;
  int64_t ended_wall_ns = 0;  // of a task; 0: alive
  uint32_t tasks = 0;         // of a group; 0: the row is a task
};

struct WindowResult {
  Snapshot moment;  // its tick has the window's last time and all its elapsed time; no tasks
  std::vector<WindowRow> rows;
  BudgetShare room{nullptr};  // what they take
};

inline Row RowOf(const WindowRow& row, const Snapshot& moment) {
  return {.snapshot = &moment,
          .sample = row.sample.get(),
          .guarded_visible = row.guarded_visible,
          .cmdline_visible = row.cmdline_visible};
}

class WindowFolder {
 public:
  static constexpr size_t kMaxRows = 100'000;

  // The plan and the caller outlive it. Rows and what is known of tasks come out of the budget; null: there is none.
  WindowFolder(const Plan& plan, const Caller& caller, GroupBy by, std::shared_ptr<MemoryBudget> bytes = nullptr);

  // What a scan must read for it beside what the plan needs: whether a row is of a dead process.
  static constexpr v1::Metric kReadsToo = v1::TASK_STATE;

  // Where the window begins: what tasks had counted by then. Before any tick; not called: nobody knows.
  // ResourceExhausted here and below: too many rows, or no room for them.
  absl::Status Seed(const Snapshot& before);
  // The next tick, oldest first. A memory that the plan's expression needs takes it in.
  absl::Status AddTick(const Snapshot& snapshot, TestMemory* memory);
  // The end of a process in the time of the ticks so far, each once. Others are ignored.
  absl::Status AddEnd(const Event& event);
  // What there was since the last call, or the beginning; by task in snapshot order, groups by name.
  WindowResult Take();

  bool any() const { return ticks_ > 0; }

 private:
  bool HasRowOfItsOwn(const Event& end) const;
  struct Cell {
    std::shared_ptr<const TaskInfo> info;
    std::vector<int64_t> values;  // of metrics_ before means_begin_
    std::vector<double> sums;     // of means, from there on: value times ns
    std::vector<uint8_t> known;   // parallel to metrics_
    double present_ns = 0;
    double lookups = 0, hits = 0;
    uint32_t tasks = 0;
    bool guarded_visible = true, cmdline_visible = true;
    int64_t ended_wall_ns = 0;
  };
  struct Mean {
    double sum = 0;  // value times ns
    double known_ns = 0;
  };
  struct Member {
    Cell* cell = nullptr;         // of the window at work; null: not in it yet
    std::vector<Mean> means;      // since it is in the cell, which has them when they are settled
    double present_ns = 0;        // likewise
    std::vector<int64_t> totals;  // of counters_: what had been counted by its newest row
    bool lived = false;           // a row of its life is counted, not just rows of what waits to be reaped
    bool left_out = false;        // it did not match at its newest row: its end adds nothing
    uint64_t seen = 0;            // number of the tick
  };
  using Members = std::unordered_map<TaskKey, Member, TaskKeyHash>;
  enum class Way : uint8_t { kCount, kMean, kLargest, kWitness, kHits, kLast, kNone };

  Way WayOf(const MetricDesc& metric) const;
  absl::StatusOr<Cell*> CellOf(const Row& row);
  absl::StatusOr<Member*> MemberOf(const TaskKey& key);
  int64_t BytesOfCell() const;
  int64_t BytesOfMember() const;
  void Enter(Cell* cell, Member* member) const;
  void Add(const Row& row, Cell* cell) const;
  void AddToMeans(const Row& row, Member* member) const;
  void Settle(Member* member) const;
  void Forget(Members::iterator member);
  void CountDead(const Row& row, Member* member) const;
  void AddWitnesses(const Row& row, v1::Metric maximum, Cell* cell) const;
  void Remember(const Row& row, Member* member) const;
  void LeaveOut(const TaskKey& key);
  void CountEnd(const TaskSample& sample, const Member* member, Cell* cell) const;
  WindowRow MakeWindowRow(Cell* cell, const Snapshot& moment) const;

  const Plan& plan_;
  const Caller& caller_;
  const GroupBy by_;
  std::vector<v1::Metric> metrics_;
  std::vector<Way> ways_;
  size_t means_begin_ = 0;        // they are the last of metrics_
  std::vector<size_t> counters_;  // indexes into metrics_
  const std::shared_ptr<MemoryBudget> bytes_;
  BudgetShare cells_room_, members_room_;
  std::map<std::string, Cell> cells_;
  Members members_;
  std::string boot_id_;
  Tick last_;
  int64_t memory_total_bytes_ = 0;
  uint64_t elapsed_ns_ = 0;
  uint64_t begin_boot_ns_ = 0;  // what ended after it and began before it was there unseen
  uint64_t tick_number_ = 0;
  uint64_t ticks_ = 0;       // since Take
  uint64_t first_tick_ = 0;  // number of the first tick since Take
};

}  // namespace taskmon::query

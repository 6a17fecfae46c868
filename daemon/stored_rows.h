// SPDX-License-Identifier: Apache-2.0
//
// Which rows of a tick go into the history, and which are shown: what the baseline and the threads of a process's rule
// say. Pure; sampler's thread.
//
//   baseline "all":   every process is shown and stored, every thread shown; threads are stored as their rule says
//   baseline "none":  the same, for tracked processes alone
//   dropped:          neither shown nor stored, whatever the baseline
#pragma once

#include <memory>
#include <vector>

#include "daemon/task_table.h"
#include "storage/sample.h"

namespace taskmon::daemon {

// The rows of one tick as they come together.
class TickRows {
 public:
  using Rows = std::vector<std::shared_ptr<const TaskSample>>;

  void Reserve(size_t rows) { shown_.reserve(rows); }
  void Add(const std::shared_ptr<const TaskSample>& sample, bool shown, bool stored);

  // Mostly everything that is shown is stored, and a second list of it would cost as much again.
  bool stores_what_it_shows() const { return !differs_; }
  Rows TakeShown() { return std::move(shown_); }
  Rows TakeStored() { return std::move(stored_); }  // where it differs
  const Rows& not_stored() const { return not_stored_; }

 private:
  Rows shown_;
  Rows stored_;
  Rows not_stored_;
  bool differs_ = false;
};

struct StoredDetail {
  bool keep_untracked = true;  // baseline "all"
  bool threads = true;         // false: no thread is stored, whatever its rule says
};

// Whether anything is shown or stored of it.
bool IsKept(const TaskInfo& info, bool keep_untracked);

// Sorts the rows of one process, whose samples are up to the tick, into the three. Thread rows exist where the process
// is `multi` and the thread has a sample.
void SortRows(Process* process, StoredDetail detail, uint64_t tick_seq, TickRows* rows);

}  // namespace taskmon::daemon

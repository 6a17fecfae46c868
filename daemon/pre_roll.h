// SPDX-License-Identifier: Apache-2.0
//
// The rows of the last minutes that were not stored: threads of processes that no rule wanted, or wanted without them.
// When a task is promoted, its past is taken from here and committed to the history. Pure; sampler's thread.
//
// Only rows with news are kept; Take fills in the idle ticks between them. Bounded by age and bytes: the oldest ticks
// go first, and those that went early for want of room are counted.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "storage/ring_writer.h"
#include "storage/sample.h"

namespace taskmon::daemon {

class PreRoll {
 public:
  struct Options {
    uint64_t max_age_ns = 300'000'000'000;
    uint64_t max_bytes = 8u << 20;  // 0: nothing is kept
  };

  struct Stats {
    uint64_t bytes = 0;
    uint64_t ticks = 0;
    uint64_t rows_given_up = 0;  // before their age, or when too many were wanted at once; since start
    uint64_t promotions = 0;     // whose past was taken
    uint64_t rows_taken = 0;
  };

  explicit PreRoll(Options options) : options_(options) {}

  // One tick: all rows of its snapshot that are not stored. Ticks ascend.
  void Add(const Tick& tick, const std::vector<std::shared_ptr<const TaskSample>>& rows);

  // The past of the processes before the newest tick, each (tgid, start): for each tick the rows that they had. Ticks
  // without any are left out.
  std::vector<storage::PastTick> Take(const std::vector<std::pair<int32_t, uint64_t>>& processes);

  const Stats& stats() const { return stats_; }

 private:
  struct Kept {
    uint64_t seq = 0;
    uint64_t boot_ns = 0;
    uint64_t bytes = 0;
    std::vector<std::shared_ptr<const TaskSample>> rows;  // with news at this tick
  };

  void DropOldest();

  const Options options_;
  std::deque<Kept> ticks_;
  Stats stats_;
};

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
//
// Decides whose smaps_rollup may be read now. Reading holds the target's mmap lock for about 5 ms per GiB resident, so
// a read is only started when it is expected to stay within the limit per target and when the second's budget has room.
// The cost per resident byte is learnt from the reads. Pure: the clock is handed in; one thread.
//
//   order: tasks that someone asks for first, then the oldest value, then the largest task
//   too large for the limit: skipped and counted, until it shrinks or reads turn out cheaper
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace taskmon::daemon {

struct SmapsTarget {
  int32_t tgid = 0;
  uint64_t start_ns = 0;
  uint64_t rss_bytes = 0;
  bool wanted = false;   // a watcher or a question asks for it; others are read when there is room
  bool tracked = false;  // a rule wants such values of it: preferred among the others

  std::pair<int32_t, uint64_t> id() const { return {tgid, start_ns}; }
};

// Whether `a` is read rather than `b` where there is room for one.
inline bool IsPreferred(const SmapsTarget& a, const SmapsTarget& b) {
  if (a.wanted != b.wanted) return a.wanted;
  return a.tracked != b.tracked ? a.tracked : a.rss_bytes > b.rss_bytes;
}

class SmapsBudget {
 public:
  struct Options {
    uint64_t per_target_ns = 10'000'000;     // longest stall of one target
    uint64_t per_second_ns = 5'000'000;      // all reads together
    uint64_t wanted_age_ns = 1'000'000'000;  // values younger than this are not read again
    uint64_t others_age_ns = 60'000'000'000;
    size_t others = 20;  // of the tasks nobody asks for only so many: tracked ones, then the largest
  };

  struct Stats {
    uint64_t reads = 0;
    uint64_t stall_ns = 0;  // summed over reads
    uint64_t stall_max_ns = 0;
    uint64_t too_large = 0;  // targets left out in the last round because of per_target_ns
    uint64_t no_room = 0;    // targets left out in the last round because of per_second_ns
    double ns_per_byte = 0;  // learnt
  };

  explicit SmapsBudget(Options options) : options_(options) {}

  // The targets to read in this round, in order. What they are expected to cost fits the budget; a round after a long
  // pause has at most one second's budget.
  std::vector<SmapsTarget> Choose(std::vector<SmapsTarget> targets, uint64_t now_ns);

  // What a read took. `failed`: the target was gone or refused.
  void OnRead(const SmapsTarget& target, uint64_t now_ns, uint64_t stall_ns, bool failed);

  uint64_t ExpectedNs(uint64_t rss_bytes) const;
  const Stats& stats() const { return stats_; }

 private:
  bool Due(const SmapsTarget& target, uint64_t now_ns) const;
  void Refill(uint64_t now_ns);

  const Options options_;
  Stats stats_;
  // 5 ms per GiB until reads teach better.
  double ns_per_byte_ = 5e6 / (1ull << 30);
  double fixed_ns_ = 20'000;
  double room_ns_ = 0;  // of the budget; negative after a read that took longer than expected
  std::optional<uint64_t> filled_ns_;
  std::map<std::pair<int32_t, uint64_t>, uint64_t> read_ns_;  // when each target was last read
};

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
//
// Reads /proc/TGID/smaps_rollup within a budget, on a thread of its own (tm-smaps), because a read waits for the
// target's mmap lock. The sampler posts the living processes at each tick ("latest wins") and takes the values that
// came in.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "daemon/smaps_budget.h"

namespace taskmon::daemon {

// Bytes, as proc(5) describes the fields.
struct SmapsValues {
  uint64_t shared_dirty = 0;
  uint64_t shared_clean = 0;
  uint64_t private_dirty = 0;
  uint64_t private_clean = 0;
  uint64_t referenced = 0;
  uint64_t lazyfree = 0;
  uint64_t swap_pss = 0;
  uint64_t pss = 0;
};

// Parses the text of smaps_rollup; nullopt: a field is missing.
std::optional<SmapsValues> ParseSmapsRollup(const std::string& text);

struct SmapsAnswer {
  int32_t tgid = 0;
  uint64_t start_ns = 0;
  uint64_t taken_boot_ns = 0;
  SmapsValues values;
};

class SmapsReader {
 public:
  explicit SmapsReader(SmapsBudget::Options options, std::string proc_root = "/proc")
      : proc_root_(std::move(proc_root)), budget_(options) {}
  ~SmapsReader() { Stop(); }

  void Start();
  void Stop();

  void Post(std::vector<SmapsTarget> targets) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<SmapsAnswer> TakeAnswers() ABSL_LOCKS_EXCLUDED(mutex_);
  SmapsBudget::Stats stats() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run();
  void Round(std::vector<SmapsTarget> targets) ABSL_LOCKS_EXCLUDED(mutex_);
  bool Read(const SmapsTarget& target, SmapsAnswer* answer, uint64_t* stall_ns) const;

  const std::string proc_root_;
  SmapsBudget budget_;  // tm-smaps only
  std::thread thread_;
  mutable absl::Mutex mutex_;
  std::optional<std::vector<SmapsTarget>> posted_ ABSL_GUARDED_BY(mutex_);
  std::vector<SmapsAnswer> answers_ ABSL_GUARDED_BY(mutex_);
  SmapsBudget::Stats stats_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
//
// Which processes somebody asked smaps values of lately. Answers mark them on gRPC threads, the sampler asks at each
// tick. Only tasks whose guarded values the caller may see are ever marked: nobody can have another user's task
// stalled.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "taskmon/v1/taskmon.pb.h"

namespace taskmon::daemon {

class SmapsWanted {
 public:
  static constexpr uint64_t kRememberNs = 10ull * 1'000'000'000;
  static constexpr size_t kMostTasks = 10'000;

  // Marks the processes of an answer in which smaps metrics were asked for by name and are not redacted.
  void MarkAnswer(const v1::Selection& selection, const v1::TaskBatch& batch, uint64_t now_ns)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // (tgid, start) of the processes that are wanted now. Forgets what is over.
  std::vector<std::pair<int32_t, uint64_t>> Now(uint64_t now_ns) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  std::map<std::pair<int32_t, uint64_t>, uint64_t> until_ns_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace taskmon::daemon

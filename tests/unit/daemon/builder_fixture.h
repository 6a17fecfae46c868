// SPDX-License-Identifier: Apache-2.0
//
// A builder that is fed by hand, a tick a second, and what a test looks at of the outcome.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "daemon/sample_builder.h"
#include "tests/unit/daemon/records.h"

namespace taskmon::daemon {

class SampleBuilderTest : public ::testing::Test {
 protected:
  SampleBuilderTest() : builder_({.boot_id = "boot", .memory_total_bytes = 1 << 30}) {
    builder_.SetAttached(HookGroups().set());
    builder_.SetWallOffset(1000 * kSecond);
  }

  template <typename Record>
  void Ring(const Record& record) {
    builder_.OnRing(record.header);
  }

  // One tick: a pass that sees `records`.
  SampleBuilder::Result TickWith(const std::vector<tm_task_record>& records, bool all = false, uint64_t lost = 0) {
    builder_.BeginPass(all);
    for (const tm_task_record& record : records) builder_.OnTask(record);
    return EndTick(lost);
  }
  SampleBuilder::Result EndTick(uint64_t lost = 0) {
    ++seq_;
    return builder_.EndTick({.seq = seq_,
                             .wall_ns = static_cast<int64_t>((1000 + seq_) * kSecond),
                             .boot_ns = seq_ * kSecond,
                             .elapsed_ns = seq_ == 1 ? 0 : kSecond,
                             .lost_records = lost});
  }

  static const TaskSample* Find(const Snapshot& snapshot, int32_t tid, bool thread = false) {
    for (const auto& sample : snapshot.tasks) {
      if (sample->info->key.tid == tid && sample->info->key.thread == thread) return sample.get();
    }
    return nullptr;
  }

  static std::vector<EventType> Types(const std::vector<Event>& events) {
    std::vector<EventType> types;
    for (const Event& event : events) types.push_back(event.type);
    return types;
  }

  SampleBuilder builder_;
  uint64_t seq_ = 0;
};

inline const Who kShell = Leader(100, 5 * kSecond);
inline const Who kWorker = {101, 100, 6 * kSecond, 5 * kSecond};

}  // namespace taskmon::daemon

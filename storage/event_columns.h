// SPDX-License-Identifier: Apache-2.0
//
// Births, execs, renames and ends as columns: those of a tick of the open chunk, and blocks of those of closed ones.
// What the rows of tasks say anyway (when one began and ended, and how) is not in them, so that reading them takes a
// look at these rows. Pure. The layout is in FORMAT.md.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/codec.h"
#include "storage/sample.h"

namespace taskmon::storage {

// What the row of a task says of its times.
struct TaskTimes {
  uint64_t start_ns = 0;
  int64_t wall_offset_ns = 0;  // wall clock less boot clock when the boot was first recorded
  bool ended = false;          // the rest is known
  uint64_t exit_boot_ns = 0;
  int64_t exit_wall_ns = 0;
  int32_t wait_status = 0;
  uint64_t duration_ns = 0;
};

// An event as the file has it.
struct StoredEvent {
  uint64_t seq = 0;   // tick that it came with
  int64_t task = 0;   // 0: none
  int64_t names = 0;  // as the task had them then
  Event event;        // `task` is null, and `info` of its final sample
};

// Whether columns can hold it: what is rare has a row of its own.
bool FitsColumns(const Event& event);

// DataLoss: there is no such task.
using FindTimes = std::function<absl::StatusOr<TaskTimes>(int64_t task)>;
absl::StatusOr<std::string> EncodeEvents(const std::vector<StoredEvent>& events, const MetricBits& stored,
                                         const FindTimes& times, int level);
absl::Status DecodeEvents(std::string_view bytes, const FindTimes& times, std::vector<StoredEvent>* events);

// At most so many fit at once. Blocks are kept smaller, since one is read as a whole.
inline constexpr size_t kMaxColumnEvents = 1u << 18;
inline constexpr size_t kMaxBlockEvents = 4096;

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
//
// Cuts a stretch of time out of a history file into a file of its own, which every reader opens: one file without WAL,
// that can be copied and sent. Reads in short transactions, so that it hurts neither the writer nor others.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "storage/ring_reader.h"
#include "storage/ring_writer.h"
#include "storage/sample.h"

namespace taskmon::storage {

struct CutOptions {
  std::string source;
  std::string output;  // must not be there yet; left out of sight of others (mode 0600)
  int64_t begin_wall_ns = 0;
  int64_t end_wall_ns = 0;
  bool anonymize = false;
  std::vector<ColumnSpec> columns;
  uint64_t max_bytes = 4ull << 30;
  // Metrics of a task that the receiver may not see; they are not in the file. Unset: all may be seen.
  std::function<MetricSet(const TaskInfo&)> hidden_metrics;
  // Takes out of a task's names what the receiver may not see. Unset: nothing.
  std::function<void(TaskInfo*)> hide_names;
  // For whom something was left out, if so: readers of the file then call it redacted.
  std::optional<Receiver> receiver;
  // Asked before each tick, with its time; false: stop. Unset: go on to the end.
  std::function<bool(int64_t wall_ns)> go_on;
};

struct CutResult {
  uint64_t ticks = 0;
  int64_t begin_wall_ns = 0;  // of the first tick
  int64_t end_wall_ns = 0;    // … and the last
  uint64_t events = 0;
  uint64_t bytes = 0;
};

// NotFound: no such file. OutOfRange: no tick between the times. AlreadyExists: the output is there. Cancelled: go_on
// said so. ResourceExhausted: the disk is full, or the cut is larger than max_bytes. On an error there is no output.
absl::StatusOr<CutResult> Cut(const CutOptions& options);

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
//
// Reads a history file or a snapshot file while a writer may be at work on it. Every call uses short read transactions
// of its own, so that a slow caller pins nothing. One reader belongs to one thread at a time; open as many as needed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/ring_writer.h"
#include "storage/sample.h"

namespace taskmon::storage {

struct TimeRange {
  int64_t begin_wall_ns = 0;
  int64_t end_wall_ns = 0;  // inclusive
};

// Which tasks a scan yields; empty: all.
struct ScanFilter {
  int32_t tid = 0;                        // 0: any
  std::optional<bool> thread;             // unset: both process and thread rows
  MetricSet metrics = MetricSet().set();  // others stay not valid, and their columns are not read
};

struct EventFilter {
  uint64_t after_id = 0;
  uint32_t types = ~0u;  // bit 1 << type
};

class RingReader {
 public:
  // NotFound: no such file. FailedPrecondition: not a history file, or a newer format.
  static absl::StatusOr<std::unique_ptr<RingReader>> Open(const std::string& path, std::vector<ColumnSpec> columns);
  virtual ~RingReader() = default;

  // Times of the oldest and newest tick; nullopt: nothing stored.
  virtual absl::StatusOr<std::optional<TimeRange>> Range() = 0;

  // The world as of the newest tick at or before `wall_ns`. OutOfRange: before the oldest tick, after the newest, or
  // inside a gap (the message names the range or the gap).
  virtual absl::StatusOr<std::shared_ptr<const Snapshot>> At(int64_t wall_ns) = 0;

  // Ticks with begin <= time <= end, oldest first. The Snapshot holds the rows that pass the filter and lives only
  // during the call. Returning false stops the scan.
  using TickSink = std::function<bool(const Snapshot&)>;
  virtual absl::Status Scan(int64_t begin_wall_ns, int64_t end_wall_ns, const ScanFilter& filter,
                            const TickSink& sink) = 0;

  // Events with begin <= time <= end in the order of their ids, read in pages. Returning false stops.
  using EventSink = std::function<bool(const Event&)>;
  virtual absl::Status ScanEvents(int64_t begin_wall_ns, int64_t end_wall_ns, const EventFilter& filter,
                                  const EventSink& sink) = 0;
};

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
//
// Answers questions over the live snapshot and the ring; used by taskmond's gRPC service and, for --file, inside
// taskmonctl, so that there is one code path. Read only; safe from every thread (each call opens its own reader).
//
// Sinks return false when the receiver is gone; the call then ends with Cancelled.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/ring_reader.h"
#include "storage/sample.h"
#include "taskmon/v1/taskmon.pb.h"

namespace taskmon::query {

// What a caller may see (design: who may do what).
struct Caller {
  uint32_t uid = 0;
  bool sees_everything = false;  // uid 0, or member of group taskmon or taskmon-admin
  bool admin = false;            // uid 0 or group taskmon-admin
};

struct EngineOptions {
  std::string ring_path;  // empty: no history
  std::function<std::shared_ptr<const Snapshot>()> newest;  // live source; unset with --file
  std::function<int64_t()> now_wall_ns;                     // --file: the newest stored time stands for now
};

class Engine {
 public:
  using TaskSink = std::function<bool(const v1::TaskBatch&)>;
  using EventSink = std::function<bool(const v1::EventBatch&)>;

  explicit Engine(EngineOptions options);
  ~Engine();

  // InvalidArgument: bad expression, time or field.  OutOfRange: no data for that time (names what is stored).
  // NotFound: no history file yet.
  absl::Status ListTasks(const v1::ListTasksRequest& request_untrusted, const Caller& caller, const TaskSink& sink) const;
  absl::Status ReadHistory(const v1::HistoryRequest& request_untrusted, const Caller& caller, const TaskSink& sink) const;
  // Stored events only; `follow` is the service's business.
  absl::Status ReadEvents(const v1::EventsRequest& request_untrusted, const Caller& caller, const EventSink& sink) const;

  // One snapshot as a batch for one selection: what watch sends at each tick. `last` is set.
  static absl::StatusOr<v1::TaskBatch> Select(const Snapshot& snapshot, const v1::Selection& selection_untrusted,
                                              const Caller& caller);

 private:
  EngineOptions options_;
};

// The ring's column list as the catalogue has it; derived metrics are not stored.
std::vector<storage::ColumnSpec> RingColumns();

// An event as a client may see it.
v1::Event EncodeEvent(const Event& event, const Caller& caller);

}  // namespace taskmon::query

// SPDX-License-Identifier: Apache-2.0
//
// Answers questions over the live snapshot and the ring; used by taskmond's gRPC service and, for --file, inside
// taskmonctl, so that there is one code path. Read only; safe from every thread (each call opens its own reader).
//
// Answers go out in pages of at most 1000 rows. A TaskBatch without samples may come in between: it asks whether the
// receiver is still there. Sinks return false when it is gone (or out of time); the call then ends with Cancelled.
// ResourceExhausted: an answer of more than 1 million events, one that has no room beside the others in the making, or
// a window, a step or a look back that takes too long. A history of more than 1 million rows, or 20 s, ends early and
// says how to have the rest.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "daemon/query/caller.h"
#include "daemon/query/cut.h"
#include "daemon/query/event_follower.h"
#include "daemon/query/go_on.h"
#include "daemon/query/plan.h"
#include "daemon/query/ring_columns.h"
#include "daemon/query/test_memory.h"
#include "daemon/query/user_budgets.h"
#include "storage/ring_reader.h"
#include "storage/sample.h"
#include "taskmon/v1/taskmon.pb.h"

namespace taskmon::query {

struct EngineOptions {
  std::string ring_path;                                    // empty: no history
  std::function<std::shared_ptr<const Snapshot>()> newest;  // live source; unset with --file
  std::function<int64_t()> now_wall_ns;  // unset: the system clock; with --file the newest stored time
  std::function<absl::StatusOr<std::unique_ptr<storage::RingReader>>()> open_ring;  // unset: the file at ring_path
  std::function<void(int64_t wall_ns)> wait_until_stored;  // for a moment; unset: what will be stored is
  int64_t answer_bytes = 128 << 20;                        // of all answers in the making together
  std::chrono::seconds longest{120};                       // without anything to send
};

class Engine {
 public:
  using TaskSink = std::function<bool(const v1::TaskBatch&)>;
  using EventSink = std::function<bool(const v1::EventBatch&)>;
  using TotalsSink = std::function<bool(const v1::Totals&)>;

  explicit Engine(EngineOptions options);
  ~Engine();

  // InvalidArgument: bad expression, time or field.  OutOfRange: no data for that time (names what is stored).
  // NotFound: no history file yet.  Unavailable: the first tick is still to come.
  // An empty answer is OK; ListTasks and ReadHistory then send one batch, marked as the last.
  absl::Status ListTasks(const v1::ListTasksRequest& request_untrusted, const Caller& caller,
                         const TaskSink& sink) const;
  absl::Status ReadHistory(const v1::HistoryRequest& request_untrusted, const Caller& caller,
                           const TaskSink& sink) const;
  // Stored events only; following is the service's business, but `follow` makes "nothing stored there yet" an empty
  // answer instead of OutOfRange or NotFound. An expression is asked about the task as it was; for an exit, counters
  // are means over its life. Gaps belong to no task: they are sent without an expression, or when asked for by type.
  // `until`: no event that was stored later.
  absl::Status ReadEvents(const v1::EventsRequest& request_untrusted, const Caller& caller, const EventSink& sink,
                          const std::optional<storage::StoredEnd>& until = std::nullopt) const;
  // How far the history has come; nullopt: there is none.
  absl::StatusOr<std::optional<storage::StoredEnd>> EndOfHistory() const;

  // A stretch as a file of its own. Errors as ReadHistory, and those of SendCut (cut.h).
  absl::Status CutSnapshot(const v1::SnapshotRequest& request_untrusted, const Caller& caller, const CutPlace& place,
                           const PieceSink& sink) const;
  // The sums of ReadHistory's rows, by tick; at least one message. Errors as ReadHistory.
  absl::Status ReadTotals(const v1::TotalsRequest& request_untrusted, const Caller& caller,
                          const TotalsSink& sink) const;

  // For the events after the tick of `newest` (nullptr: there was none yet). InvalidArgument as ReadEvents.
  absl::StatusOr<EventFollower> Follow(const v1::EventsRequest& request_untrusted, const Caller& caller,
                                       const Snapshot* newest, GoOn go_on) const;

  // What came between the newest tick that was observed and this one, as far as the history has it: who remembers must
  // see each. `observed` is called after each of them.
  absl::Status CatchUp(const Snapshot& snapshot, GoOn go_on, EventFollower* follower,
                       const std::function<void(const Tick&)>& observed) const;
  // The same for a memory (Remember) that has seen `last`.
  absl::Status CatchUp(const Tick& last, const Snapshot& snapshot, const Plan& plan, const Caller& caller, GoOn go_on,
                       TestMemory* memory) const;

  // For a question that is over when `listening` says false.
  GoOn GoOnWhile(std::function<bool()> listening) const { return GoOn(std::move(listening), options_.longest); }

  // Of all questions together; for who answers some beside it, too.
  UserBudgets* budgets() const { return budgets_.get(); }

  // One snapshot as a batch for one selection: what watch sends at each tick. `last` is set.
  static absl::StatusOr<v1::TaskBatch> Select(const Snapshot& snapshot, const v1::Selection& selection_untrusted,
                                              const Caller& caller);
  // The same for a plan made beforehand, in pages; always at least one, and only the final one has `last` set.
  // A memory that the plan's expression needs takes the tick in (Remember).
  static std::vector<v1::TaskBatch> SelectPages(const Snapshot& snapshot, const Plan& plan, const Caller& caller,
                                                TestMemory* memory = nullptr);

  // What the plan's expression must remember at the tick of `snapshot`: the ticks before it as the ring has them, for
  // as far back as it looks. nullopt when it needs no memory; without history an empty one.
  absl::StatusOr<std::optional<TestMemory>> Remember(const Snapshot& snapshot, const Plan& plan, const Caller& caller,
                                                     GoOn go_on) const;

  // The newest task of that number, or the one that was there at a time. NotFound: none is stored.
  absl::StatusOr<v1::Life> GetLife(const v1::LifeRequest& request_untrusted, const Caller& caller) const;

 private:
  absl::Status ListWindow(const v1::ListTasksRequest& request_untrusted, const Caller& caller,
                          const TaskSink& sink) const;
  absl::StatusOr<std::unique_ptr<storage::RingReader>> OpenRing() const;
  absl::Status ReadBetween(const Tick& last, const Snapshot& snapshot, const Expression& expression,
                           const storage::ScanFilter& filter, GoOn go_on,
                           const std::function<void(const Snapshot&)>& observe) const;
  absl::StatusOr<int64_t> Now(storage::RingReader* reader) const;
  absl::StatusOr<storage::TimeRange> ParseRange(const std::string& begin_untrusted, const std::string& end_untrusted,
                                                storage::RingReader* reader) const;
  // The same, of which something must be stored. OutOfRange as CheckStored.
  absl::StatusOr<storage::TimeRange> StoredRange(const std::string& begin_untrusted, const std::string& end_untrusted,
                                                 storage::RingReader* reader) const;
  absl::StatusOr<std::shared_ptr<const Snapshot>> Newest() const;
  absl::StatusOr<std::shared_ptr<const Snapshot>> SnapshotAt(const std::string& at_untrusted) const;

  // … whose sink this is: an empty message asks whether anybody listens.
  template <typename Message>
  GoOn GoOnWhile(const std::function<bool(const Message&)>& sink) const {
    return GoOnWhile([&sink] { return sink(Message()); });
  }

  EngineOptions options_;
  const std::unique_ptr<UserBudgets> budgets_;
};

// An event as a client may see it.
v1::Event EncodeEvent(const Event& event, const Caller& caller);

}  // namespace taskmon::query

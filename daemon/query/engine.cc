// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/engine.h"

#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "daemon/query/encode.h"
#include "daemon/query/look_back.h"
#include "daemon/query/range.h"
#include "daemon/query/sort.h"
#include "daemon/query/time_spec.h"

namespace taskmon::query {
namespace {

constexpr int64_t kRememberedTests = 1'000'000;

int64_t SystemClock() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// At least one page; false when `send` said so.
template <typename Send>
bool SendPages(const Snapshot& snapshot, const std::vector<Row>& rows, const Plan& plan, const Send& send) {
  BatchBuilder builder(plan.metrics());
  builder.AddTick(snapshot.tick);
  for (const Row& row : rows) {
    if (builder.full() && !send(builder.Take(false))) return false;
    builder.Add(row);
  }
  return send(builder.Take(true));
}

}  // namespace

Engine::Engine(EngineOptions options)
    : options_(std::move(options)), budgets_(std::make_unique<UserBudgets>(kRememberedTests, options_.answer_bytes)) {}
Engine::~Engine() = default;

absl::StatusOr<std::unique_ptr<storage::RingReader>> Engine::OpenRing() const {
  if (options_.open_ring) return options_.open_ring();
  if (options_.ring_path.empty()) return absl::NotFoundError("no history is kept here");
  return storage::RingReader::Open(options_.ring_path, RingColumns());
}

absl::StatusOr<int64_t> Engine::Now(storage::RingReader* reader) const {
  if (options_.now_wall_ns) return options_.now_wall_ns();
  if (options_.newest || reader == nullptr) return SystemClock();
  absl::StatusOr<std::optional<storage::TimeRange>> stored = reader->Range();
  if (!stored.ok()) return stored.status();
  return stored->has_value() ? (*stored)->end_wall_ns : SystemClock();
}

absl::StatusOr<storage::TimeRange> Engine::ParseRange(const std::string& begin_untrusted,
                                                      const std::string& end_untrusted,
                                                      storage::RingReader* reader) const {
  absl::StatusOr<int64_t> now = Now(reader);
  if (!now.ok()) return now.status();
  absl::StatusOr<int64_t> begin = ParseTime(begin_untrusted.empty() ? "10m" : begin_untrusted, *now);
  if (!begin.ok()) return begin.status();
  absl::StatusOr<int64_t> end = ParseTime(end_untrusted.empty() ? "now" : end_untrusted, *now);
  if (!end.ok()) return end.status();
  if (*begin > *end) {
    return absl::InvalidArgumentError(
        fmt::format("the range begins ({}) after it ends ({})", FormatLocal(*begin), FormatLocal(*end)));
  }
  return storage::TimeRange{.begin_wall_ns = *begin, .end_wall_ns = *end};
}

absl::StatusOr<storage::TimeRange> Engine::StoredRange(const std::string& begin_untrusted,
                                                       const std::string& end_untrusted,
                                                       storage::RingReader* reader) const {
  absl::StatusOr<storage::TimeRange> range = ParseRange(begin_untrusted, end_untrusted, reader);
  if (!range.ok()) return range.status();
  if (absl::Status status = CheckStored(*range, reader); !status.ok()) return status;
  return range;
}

absl::StatusOr<std::shared_ptr<const Snapshot>> Engine::Newest() const {
  if (options_.newest) {
    std::shared_ptr<const Snapshot> live = options_.newest();
    if (live == nullptr) return absl::UnavailableError("the first tick is still to come; try again in a moment");
    return live;
  }
  absl::StatusOr<std::unique_ptr<storage::RingReader>> reader = OpenRing();
  if (!reader.ok()) return reader.status();
  absl::StatusOr<std::optional<storage::TimeRange>> stored = (*reader)->Range();
  if (!stored.ok()) return stored.status();
  if (!stored->has_value()) return absl::OutOfRangeError("nothing is stored yet");
  return (*reader)->At((*stored)->end_wall_ns);
}

absl::StatusOr<std::shared_ptr<const Snapshot>> Engine::SnapshotAt(const std::string& at_untrusted) const {
  if (at_untrusted.empty()) return Newest();
  const std::shared_ptr<const Snapshot> live = options_.newest ? options_.newest() : nullptr;
  absl::StatusOr<std::unique_ptr<storage::RingReader>> reader = OpenRing();
  absl::StatusOr<int64_t> now = Now(reader.ok() ? reader->get() : nullptr);
  if (!now.ok()) return now.status();
  absl::StatusOr<int64_t> at = ParseTime(at_untrusted, *now);
  if (!at.ok()) return at.status();
  // The live tick may not be stored yet, and stays the current one until the next.
  if (live != nullptr && live->tick.wall_ns <= *at && *at <= *now) return live;
  if (!reader.ok()) return reader.status();
  if (live == nullptr || live->tick.wall_ns <= *at) return (*reader)->At(*at);
  // Between the newest stored tick and a live one that directly follows it, the stored one was current.
  absl::StatusOr<std::optional<storage::TimeRange>> stored = (*reader)->Range();
  if (!stored.ok()) return stored.status();
  if (stored->has_value() && (*stored)->end_wall_ns < *at) {
    absl::StatusOr<std::shared_ptr<const Snapshot>> last = (*reader)->At((*stored)->end_wall_ns);
    if (last.ok() && (*last)->tick.seq + 1 == live->tick.seq) return last;
  }
  return (*reader)->At(*at);
}

absl::StatusOr<std::optional<TestMemory>> Engine::Remember(const Snapshot& snapshot, const Plan& plan,
                                                           const Caller& caller, GoOn go_on) const {
  if (!plan.expression().needs_memory()) return std::nullopt;
  const Tick& tick = snapshot.tick;
  if (options_.wait_until_stored) options_.wait_until_stored(tick.wall_ns - static_cast<int64_t>(tick.elapsed_ns));
  absl::StatusOr<std::unique_ptr<storage::RingReader>> reader = OpenRing();
  std::optional<TestMemory> memory;
  memory.emplace(plan.expression(), TestMemory::Options{.budget = budgets_->Of(caller).tests});
  if (absl::IsNotFound(reader.status())) return memory;
  if (!reader.ok()) return reader.status();
  const LookBack before{.from_wall_ns = tick.wall_ns, .until_wall_ns = tick.wall_ns};
  if (absl::Status status = Recall(plan, caller, before, reader->get(), std::move(go_on), &*memory); !status.ok()) {
    return status;
  }
  return memory;
}

absl::Status Engine::ReadBetween(const Tick& last, const Snapshot& snapshot, const Expression& expression,
                                 const storage::ScanFilter& filter, GoOn go_on,
                                 const std::function<void(const Snapshot&)>& observe) const {
  const Tick& tick = snapshot.tick;
  if (!expression.needs_memory() || last.seq == 0 || tick.seq <= last.seq + 1) return absl::OkStatus();
  if (options_.wait_until_stored) options_.wait_until_stored(tick.wall_ns - static_cast<int64_t>(tick.elapsed_ns));
  absl::StatusOr<std::unique_ptr<storage::RingReader>> reader = OpenRing();
  if (absl::IsNotFound(reader.status())) return absl::OkStatus();
  if (!reader.ok()) return reader.status();
  return ReplayBetween(expression, last, tick, filter, reader->get(), std::move(go_on), observe);
}

absl::Status Engine::CatchUp(const Tick& last, const Snapshot& snapshot, const Plan& plan, const Caller& caller,
                             GoOn go_on, TestMemory* memory) const {
  return ReadBetween(last, snapshot, plan.expression(), plan.filter(), std::move(go_on),
                     [&](const Snapshot& missed) { plan.Rows(missed, caller, memory); });
}

absl::Status Engine::ListTasks(const v1::ListTasksRequest& request_untrusted, const Caller& caller,
                               const TaskSink& sink) const {
  const bool window = !request_untrusted.begin().empty() || !request_untrusted.end().empty();
  if (window || !request_untrusted.by().empty()) return ListWindow(request_untrusted, caller, sink);
  absl::StatusOr<Plan> plan = Plan::Make(request_untrusted.selection());
  if (!plan.ok()) return plan.status();
  absl::StatusOr<SortOrder> order = ParseSort(request_untrusted.sort());
  if (!order.ok()) return order.status();
  absl::StatusOr<std::shared_ptr<const Snapshot>> snapshot = SnapshotAt(request_untrusted.at());
  if (!snapshot.ok()) return snapshot.status();
  absl::StatusOr<std::optional<TestMemory>> memory = Remember(**snapshot, *plan, caller, GoOnWhile(sink));
  if (!memory.ok()) return memory.status();
  std::vector<Row> rows = plan->Rows(**snapshot, caller, memory->has_value() ? &**memory : nullptr);
  SortRows(*order, request_untrusted.top(), &rows);
  if (!SendPages(**snapshot, rows, *plan, sink)) return absl::CancelledError("the receiver is gone");
  return absl::OkStatus();
}

absl::Status Engine::CutSnapshot(const v1::SnapshotRequest& request_untrusted, const Caller& caller,
                                 const CutPlace& place, const PieceSink& sink) const {
  absl::StatusOr<std::unique_ptr<storage::RingReader>> reader = OpenRing();
  if (!reader.ok()) return reader.status();
  absl::StatusOr<storage::TimeRange> range =
      StoredRange(request_untrusted.begin(), request_untrusted.end(), reader->get());
  if (!range.ok()) return range.status();
  return SendCut(options_.ring_path, *range, request_untrusted.anonymize(), place, caller, sink);
}

absl::StatusOr<v1::TaskBatch> Engine::Select(const Snapshot& snapshot, const v1::Selection& selection_untrusted,
                                             const Caller& caller) {
  absl::StatusOr<Plan> plan = Plan::Make(selection_untrusted);
  if (!plan.ok()) return plan.status();
  BatchBuilder builder(plan->metrics());
  builder.AddTick(snapshot.tick);
  for (const Row& row : plan->Rows(snapshot, caller)) builder.Add(row);
  return builder.Take(true);
}

std::vector<v1::TaskBatch> Engine::SelectPages(const Snapshot& snapshot, const Plan& plan, const Caller& caller,
                                               TestMemory* memory) {
  std::vector<v1::TaskBatch> pages;
  SendPages(snapshot, plan.Rows(snapshot, caller, memory), plan, [&](v1::TaskBatch page) {
    pages.push_back(std::move(page));
    return true;
  });
  return pages;
}

}  // namespace taskmon::query

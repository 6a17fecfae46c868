// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <unordered_map>
#include <utility>

#include "daemon/query/encode.h"
#include "daemon/query/end_feed.h"
#include "daemon/query/engine.h"
#include "daemon/query/go_on.h"
#include "daemon/query/look_back.h"
#include "daemon/query/sort.h"
#include "daemon/query/window.h"

namespace taskmon::query {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr uint64_t kTicksBetweenEnds = 64;

// Long windows are read from the coarser resolutions: their edges are then a little less sharp.
int64_t StepFor(const storage::TimeRange& range) {
  const int64_t length = range.end_wall_ns - range.begin_wall_ns;
  if (length >= 3 * 3600 * kSecond) return 60 * kSecond;
  return length >= 1800 * kSecond ? 10 * kSecond : 0;
}

absl::Status Gone() { return absl::CancelledError("the receiver is gone"); }

// Everything that is stored between the times.
absl::Status Fold(const storage::TimeRange& range, const Plan& plan, TestMemory* memory, storage::RingReader* reader,
                  EndFeed* ends, WindowFolder* folder, GoOn go_on) {
  absl::Status status;
  if (const auto before = reader->At(range.begin_wall_ns); before.ok()) status = folder->Seed(**before);
  if (!status.ok()) return status;
  storage::ScanFilter filter = plan.filter();
  filter.step_ns = StepFor(range);
  filter.metrics.set(WindowFolder::kReadsToo);
  uint64_t ticks = 0;
  int64_t last_wall_ns = range.begin_wall_ns;
  absl::Status scanned = reader->Scan(range.begin_wall_ns, range.end_wall_ns, filter, [&](const Snapshot& snapshot) {
    status = folder->AddTick(snapshot, memory);
    last_wall_ns = std::max(last_wall_ns, snapshot.tick.wall_ns);
    if (status.ok() && ++ticks % kTicksBetweenEnds == 0) status = ends->Feed(last_wall_ns, folder);
    if (status.ok()) status = go_on.Ask();
    return status.ok();
  });
  if (status.ok()) status = scanned;
  return status.ok() ? ends->Feed(last_wall_ns, folder) : status;
}

absl::Status Send(const WindowResult& result, const Plan& plan, const SortOrder& order, uint32_t top,
                  const Engine::TaskSink& sink) {
  std::vector<Row> rows;
  std::unordered_map<const TaskSample*, const WindowRow*> origins;
  for (const WindowRow& row : result.rows) {
    rows.push_back(RowOf(row, result.moment));
    origins[row.sample.get()] = &row;
  }
  SortRows(order, top, &rows);
  BatchBuilder builder(plan.metrics());
  builder.AddTick(result.moment.tick);
  for (const Row& row : rows) {
    if (builder.full() && !sink(builder.Take(false))) return Gone();
    const WindowRow& origin = *origins[row.sample];
    builder.Add(row, origin.ended_wall_ns, origin.tasks);
  }
  return sink(builder.Take(true)) ? absl::OkStatus() : Gone();
}

}  // namespace

absl::Status Engine::ListWindow(const v1::ListTasksRequest& request_untrusted, const Caller& caller,
                                const TaskSink& sink) const {
  absl::StatusOr<Plan> plan = Plan::Make(request_untrusted.selection());
  if (!plan.ok()) return plan.status();
  absl::StatusOr<SortOrder> order = ParseSort(request_untrusted.sort());
  if (!order.ok()) return order.status();
  absl::StatusOr<GroupBy> by = ParseGroupBy(request_untrusted.by());
  if (!by.ok()) return by.status();
  const Budgets budgets = budgets_->Of(caller);
  WindowFolder folder(*plan, caller, *by, budgets.bytes);
  if (request_untrusted.begin().empty() && request_untrusted.end().empty()) {
    absl::StatusOr<std::shared_ptr<const Snapshot>> snapshot = SnapshotAt(request_untrusted.at());
    if (!snapshot.ok()) return snapshot.status();
    absl::StatusOr<std::optional<TestMemory>> memory = Remember(**snapshot, *plan, caller, GoOnWhile(sink));
    if (!memory.ok()) return memory.status();
    absl::Status status = folder.AddTick(**snapshot, memory->has_value() ? &**memory : nullptr);
    return status.ok() ? Send(folder.Take(), *plan, *order, request_untrusted.top(), sink) : status;
  }
  if (!request_untrusted.at().empty()) {
    return absl::InvalidArgumentError("a moment (--at) or a window (--begin, --end), not both");
  }
  absl::StatusOr<std::unique_ptr<storage::RingReader>> reader = OpenRing();
  if (!reader.ok()) return reader.status();
  absl::StatusOr<std::unique_ptr<storage::RingReader>> events = OpenRing();
  if (!events.ok()) return events.status();
  absl::StatusOr<storage::TimeRange> range =
      StoredRange(request_untrusted.begin(), request_untrusted.end(), reader->get());
  if (!range.ok()) return range.status();
  TestMemory memory(plan->expression(), {.budget = budgets.tests});
  const LookBack before{.from_wall_ns = range->begin_wall_ns, .until_wall_ns = range->begin_wall_ns};
  if (absl::Status status = Recall(*plan, caller, before, reader->get(), GoOnWhile(sink), &memory); !status.ok())
    return status;
  EndFeed ends(events->get(), *range);
  absl::Status status = Fold(*range, *plan, plan->expression().needs_memory() ? &memory : nullptr, reader->get(), &ends,
                             &folder, GoOnWhile(sink));
  return status.ok() ? Send(folder.Take(), *plan, *order, request_untrusted.top(), sink) : status;
}

}  // namespace taskmon::query

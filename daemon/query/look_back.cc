// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/look_back.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "daemon/query/step.h"

namespace taskmon::query {

namespace {

// Ticks may be late, so the one before the time looked back to is found, not reckoned.
int64_t BeginOf(const Expression& expression, const LookBack& where, storage::RingReader* reader) {
  const int64_t looked_back_to = where.from_wall_ns - static_cast<int64_t>(expression.look_back_ns());
  const absl::StatusOr<std::shared_ptr<const Snapshot>> there = reader->At(looked_back_to);
  if (!there.ok()) return looked_back_to;  // before the first tick, or in a gap: what comes next is all there is
  const Tick& tick = (*there)->tick;
  const int64_t apart_ns = std::max(static_cast<int64_t>(tick.elapsed_ns), where.step_ns);
  return tick.wall_ns - static_cast<int64_t>(expression.look_back_ticks()) * apart_ns;
}

}  // namespace

absl::Status Replay(const Expression& expression, const LookBack& where, storage::RingReader* reader, GoOn go_on,
                    const std::function<bool(const Snapshot&)>& observe) {
  if (!expression.needs_memory()) return absl::OkStatus();
  storage::ScanFilter filter = where.filter;
  filter.metrics = expression.metrics();
  const storage::TimeRange range{.begin_wall_ns = BeginOf(expression, where, reader),
                                 .end_wall_ns = where.until_wall_ns - 1};
  absl::Status may_go_on;
  const StepLimits limits{.bytes = where.bytes, .go_on = [&] { return (may_go_on = go_on.Ask()).ok(); }};
  const absl::Status status =
      ScanSteps(reader, range, filter, where.step_ns, limits,
                [&](const Snapshot& snapshot, const std::vector<int64_t>&) { return observe(snapshot); });
  return status.ok() ? may_go_on : status;
}

absl::Status ReplayBetween(const Expression& expression, const Tick& after, const Tick& before,
                           storage::ScanFilter filter, storage::RingReader* reader, GoOn go_on,
                           const std::function<void(const Snapshot&)>& observe) {
  filter.metrics = expression.metrics();
  filter.after_seq = after.seq;
  absl::Status may_go_on;
  const absl::Status status = reader->Scan(after.wall_ns, before.wall_ns - 1, filter, [&](const Snapshot& snapshot) {
    may_go_on = go_on.Ask();
    if (may_go_on.ok() && snapshot.tick.seq < before.seq) observe(snapshot);
    return may_go_on.ok();
  });
  return status.ok() ? may_go_on : status;
}

absl::Status Recall(const Plan& plan, const Caller& caller, LookBack where, storage::RingReader* reader, GoOn go_on,
                    TestMemory* memory) {
  where.filter = plan.filter();
  return Replay(plan.expression(), where, reader, std::move(go_on), [&](const Snapshot& snapshot) {
    plan.Rows(snapshot, caller, memory);
    return true;
  });
}

}  // namespace taskmon::query

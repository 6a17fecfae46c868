// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/look_back.h"

#include <algorithm>
#include <memory>

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

absl::Status Replay(const Expression& expression, const LookBack& where, storage::RingReader* reader,
                    const std::function<bool(const Snapshot&)>& observe) {
  if (!expression.needs_memory()) return absl::OkStatus();
  storage::ScanFilter filter = where.filter;
  filter.metrics = expression.metrics();
  const storage::TimeRange range{.begin_wall_ns = BeginOf(expression, where, reader),
                                 .end_wall_ns = where.until_wall_ns - 1};
  return ScanSteps(reader, range, filter, where.step_ns,
                   [&](const Snapshot& snapshot, const std::vector<int64_t>&) { return observe(snapshot); });
}

absl::Status Recall(const Plan& plan, const Caller& caller, LookBack where, storage::RingReader* reader,
                    TestMemory* memory) {
  where.filter = plan.filter();
  return Replay(plan.expression(), where, reader, [&](const Snapshot& snapshot) {
    plan.Rows(snapshot, caller, memory);
    return true;
  });
}

}  // namespace taskmon::query

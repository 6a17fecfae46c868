// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/look_back.h"

#include <algorithm>
#include <memory>

#include "daemon/query/step.h"

namespace taskmon::query {

namespace {

int64_t LookBackNs(const Expression& expression, const LookBack& where) {
  const uint64_t apart_ns = std::max(where.tick_ns, static_cast<uint64_t>(where.step_ns));
  return static_cast<int64_t>(expression.look_back_ns() + expression.look_back_ticks() * apart_ns);
}

}  // namespace

absl::Status Replay(const Expression& expression, const LookBack& where, storage::RingReader* reader,
                    const std::function<bool(const Snapshot&)>& observe) {
  if (!expression.needs_memory()) return absl::OkStatus();
  storage::ScanFilter filter = where.filter;
  filter.metrics = expression.metrics();
  const storage::TimeRange range{.begin_wall_ns = where.from_wall_ns - LookBackNs(expression, where),
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

uint64_t TickLengthAt(int64_t wall_ns, storage::RingReader* reader) {
  const absl::StatusOr<std::shared_ptr<const Snapshot>> snapshot = reader->At(wall_ns);
  return snapshot.ok() ? (*snapshot)->tick.elapsed_ns : 0;
}

}  // namespace taskmon::query

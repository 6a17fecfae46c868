// SPDX-License-Identifier: Apache-2.0
//
// What was before a moment, for the tests of an expression that need memory (test_memory.h): the ring is replayed from
// far enough back that their answers at the moment are those of a memory that always looked on. The one mechanism
// behind ps, watch, history and events.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include <absl/status/status.h>

#include "daemon/query/caller.h"
#include "daemon/query/expression.h"
#include "daemon/query/go_on.h"
#include "daemon/query/plan.h"
#include "daemon/query/test_memory.h"
#include "storage/ring_reader.h"

namespace taskmon::query {

struct LookBack {
  int64_t from_wall_ns = 0;             // the first moment that is asked about
  int64_t until_wall_ns = 0;            // exclusive: where the replay ends, at `from` or later
  int64_t step_ns = 0;                  // 0: ticks as they are; otherwise folded
  storage::ScanFilter filter;           // which rows; the metrics are the expression's
  std::shared_ptr<MemoryBudget> bytes;  // for steps
};

// Shows `observe` the ticks before the moment, oldest first, with the metrics that the expression reads. Fewer when the
// history is younger. What `observe` returns does not matter but for false, which ends the replay. Errors are those of
// the reader, of ScanSteps and of `go_on`.
absl::Status Replay(const Expression& expression, const LookBack& where, storage::RingReader* reader, GoOn go_on,
                    const std::function<bool(const Snapshot&)>& observe);

// The same for the ticks between two, which somebody missed who remembers: he was busy meanwhile.
absl::Status ReplayBetween(const Expression& expression, const Tick& after, const Tick& before,
                           storage::ScanFilter filter, storage::RingReader* reader, GoOn go_on,
                           const std::function<void(const Snapshot&)>& observe);

// Fills the memory with the plan's rows before the moment.
absl::Status Recall(const Plan& plan, const Caller& caller, LookBack where, storage::RingReader* reader, GoOn go_on,
                    TestMemory* memory);

}  // namespace taskmon::query

// SPDX-License-Identifier: Apache-2.0
//
// What a rule would have kept of the stored history: a dry run over a range of ticks. Pure but for the reader it is
// given.
#pragma once

#include <cstdint>

#include <absl/status/statusor.h>

#include "daemon/query/caller.h"
#include "daemon/query/expression.h"
#include "daemon/query/go_on.h"
#include "daemon/query/memory_budget.h"
#include "storage/ring_reader.h"
#include "taskmon/v1/rules.pb.h"

namespace taskmon::daemon {

struct TrialOptions {
  storage::TimeRange range;
  query::Caller caller;
  uint64_t ring_bytes = 0;  // of all that is stored
  query::Budgets budgets;
  query::GoOn go_on;  // asked at every tick
};

// ResourceExhausted: no room; otherwise the errors of `go_on` and of the reader. Process rows alone: rules are about
// processes.
absl::StatusOr<v1::RuleTrial> TryRule(const query::Expression& expression, TrialOptions options,
                                      storage::RingReader* reader);

}  // namespace taskmon::daemon

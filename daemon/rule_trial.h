// SPDX-License-Identifier: Apache-2.0
//
// What a rule would have kept of the stored history: a dry run over a range of ticks. Pure but for the reader it is
// given.
#pragma once

#include <cstdint>
#include <functional>

#include <absl/status/statusor.h>

#include "daemon/query/caller.h"
#include "daemon/query/expression.h"
#include "storage/ring_reader.h"
#include "taskmon/v1/rules.pb.h"

namespace taskmon::daemon {

struct TrialOptions {
  storage::TimeRange range;
  query::Caller caller;
  uint64_t ring_bytes = 0;          // of all that is stored
  std::function<bool()> cancelled;  // asked at every tick
};

// Cancelled; otherwise the reader's errors. Process rows alone: rules are about processes.
absl::StatusOr<v1::RuleTrial> TryRule(const query::Expression& expression, const TrialOptions& options,
                                      storage::RingReader* reader);

}  // namespace taskmon::daemon

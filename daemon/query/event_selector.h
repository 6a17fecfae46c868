// SPDX-License-Identifier: Apache-2.0
//
// An EventsRequest that was checked and parsed: which events a caller asked for. Made once per request or follower,
// then asked about any number of events. Immutable, safe from every thread.
#pragma once

#include <cstdint>

#include <absl/status/statusor.h>

#include "daemon/query/caller.h"
#include "daemon/query/expression.h"
#include "daemon/query/test_memory.h"
#include "taskmon/v1/taskmon.pb.h"

namespace taskmon::query {

class EventSelector {
 public:
  // InvalidArgument: bad expression, unknown type. Times are not looked at.
  static absl::StatusOr<EventSelector> Make(const v1::EventsRequest& request_untrusted);

  // By type, by expression on the task as it was (and its final totals), lives of threads only when asked for.
  // `verdicts`: what the tests that need memory said of the task at the time.
  bool Matches(const Event& event, const Caller& caller, const Verdicts& verdicts = {}) const;

  const Expression& expression() const { return expression_; }

  uint32_t types() const { return types_; }  // bit 1 << type

 private:
  Expression expression_;
  uint32_t types_ = ~0u;
  bool threads_ = false;
};

}  // namespace taskmon::query

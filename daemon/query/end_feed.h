// SPDX-License-Identifier: Apache-2.0
//
// Tells a window of the ends of tasks, up to the tick it has come to. Owned by one question.
#pragma once

#include <cstdint>

#include <absl/status/status.h>

#include "daemon/query/window.h"
#include "storage/event_feed.h"

namespace taskmon::query {

class EndFeed {
 public:
  // What ended by the range's begin is none of the window's business.
  EndFeed(storage::RingReader* events, const storage::TimeRange& range)
      : exits_(events, {range.begin_wall_ns + 1, range.end_wall_ns}, 1u << static_cast<uint32_t>(EventType::kExit)) {}

  // All that ended up to the tick at this time. Ticks come in their order.
  absl::Status Feed(int64_t until_wall_ns, WindowFolder* folder) {
    return exits_.Until(until_wall_ns, [folder](const Event& event) { return folder->AddEnd(event); });
  }

 private:
  storage::EventFeed exits_;
};

}  // namespace taskmon::query

// SPDX-License-Identifier: Apache-2.0
//
// Tells a window of the ends of tasks, up to the tick it has come to. Has a reader of its own, since the window's is in
// the middle of a scan. Owned by one question.
#pragma once

#include <cstdint>

#include <absl/status/status.h>

#include "daemon/query/window.h"
#include "storage/ring_reader.h"

namespace taskmon::query {

class EndFeed {
 public:
  // `after_wall_ns`: what ended by then is none of the window's business.
  EndFeed(storage::RingReader* events, int64_t after_wall_ns) : events_(events), after_wall_ns_(after_wall_ns) {}

  absl::Status Feed(int64_t until_wall_ns, WindowFolder* folder) {
    if (until_wall_ns <= after_wall_ns_) return absl::OkStatus();
    const storage::EventFilter exits{.after_id = 0, .types = 1u << static_cast<uint32_t>(EventType::kExit)};
    absl::Status status;
    absl::Status scanned = events_->ScanEvents(after_wall_ns_ + 1, until_wall_ns, exits, [&](const Event& event) {
      status = folder->AddEnd(event);
      return status.ok();
    });
    after_wall_ns_ = until_wall_ns;
    return status.ok() ? scanned : status;
  }

 private:
  storage::RingReader* const events_;
  int64_t after_wall_ns_;
};

}  // namespace taskmon::query

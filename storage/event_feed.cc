// SPDX-License-Identifier: Apache-2.0
#include "storage/event_feed.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace taskmon::storage {

absl::Status EventFeed::Until(int64_t wall_ns, const Sink& sink) {
  for (;;) {
    if (absl::Status status = HandOver(wall_ns, sink); !status.ok()) return status;
    if (!ahead_.empty() || wall_ns <= all_until_wall_ns_) return absl::OkStatus();
    if (absl::Status status = ReadOn(wall_ns); !status.ok()) return status;
  }
}

// Clocks of several CPUs: of two events next to each other the later may have the smaller id.
absl::Status EventFeed::HandOver(int64_t until_wall_ns, const Sink& sink) {
  auto kept = ahead_.begin();
  for (Event& event : ahead_) {
    if (event.wall_ns > until_wall_ns) {
      if (&*kept != &event) *kept = std::move(event);
      ++kept;
    } else if (absl::Status status = sink(event); !status.ok()) {
      return status;
    }
  }
  ahead_.erase(kept, ahead_.end());
  return absl::OkStatus();
}

absl::Status EventFeed::ReadOn(int64_t until_wall_ns) {
  // The ring may grow meanwhile: what came after this is read when a tick gets there.
  absl::StatusOr<std::optional<TimeRange>> stored = reader_->Range();
  if (!stored.ok()) return stored.status();
  bool all = true;
  absl::Status status = reader_->ScanEvents(range_.begin_wall_ns, range_.end_wall_ns,
                                            {.after_id = last_id_, .types = types_}, [&](const Event& event) {
                                              last_id_ = event.id;
                                              ahead_.push_back(event);
                                              return all = ahead_.size() < kReadAhead;
                                            });
  if (all) all_until_wall_ns_ = std::max(until_wall_ns, *stored ? (*stored)->end_wall_ns : until_wall_ns);
  return status;
}

}  // namespace taskmon::storage

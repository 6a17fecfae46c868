// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/end_feed.h"

#include <algorithm>
#include <optional>

namespace taskmon::query {

absl::Status EndFeed::Feed(int64_t until_wall_ns, WindowFolder* folder) {
  for (;;) {
    for (; !ahead_.empty() && ahead_.front().wall_ns <= until_wall_ns; ahead_.pop_front()) {
      if (absl::Status status = folder->AddEnd(ahead_.front()); !status.ok()) return status;
    }
    if (!ahead_.empty() || until_wall_ns <= all_until_wall_ns_) return absl::OkStatus();
    if (absl::Status status = ReadOn(until_wall_ns); !status.ok()) return status;
  }
}

absl::Status EndFeed::ReadOn(int64_t until_wall_ns) {
  // The ring may grow meanwhile: what came after this is read when a tick gets there.
  absl::StatusOr<std::optional<storage::TimeRange>> stored = events_->Range();
  if (!stored.ok()) return stored.status();
  const storage::EventFilter exits{.after_id = last_id_, .types = 1u << static_cast<uint32_t>(EventType::kExit)};
  bool all = true;
  absl::Status status =
      events_->ScanEvents(range_.begin_wall_ns + 1, range_.end_wall_ns, exits, [&](const Event& event) {
        last_id_ = event.id;
        ahead_.push_back(event);
        return all = ahead_.size() < kReadAhead;
      });
  if (all) all_until_wall_ns_ = std::max(until_wall_ns, *stored ? (*stored)->end_wall_ns : 0);
  return status;
}

}  // namespace taskmon::query

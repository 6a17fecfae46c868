// SPDX-License-Identifier: Apache-2.0
//
// Tells a window of the ends of tasks, up to the tick it has come to. Has a reader of its own, since the window's is in
// the middle of a scan, and reads ahead: each end is read once, however many steps there are. Owned by one question.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include <absl/status/status.h>

#include "daemon/query/window.h"
#include "storage/ring_reader.h"

namespace taskmon::query {

class EndFeed {
 public:
  static constexpr size_t kReadAhead = 4096;  // ends, some KiB each at most

  // What ended by the range's begin is none of the window's business.
  EndFeed(storage::RingReader* events, const storage::TimeRange& range) : events_(events), range_(range) {}

  // All that ended up to the tick at this time, which is stored. Ticks come in their order.
  absl::Status Feed(int64_t until_wall_ns, WindowFolder* folder);

 private:
  absl::Status ReadOn(int64_t until_wall_ns);

  storage::RingReader* const events_;
  const storage::TimeRange range_;
  std::deque<Event> ahead_;
  uint64_t last_id_ = 0;           // read so far
  int64_t all_until_wall_ns_ = 0;  // all that is stored up to here has been read
};

}  // namespace taskmon::query

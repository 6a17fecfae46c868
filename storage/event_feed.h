// SPDX-License-Identifier: Apache-2.0
//
// Events of a range, handed over stretch by stretch beside a scan of its ticks: reads ahead, so that each is read once,
// however many stretches there are (a scan for each would read the open chunk's anew). Needs a reader of its own, since
// the ticks' is in the middle of a scan. Belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include <absl/status/status.h>

#include "storage/ring_reader.h"

namespace taskmon::storage {

class EventFeed {
 public:
  static constexpr size_t kReadAhead = 4096;  // events, some KiB each at most

  // `types`: bits as in EventFilter.
  EventFeed(RingReader* reader, const TimeRange& range, uint32_t types)
      : reader_(reader), range_(range), types_(types) {}

  // The next of them up to this time, in the order of their ids. Ticks up to it that the caller has seen are stored. An
  // error of the sink ends it.
  using Sink = std::function<absl::Status(const Event&)>;
  absl::Status Until(int64_t wall_ns, const Sink& sink);

 private:
  absl::Status HandOver(int64_t until_wall_ns, const Sink& sink);
  absl::Status ReadOn(int64_t until_wall_ns);

  RingReader* const reader_;
  const TimeRange range_;
  const uint32_t types_;
  std::vector<Event> ahead_;
  uint64_t last_id_ = 0;                   // read so far
  int64_t all_until_wall_ns_ = INT64_MIN;  // all that is stored up to here has been read
};

}  // namespace taskmon::storage

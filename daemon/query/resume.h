// SPDX-License-Identifier: Apache-2.0
//
// Where an answer over stored ticks was cut short, as a text that clients give back to have the rest. It names the
// times of the question, since "10 minutes ago" is another time by then.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "storage/ring_reader.h"

namespace taskmon::query {

struct ResumePoint {
  uint64_t seq = 0;     // of the last tick that was answered
  int64_t wall_ns = 0;  // … and its time
  storage::TimeRange range;
};

std::string FormatResume(const ResumePoint& point);
// InvalidArgument: not a text of ours.
absl::StatusOr<ResumePoint> ParseResume(std::string_view text_untrusted);

}  // namespace taskmon::query

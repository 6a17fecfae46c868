// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as columns of events; what they hold is written again and read back, which must give the same.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/event_columns.h"

namespace {

using namespace taskmon;
using namespace taskmon::storage;

void Require(bool holds) {
  if (!holds) __builtin_trap();
}

// Every task there is: how it ended depends on its number alone.
absl::StatusOr<TaskTimes> Times(int64_t task) {
  TaskTimes times{.start_ns = static_cast<uint64_t>(task) * 1000, .wall_offset_ns = 1795737936};
  times.ended = task % 3 == 0;
  times.duration_ns = static_cast<uint64_t>(task) % 1000;
  times.exit_boot_ns = times.start_ns + times.duration_ns;
  times.exit_wall_ns = task % 7;
  return times;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes = std::string(1, '\0') + std::string(reinterpret_cast<const char*>(data), size);
  std::vector<StoredEvent> events;
  if (!DecodeEvents(bytes, Times, &events).ok()) return 0;
  absl::StatusOr<std::string> again = EncodeEvents(events, {{~0ull, ~0ull}}, Times, 1);
  Require(again.ok());
  std::vector<StoredEvent> got;
  Require(DecodeEvents(*again, Times, &got).ok());
  Require(got.size() == events.size());
  for (size_t i = 0; i < got.size(); ++i) {
    const Event &a = events[i].event, &b = got[i].event;
    Require(a.id == b.id && a.type == b.type && a.wall_ns == b.wall_ns && a.boot_ns == b.boot_ns);
    Require(a.duration_ns == b.duration_ns && a.wait_status == b.wait_status && a.detail == b.detail);
    Require(events[i].task == got[i].task && events[i].names == got[i].names && events[i].seq == got[i].seq);
    Require((a.final_sample == nullptr) == (b.final_sample == nullptr));
    if (a.final_sample == nullptr) continue;
    Require(a.final_sample->valid == b.final_sample->valid && a.final_sample->values == b.final_sample->values);
    Require(a.final_sample->tick_seq == b.final_sample->tick_seq);
  }
  return 0;
}

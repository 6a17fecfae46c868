// SPDX-License-Identifier: Apache-2.0
//
// Reads the event table in pages, each in a short transaction of its own. Belongs to a RingReader.
#pragma once

#include <cstdint>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/info_cache.h"
#include "storage/ring_reader.h"
#include "storage/sqlite_db.h"

namespace taskmon::storage {

class EventReader {
 public:
  EventReader(Database* db, InfoCache* infos) : db_(db), infos_(infos) {}
  absl::Status Prepare();

  // As RingReader::ScanEvents.
  absl::Status Scan(int64_t begin_wall_ns, int64_t end_wall_ns, const EventFilter& filter,
                    const RingReader::EventSink& sink);

 private:
  absl::StatusOr<std::vector<Event>> Page(int64_t begin, int64_t end, uint32_t types, uint64_t after_id,
                                          uint64_t last_id);
  absl::StatusOr<Event> Read();

  Database* const db_;
  InfoCache* const infos_;
  Statement range_, events_;
};

}  // namespace taskmon::storage

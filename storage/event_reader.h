// SPDX-License-Identifier: Apache-2.0
//
// Reads events in pages, each in a short transaction of its own: those that have rows and those that lie in columns,
// in the order of their ids. Belongs to a RingReader.
#pragma once

#include <cstdint>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/event_pages.h"
#include "storage/info_cache.h"
#include "storage/ring_reader.h"
#include "storage/sqlite_db.h"

namespace taskmon::storage {

class EventReader {
 public:
  EventReader(Database* db, InfoCache* infos) : db_(db), infos_(infos), pages_(db) {}
  absl::Status Prepare();

  absl::StatusOr<uint64_t> NewestId();
  // As RingReader::ScanEvents.
  absl::Status Scan(int64_t begin_wall_ns, int64_t end_wall_ns, const EventFilter& filter,
                    const RingReader::EventSink& sink);

 private:
  struct Question {
    int64_t begin_wall_ns, end_wall_ns;
    uint32_t types;
    uint64_t last_id;  // newest event when the scan began: what comes later is left out
  };
  struct Page {
    std::vector<Event> events;
    uint64_t last_id = 0;  // all up to here are in it
  };
  absl::StatusOr<Page> Next(const Question& question, uint64_t after_id);
  absl::Status ReadRows(const Question& question, uint64_t after_id, Page* page);
  absl::Status AddColumns(const Question& question, uint64_t after_id, Page* page);
  absl::StatusOr<Event> ReadRow();

  Database* const db_;
  InfoCache* const infos_;
  EventPages pages_;
  Statement newest_, rows_;
};

}  // namespace taskmon::storage

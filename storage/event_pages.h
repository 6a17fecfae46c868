// SPDX-License-Identifier: Apache-2.0
//
// Reads events that lie in columns, a page at a time: a block, or what the journal has. Belongs to one connection;
// every call must stand in a read transaction of the caller. Files of older formats have none.
#pragma once

#include <cstdint>
#include <vector>

#include <absl/status/status.h>

#include "storage/event_columns.h"
#include "storage/sqlite_db.h"
#include "storage/task_times.h"

namespace taskmon::storage {

class EventPages {
 public:
  explicit EventPages(Database* db) : db_(db) {}
  absl::Status Prepare();

  struct Page {
    std::vector<StoredEvent> events;  // ids ascend; also some from before, and from outside of the times
    uint64_t last_id = UINT64_MAX;    // there are no others up to here; UINT64_MAX: nor after
  };
  // The page with the first events after `after_id` that may be between the times; valid until the next call.
  absl::StatusOr<const Page*> Next(uint64_t after_id, int64_t begin_wall_ns, int64_t end_wall_ns);

 private:
  absl::Status ReadBlock(int64_t id, uint64_t last_id);
  absl::Status ReadJournal(uint64_t after_id);

  Database* const db_;
  bool any_ = false;   // the format has columns
  int64_t block_ = 0;  // that page_ is; 0: none
  Page page_;
  TaskTimesReader times_;
  Statement find_block_, read_block_, read_journal_;
};

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
//
// The writer's view of events. Rare ones are rows of table `event`. Births, execs, renames and ends are columns: with
// the journal while the chunk of their ticks is open, then in blocks, which go when these ticks do. Owned by the
// writer's thread; every call runs inside the writer's transaction.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/event_columns.h"
#include "storage/sqlite_db.h"
#include "storage/task_times.h"

namespace taskmon::storage {

class EventStore {
 public:
  // `stored`: metrics of last samples that are kept.
  static absl::StatusOr<std::unique_ptr<EventStore>> Open(Database* db, const MetricBits& stored);

  uint64_t last_id() const { return last_id_; }
  // Gives the event its number, and a row if columns do not take it: true when they are to.
  absl::StatusOr<bool> Add(uint64_t seq, const Event& event, int64_t task, int64_t names);
  // The journal, which is about to go, gives its columns to blocks.
  absl::Status PackJournal();
  // Events in the order of their numbers, as blocks.
  absl::Status Pack(std::vector<StoredEvent> events);
  // After a rollback: numbers may have gone with it.
  absl::Status Reload();

 private:
  EventStore(Database* db, const MetricBits& stored) : db_(db), stored_(stored) {}
  absl::Status Prepare();
  absl::Status PackBlock(const std::vector<StoredEvent>& events);
  absl::Status SaveLastId();

  Database* const db_;
  const MetricBits stored_;
  uint64_t last_id_ = 0;
  TaskTimesReader times_;
  Statement insert_event_, insert_block_, insert_data_, select_journal_;
};

}  // namespace taskmon::storage

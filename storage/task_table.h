// SPDX-License-Identifier: Apache-2.0
//
// The writer's view of the table `task`: which tasks have rows, and what they are called. Owned by the writer's thread;
// every call runs inside the writer's transaction.
//
// Life of a row:   event or snapshot -> alive (last_seq NULL) -> gone (last_seq set) -> retention deletes it
// What a tick changes of a row is written once, by EndTick: a life between two ticks is one row written once.
// After a rollback call Forget.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/event_columns.h"
#include "storage/name_table.h"
#include "storage/sample.h"
#include "storage/sqlite_db.h"

namespace taskmon::storage {

struct TaskIds {
  int64_t task = 0;
  int64_t info = 0;
};

class TaskTable {
 public:
  static absl::StatusOr<std::unique_ptr<TaskTable>> Open(Database* db);

  // Switches to a row of `boot`. All tasks that were alive are gone as of `last_seq`. `wall_offset_ns`: wall clock less
  // boot clock.
  absl::StatusOr<int64_t> BeginBoot(const std::string& boot_id, int64_t wall_offset_ns, uint64_t last_seq);
  // The task is in the snapshot of tick `seq`, with these names.
  absl::StatusOr<TaskIds> Alive(const std::shared_ptr<const TaskInfo>& info, uint64_t seq);
  // The task was in the tick before `seq` and is in `seq` no more.
  absl::Status Gone(const TaskKey& key, uint64_t seq);
  // An event of tick `seq` names the task; it need not be alive. Exit events fill in the exit record.
  absl::StatusOr<TaskIds> Mentioned(const Event& event, uint64_t seq);
  // Rows of the task are added to ticks before `seq`, the newest of them `last_seq`.
  absl::StatusOr<TaskIds> Past(const std::shared_ptr<const TaskInfo>& info, uint64_t first_seq, uint64_t last_seq);
  // What the row of a task says, or will; of one mentioned in this tick.
  absl::StatusOr<TaskTimes> Times(int64_t task) const;
  // Before the commit: writes the rows that changed, and lets go of those that only events have named.
  absl::Status EndTick();
  // Names that have not been asked for in the last `ticks` need not be kept in mind, but for those that `in_use` has.
  absl::Status RetireNames(std::unordered_set<int64_t> in_use, uint64_t seq, uint64_t ticks);
  void Forget();

 private:
  struct Exit {
    int64_t wall_ns = 0;
    int32_t wait_status = 0;
    uint64_t duration_ns = 0;
  };
  struct Entry {
    int64_t id = 0;
    TaskFacts facts;
    int64_t names = 0;
    std::shared_ptr<const TaskInfo> info;  // what `names` stands for; null: not known
    uint64_t first_seq = 0;
    uint64_t last_seq = 0;  // of one that is not alive
    bool alive = false;
    bool seen = false;
    bool is_new = false;  // has no row yet
    bool dirty = false;
    uint64_t seen_seq = 0;
    std::optional<Exit> exit;
  };

  explicit TaskTable(Database* db) : db_(db) {}
  absl::Status Prepare();
  absl::StatusOr<Entry*> Find(const TaskInfo& info, uint64_t seq);
  void Load(Entry* entry);
  void Touch(Entry* entry);
  absl::Status Write(Entry* entry);

  Database* const db_;
  std::unique_ptr<NameTable> names_;
  int64_t boot_ = 0;
  int64_t wall_offset_ns_ = 0;
  int64_t last_id_ = 0;
  std::unordered_map<TaskKey, Entry, TaskKeyHash> entries_;
  std::unordered_map<int64_t, TaskKey> by_id_;  // of `touched_`
  std::vector<TaskKey> touched_;
  Statement find_task_, insert_task_, update_task_;
};

// Equal in all that is stored beside the identity.
bool SameInfo(const TaskInfo& a, const TaskInfo& b);

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
//
// The writer's view of the tables `task` and `task_info`: which tasks have rows, and which version of their names is
// the latest. Owned by the writer's thread; every call runs inside the writer's transaction.
//
// Life of a row:   event or snapshot -> inserted -> alive (last_seq NULL) -> gone (last_seq set) -> retention deletes
// it A cached entry may only be trusted while its transaction stands: after a rollback call Forget.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

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

  // Switches to a row of `boot`. All tasks that were alive are gone as of `last_seq`.
  absl::StatusOr<int64_t> BeginBoot(const std::string& boot_id, uint64_t last_seq);
  // The task is in the snapshot of tick `seq`, with these names.
  absl::StatusOr<TaskIds> Alive(const std::shared_ptr<const TaskInfo>& info, uint64_t seq);
  // The task was in the tick before `seq` and is in `seq` no more.
  absl::Status Gone(const TaskKey& key, uint64_t seq);
  // An event of tick `seq` names the task; it need not be alive. Exit events fill in the exit record.
  absl::StatusOr<TaskIds> Mentioned(const Event& event, uint64_t seq);
  // Rows of the task are added to ticks before `seq`, the newest of them `last_seq`.
  absl::StatusOr<TaskIds> Past(const std::shared_ptr<const TaskInfo>& info, uint64_t first_seq, uint64_t last_seq);
  // Between two ticks: drops what only events have named.
  void EndTick();
  void Forget();

 private:
  struct Entry {
    TaskIds ids;
    std::shared_ptr<const TaskInfo> info;
    bool alive = false;
    uint64_t seen_seq = 0;
  };
  explicit TaskTable(Database* db) : db_(db) {}
  absl::Status Prepare();
  absl::StatusOr<Entry*> Find(const TaskInfo& info, uint64_t seq, bool alive);
  absl::Status Load(int64_t task, const std::shared_ptr<const TaskInfo>& info, Entry* entry);
  absl::StatusOr<int64_t> InsertInfo(int64_t task, const TaskInfo& info, uint64_t seq);
  absl::StatusOr<TaskIds> NamesThen(const std::shared_ptr<const TaskInfo>& info, uint64_t seq, Entry* entry);
  absl::Status UseInfo(const std::shared_ptr<const TaskInfo>& info, uint64_t seq, Entry* entry);

  Database* db_;
  int64_t boot_ = 0;
  std::unordered_map<TaskKey, Entry, TaskKeyHash> entries_;
  std::vector<TaskKey> mentioned_;
  // Names that events of this tick gave, by address: several events share one TaskInfo. The pointers keep it alive.
  std::unordered_map<std::shared_ptr<const TaskInfo>, int64_t> event_infos_;
  Statement find_task_, insert_task_, revive_task_, end_task_, exit_task_, latest_info_, insert_info_, past_task_;
};

// Equal in all that is stored beside the identity.
bool SameInfo(const TaskInfo& a, const TaskInfo& b);
// Columns of task_info in the order that ReadInfo takes them; `i` is the table's alias.
inline constexpr const char* kInfoColumns =
    "i.tgid, i.ppid, i.process_start_ns, i.start_wall_ns, i.uid, i.gid, i.kthread, i.tracked, i.comm, i.cmdline, i.exe,"
    " i.user, i.cgroup, i.unit, i.container, i.app, i.rules";
inline constexpr int kInfoColumnCount = 17;
void ReadInfo(const Statement& row, int first_column, TaskInfo* info);

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
#include "storage/task_table.h"

#include <utility>

#include <fmt/format.h>

namespace taskmon::storage {
namespace {

// Rule names hold no line breaks (the rule store refuses them).
std::string JoinRules(const std::vector<std::string>& rules) {
  std::string out;
  for (const std::string& rule : rules) {
    if (!out.empty()) out += '\n';
    out += rule;
  }
  return out;
}

std::vector<std::string> SplitRules(std::string_view text) {
  std::vector<std::string> rules;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    rules.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return rules;
}

}  // namespace

bool SameInfo(const TaskInfo& a, const TaskInfo& b) {
  return a.tgid == b.tgid && a.ppid == b.ppid && a.uid == b.uid && a.gid == b.gid && a.tracked == b.tracked &&
         a.comm == b.comm && a.cmdline == b.cmdline && a.exe == b.exe && a.user == b.user && a.cgroup == b.cgroup &&
         a.unit == b.unit && a.container == b.container && a.app == b.app && a.rules == b.rules &&
         a.kthread == b.kthread && a.process_start_ns == b.process_start_ns && a.start_wall_ns == b.start_wall_ns;
}

void ReadInfo(const Statement& row, int first_column, TaskInfo* info) {
  int c = first_column;
  info->tgid = static_cast<int32_t>(row.Int(c++));
  info->ppid = static_cast<int32_t>(row.Int(c++));
  info->process_start_ns = static_cast<uint64_t>(row.Int(c++));
  info->start_wall_ns = row.Int(c++);
  info->uid = static_cast<uint32_t>(row.Int(c++));
  info->gid = static_cast<uint32_t>(row.Int(c++));
  info->kthread = row.Int(c++) != 0;
  info->tracked = row.Int(c++) != 0;
  for (std::string* text : {&info->comm, &info->cmdline, &info->exe, &info->user, &info->cgroup, &info->unit,
                            &info->container, &info->app}) {
    *text = row.Text(c++);
  }
  info->rules = SplitRules(row.Text(c));
}

absl::StatusOr<std::unique_ptr<TaskTable>> TaskTable::Open(Database* db) {
  std::unique_ptr<TaskTable> table(new TaskTable(db));
  absl::Status status = table->Prepare();
  if (!status.ok()) return status;
  return table;
}

absl::Status TaskTable::Prepare() {
  const std::string latest =
      fmt::format("SELECT i.id, {} FROM task_info i WHERE i.task = ? ORDER BY i.id DESC LIMIT 1", kInfoColumns);
  const std::pair<Statement*, std::string_view> all[] = {
      {&find_task_, "SELECT id, last_seq IS NULL FROM task WHERE tid = ? AND start_ns = ? AND thread = ? AND boot = ?"},
      {&insert_task_,
       "INSERT INTO task(boot, tid, thread, start_ns, first_seq, seen, last_seq) VALUES(?, ?, ?, ?, ?, ?, ?) RETURNING "
       "id"},
      {&revive_task_, "UPDATE task SET last_seq = NULL, seen = 1 WHERE id = ?"},
      {&end_task_, "UPDATE task SET last_seq = ?1 WHERE id = ?2 AND (last_seq IS NULL OR last_seq < ?1)"},
      {&exit_task_, "UPDATE task SET exit_wall_ns = ?, wait_status = ?, duration_ns = ? WHERE id = ?"},
      {&past_task_,
       "UPDATE task SET seen = 1, first_seq = min(first_seq, ?), last_seq = max(last_seq, ?) WHERE id = ?"},
      {&latest_info_, latest},
      {&insert_info_,
       "INSERT INTO task_info(task, from_seq, tgid, ppid, process_start_ns, start_wall_ns, uid, gid, kthread, tracked,"
       " comm, cmdline, exe, user, cgroup, unit, container, app, rules)"
       " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) RETURNING id"},
  };
  for (const auto& [statement, sql] : all) {
    absl::StatusOr<Statement> prepared = db_->Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    *statement = *std::move(prepared);
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> TaskTable::BeginBoot(const std::string& boot_id, uint64_t last_seq) {
  Forget();
  absl::StatusOr<Statement> end = db_->Prepare("UPDATE task SET last_seq = ? WHERE last_seq IS NULL");
  if (!end.ok()) return end.status();
  absl::Status status = end->Bind(last_seq).Run();
  if (!status.ok()) return status;
  absl::StatusOr<Statement> insert = db_->Prepare("INSERT OR IGNORE INTO boot(boot_id) VALUES(?)");
  absl::StatusOr<Statement> find = db_->Prepare("SELECT id FROM boot WHERE boot_id = ?");
  if (!insert.ok()) return insert.status();
  if (!find.ok()) return find.status();
  status = insert->BindText(boot_id).Run();
  if (!status.ok()) return status;
  absl::StatusOr<bool> row = find->BindText(boot_id).Step();
  if (!row.ok()) return row.status();
  boot_ = find->Int(0);
  return boot_;
}

absl::StatusOr<int64_t> TaskTable::InsertInfo(int64_t task, const TaskInfo& info, uint64_t seq) {
  const std::string rules = JoinRules(info.rules);
  insert_info_.Bind(task).Bind(seq).Bind(info.tgid).Bind(info.ppid).Bind(info.process_start_ns);
  insert_info_.Bind(info.start_wall_ns).Bind(info.uid).Bind(info.gid).Bind(info.kthread).Bind(info.tracked);
  for (const std::string* text : {&info.comm, &info.cmdline, &info.exe, &info.user, &info.cgroup, &info.unit,
                                  &info.container, &info.app, &rules}) {
    insert_info_.BindText(*text);
  }
  absl::StatusOr<bool> row = insert_info_.Step();
  const int64_t id = row.ok() ? insert_info_.Int(0) : 0;
  insert_info_.Reset();
  if (!row.ok()) return row.status();
  return id;
}

absl::Status TaskTable::Load(int64_t task, const std::shared_ptr<const TaskInfo>& info, Entry* entry) {
  entry->ids.task = task;
  absl::StatusOr<bool> row = latest_info_.Bind(task).Step();
  if (row.ok() && *row) {
    auto stored = std::make_shared<TaskInfo>();
    stored->key = info->key;
    ReadInfo(latest_info_, 1, stored.get());
    entry->ids.info = latest_info_.Int(0);
    entry->info = std::move(stored);
  }
  latest_info_.Reset();
  return row.status();
}

// Only looks the identity up or inserts it; the names are UseInfo's part.
absl::StatusOr<TaskTable::Entry*> TaskTable::Find(const TaskInfo& info, uint64_t seq, bool alive) {
  auto [at, inserted] = entries_.try_emplace(info.key);
  Entry* entry = &at->second;
  if (!inserted) return entry;
  const TaskKey& key = info.key;
  absl::StatusOr<bool> row = find_task_.Bind(key.tid).Bind(key.start_ns).Bind(key.thread).Bind(boot_).Step();
  const bool found = row.ok() && *row;
  const int64_t id = found ? find_task_.Int(0) : 0;
  entry->alive = found && find_task_.Int(1) != 0;
  find_task_.Reset();
  if (!row.ok()) return row.status();
  if (found) {
    absl::Status status = Load(id, std::make_shared<const TaskInfo>(info), entry);
    if (!status.ok()) return status;
    return entry;
  }
  insert_task_.Bind(boot_).Bind(key.tid).Bind(key.thread).Bind(key.start_ns).Bind(seq).Bind(alive);
  row = alive ? insert_task_.BindNull().Step() : insert_task_.Bind(seq).Step();
  entry->alive = alive;
  entry->ids.task = row.ok() ? insert_task_.Int(0) : 0;
  insert_task_.Reset();
  if (!row.ok()) return row.status();
  return entry;
}

absl::Status TaskTable::UseInfo(const std::shared_ptr<const TaskInfo>& info, uint64_t seq, Entry* entry) {
  if (entry->info == info) return absl::OkStatus();
  if (entry->info == nullptr || !SameInfo(*entry->info, *info)) {
    absl::StatusOr<int64_t> id = InsertInfo(entry->ids.task, *info, seq);
    if (!id.ok()) return id.status();
    entry->ids.info = *id;
  }
  entry->info = info;
  return absl::OkStatus();
}

absl::StatusOr<TaskIds> TaskTable::Alive(const std::shared_ptr<const TaskInfo>& info, uint64_t seq) {
  absl::StatusOr<Entry*> entry = Find(*info, seq, true);
  if (!entry.ok()) return entry.status();
  absl::Status status;
  if (!(*entry)->alive) status = revive_task_.Bind((*entry)->ids.task).Run();
  if (status.ok()) status = UseInfo(info, seq, *entry);
  if (!status.ok()) return status;
  (*entry)->alive = true;
  (*entry)->seen_seq = seq;
  return (*entry)->ids;
}

absl::Status TaskTable::Gone(const TaskKey& key, uint64_t seq) {
  auto at = entries_.find(key);
  // Seen in this very tick: only its row in the chunk was cut in two.
  if (at == entries_.end() || at->second.seen_seq == seq) return absl::OkStatus();
  at->second.alive = false;
  mentioned_.push_back(key);
  return end_task_.Bind(seq).Bind(at->second.ids.task).Run();
}

absl::StatusOr<TaskIds> TaskTable::Mentioned(const Event& event, uint64_t seq) {
  absl::StatusOr<Entry*> found = Find(*event.task, seq, false);
  if (!found.ok()) return found.status();
  Entry* entry = *found;
  absl::Status status;
  if (!entry->alive) {
    mentioned_.push_back(event.task->key);
    status = end_task_.Bind(seq).Bind(entry->ids.task).Run();
  }
  if (status.ok() && event.type == EventType::kExit) {
    exit_task_.Bind(event.wall_ns).Bind(event.wait_status).Bind(event.duration_ns);
    status = exit_task_.Bind(entry->ids.task).Run();
  }
  if (!status.ok()) return status;
  return NamesThen(event.task, seq, entry);
}

// Names that are not the latest, or were the task's for a part of a tick only, are kept aside: the latest stay the
// latest.
absl::StatusOr<TaskIds> TaskTable::NamesThen(const std::shared_ptr<const TaskInfo>& info, uint64_t seq, Entry* entry) {
  if (entry->info == nullptr) {
    absl::Status status = UseInfo(info, seq, entry);
    if (!status.ok()) return status;
  }
  TaskIds ids = entry->ids;
  if (entry->info == info || SameInfo(*entry->info, *info)) return ids;
  auto [at, is_new] = event_infos_.try_emplace(info, 0);
  if (is_new) {
    absl::StatusOr<int64_t> id = InsertInfo(entry->ids.task, *info, seq);
    if (!id.ok()) return id.status();
    at->second = *id;
  }
  ids.info = at->second;
  return ids;
}

absl::StatusOr<TaskIds> TaskTable::Past(const std::shared_ptr<const TaskInfo>& info, uint64_t first_seq,
                                        uint64_t last_seq) {
  absl::StatusOr<Entry*> entry = Find(*info, first_seq, false);
  if (!entry.ok()) return entry.status();
  if (!(*entry)->alive) mentioned_.push_back(info->key);
  absl::Status status = past_task_.Bind(first_seq).Bind(last_seq).Bind((*entry)->ids.task).Run();
  if (!status.ok()) return status;
  return NamesThen(info, first_seq, *entry);
}

void TaskTable::EndTick() {
  for (const TaskKey& key : mentioned_) {
    auto at = entries_.find(key);
    if (at != entries_.end() && !at->second.alive) entries_.erase(at);
  }
  mentioned_.clear();
  event_infos_.clear();
}

void TaskTable::Forget() {
  entries_.clear();
  mentioned_.clear();
  event_infos_.clear();
}

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
#include "storage/task_table.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "storage/codec.h"

namespace taskmon::storage {
namespace {

int64_t Signed(uint64_t v) { return static_cast<int64_t>(v); }

}  // namespace

bool SameInfo(const TaskInfo& a, const TaskInfo& b) {
  return a.tgid == b.tgid && a.ppid == b.ppid && a.uid == b.uid && a.gid == b.gid && a.tracked == b.tracked &&
         a.comm == b.comm && a.cmdline == b.cmdline && a.exe == b.exe && a.user == b.user && a.cgroup == b.cgroup &&
         a.unit == b.unit && a.container == b.container && a.app == b.app && a.rules == b.rules &&
         a.kthread == b.kthread && a.process_start_ns == b.process_start_ns && a.start_wall_ns == b.start_wall_ns;
}

absl::StatusOr<std::unique_ptr<TaskTable>> TaskTable::Open(Database* db) {
  std::unique_ptr<TaskTable> table(new TaskTable(db));
  absl::Status status = table->Prepare();
  if (!status.ok()) return status;
  return table;
}

absl::Status TaskTable::Prepare() {
  const std::pair<Statement*, const char*> all[] = {
      {&find_task_,
       "SELECT id, ppid, start_skew_ns, names, first_seq, last_seq, wait_status, duration_ns, exit_skew_ns, seen,"
       " coalesce(tgid, tid), process_age_ns FROM task WHERE tid = ? AND start_ns = ? AND thread = ? AND boot = ?"},
      {&insert_task_,
       "INSERT INTO task(names, first_seq, last_seq, wait_status, duration_ns, exit_skew_ns, seen, id, boot, tid,"
       " thread, start_ns, ppid, start_skew_ns, process_age_ns, tgid)"
       " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
      {&update_task_,
       "UPDATE task SET names = ?, first_seq = ?, last_seq = ?, wait_status = ?, duration_ns = ?, exit_skew_ns = ?,"
       " seen = ? WHERE id = ?"},
  };
  if (absl::Status status = db_->PrepareAll(all); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<NameTable>> names = NameTable::Open(db_);
  if (!names.ok()) return names.status();
  names_ = *std::move(names);
  return absl::OkStatus();
}

absl::StatusOr<int64_t> TaskTable::BeginBoot(const std::string& boot_id, int64_t wall_offset_ns, uint64_t last_seq) {
  Forget();
  absl::StatusOr<int64_t> last = db_->QueryInt("SELECT seq FROM sqlite_sequence WHERE name = 'task'");
  if (!last.ok()) return last.status();
  last_id_ = *last;
  absl::StatusOr<Statement> end =
      db_->Prepare("UPDATE task SET last_seq = ? WHERE id IN (SELECT id FROM task WHERE last_seq IS NULL)");
  absl::StatusOr<Statement> insert = db_->Prepare("INSERT OR IGNORE INTO boot(boot_id, wall_offset_ns) VALUES(?, ?)");
  absl::StatusOr<Statement> complete =
      db_->Prepare("UPDATE boot SET wall_offset_ns = ? WHERE boot_id = ? AND wall_offset_ns IS NULL");
  absl::StatusOr<Statement> find = db_->Prepare("SELECT id, wall_offset_ns FROM boot WHERE boot_id = ?");
  for (const auto* statement : {&end, &insert, &complete, &find}) {
    if (!statement->ok()) return statement->status();
  }
  absl::Status status = end->Bind(last_seq).Run();
  if (status.ok()) status = insert->BindText(boot_id).Bind(wall_offset_ns).Run();
  if (status.ok()) status = complete->Bind(wall_offset_ns).BindText(boot_id).Run();
  if (!status.ok()) return status;
  absl::StatusOr<bool> row = find->BindText(boot_id).Step();
  if (!row.ok()) return row.status();
  boot_ = find->Int(0);
  wall_offset_ns_ = find->Int(1);
  return boot_;
}

// What the row that find_task_ stands on says. Its names may have been retired, so that they are looked up anew.
void TaskTable::Load(Entry* entry) {
  const Statement& row = find_task_;
  entry->id = row.Int(0);
  entry->facts.ppid = static_cast<int32_t>(row.Int(1));
  entry->facts.start_wall_ns = WrapAdd(WrapAdd(Signed(entry->facts.key.start_ns), wall_offset_ns_), row.Int(2));
  entry->names = row.Int(3);
  entry->first_seq = static_cast<uint64_t>(row.Int(4));
  entry->alive = row.IsNull(5);
  entry->last_seq = static_cast<uint64_t>(row.Int(5));
  if (!row.IsNull(7)) {
    entry->exit = Exit{WrapAdd(WrapAdd(entry->facts.start_wall_ns, row.Int(7)), row.Int(8)),
                       static_cast<int32_t>(row.Int(6)), static_cast<uint64_t>(row.Int(7))};
  }
  entry->seen = row.Int(9) != 0;
  entry->facts.tgid = static_cast<int32_t>(row.Int(10));
  entry->facts.process_start_ns = entry->facts.key.start_ns - static_cast<uint64_t>(row.Int(11));
}

// Only looks the identity up or makes it; the names are the callers' part.
absl::StatusOr<TaskTable::Entry*> TaskTable::Find(const TaskInfo& info, uint64_t seq) {
  auto [at, inserted] = entries_.try_emplace(info.key);
  Entry* entry = &at->second;
  if (!inserted) return entry;
  const TaskKey& key = info.key;
  entry->facts.key = key;
  ResetAtEnd reset(&find_task_);
  absl::StatusOr<bool> row = find_task_.Bind(key.tid).Bind(key.start_ns).Bind(key.thread).Bind(boot_).Step();
  if (!row.ok()) return row.status();
  if (*row) {
    Load(entry);
    return entry;
  }
  entry->id = ++last_id_;
  entry->facts.ppid = info.ppid;
  entry->facts.tgid = info.tgid;
  entry->facts.process_start_ns = info.process_start_ns;
  entry->facts.start_wall_ns = info.start_wall_ns;
  entry->first_seq = entry->last_seq = seq;
  entry->is_new = true;
  Touch(entry);
  return entry;
}

void TaskTable::Touch(Entry* entry) {
  if (std::exchange(entry->dirty, true)) return;
  touched_.push_back(entry->facts.key);
  by_id_[entry->id] = entry->facts.key;
}

absl::StatusOr<TaskIds> TaskTable::Alive(const std::shared_ptr<const TaskInfo>& info, uint64_t seq) {
  absl::StatusOr<Entry*> found = Find(*info, seq);
  if (!found.ok()) return found.status();
  Entry* entry = *found;
  const bool same = entry->seen && entry->info != nullptr && (entry->info == info || SameInfo(*entry->info, *info));
  absl::StatusOr<int64_t> names = entry->names;
  if (!same) names = names_->Find(*info, entry->facts, seq, true);
  if (!names.ok()) return names.status();
  if (!entry->alive || !entry->seen || entry->names != *names) Touch(entry);
  entry->names = *names;
  entry->info = info;
  entry->alive = entry->seen = true;
  entry->seen_seq = seq;
  return TaskIds{entry->id, entry->names};
}

absl::Status TaskTable::Gone(const TaskKey& key, uint64_t seq) {
  auto at = entries_.find(key);
  // Seen in this very tick: only its row in the chunk was cut in two.
  if (at == entries_.end() || at->second.seen_seq == seq) return absl::OkStatus();
  Touch(&at->second);
  at->second.alive = false;
  at->second.last_seq = seq;
  return absl::OkStatus();
}

absl::StatusOr<TaskIds> TaskTable::Mentioned(const Event& event, uint64_t seq) {
  absl::StatusOr<Entry*> found = Find(*event.task, seq);
  if (!found.ok()) return found.status();
  Entry* entry = *found;
  Touch(entry);
  if (!entry->alive) entry->last_seq = std::max(entry->last_seq, seq);
  const bool ends = event.type == EventType::kExit;
  const bool brief = !entry->alive && !entry->seen;
  // An event with a row of its own outlives the ticks as sampled.
  entry->seen = entry->seen || !FitsColumns(event);
  // Once an end is recorded events are told from it, so that it stays.
  if (ends && !entry->exit) entry->exit = Exit{event.wall_ns, event.wait_status, event.duration_ns};
  absl::StatusOr<int64_t> names = names_->Find(*event.task, entry->facts, seq, entry->seen);
  if (!names.ok()) return names.status();
  // What a living task is called its snapshots say; what an event gave it may have been so for a part of a tick.
  if (ends || brief || entry->info == nullptr) {
    entry->names = *names;
    entry->info = event.task;
  }
  return TaskIds{entry->id, *names};
}

absl::StatusOr<TaskIds> TaskTable::Past(const std::shared_ptr<const TaskInfo>& info, uint64_t first_seq,
                                        uint64_t last_seq) {
  absl::StatusOr<Entry*> found = Find(*info, first_seq);
  if (!found.ok()) return found.status();
  Entry* entry = *found;
  Touch(entry);
  entry->first_seq = std::min(entry->first_seq, first_seq);
  if (!entry->alive) entry->last_seq = std::max(entry->last_seq, last_seq);
  absl::StatusOr<int64_t> names = names_->Find(*info, entry->facts, last_seq, true);
  if (!names.ok()) return names.status();
  if (!std::exchange(entry->seen, true) || entry->info == nullptr) {
    entry->names = *names;
    entry->info = info;
  }
  return TaskIds{entry->id, *names};
}

absl::StatusOr<TaskTimes> TaskTable::Times(int64_t task) const {
  const auto key = by_id_.find(task);
  const auto at = key == by_id_.end() ? entries_.end() : entries_.find(key->second);
  if (at == entries_.end()) return absl::InternalError(fmt::format("task {} was not mentioned in this tick", task));
  const Entry& entry = at->second;
  TaskTimes times{.start_ns = entry.facts.key.start_ns, .wall_offset_ns = wall_offset_ns_};
  times.ended = entry.exit.has_value();
  if (!times.ended) return times;
  times.exit_boot_ns = times.start_ns + entry.exit->duration_ns;
  times.exit_wall_ns = entry.exit->wall_ns;
  times.wait_status = entry.exit->wait_status;
  times.duration_ns = entry.exit->duration_ns;
  return times;
}

absl::Status TaskTable::Write(Entry* entry) {
  Statement& write = entry->is_new ? insert_task_ : update_task_;
  write.Bind(entry->names).Bind(entry->first_seq);
  entry->alive ? write.BindNull() : write.Bind(entry->last_seq);
  if (entry->exit.has_value()) {
    const int64_t due = WrapAdd(entry->facts.start_wall_ns, Signed(entry->exit->duration_ns));
    write.Bind(entry->exit->wait_status).Bind(entry->exit->duration_ns).Bind(WrapSub(entry->exit->wall_ns, due));
  } else {
    write.BindNull().BindNull().BindNull();
  }
  write.Bind(entry->seen).Bind(entry->id);
  if (entry->is_new) {
    const TaskKey& key = entry->facts.key;
    write.Bind(boot_).Bind(key.tid).Bind(key.thread).Bind(key.start_ns).Bind(entry->facts.ppid);
    write.Bind(WrapSub(WrapSub(entry->facts.start_wall_ns, Signed(key.start_ns)), wall_offset_ns_));
    write.Bind(key.start_ns - entry->facts.process_start_ns);
    entry->facts.tgid == key.tid ? write.BindNull() : write.Bind(entry->facts.tgid);
  }
  entry->is_new = entry->dirty = false;
  return write.Run();
}

absl::Status TaskTable::EndTick() {
  // In the order of their numbers, which is that of their pages.
  std::vector<Entry*> changed;
  for (const TaskKey& key : touched_) changed.push_back(&entries_.at(key));
  std::sort(changed.begin(), changed.end(), [](const Entry* a, const Entry* b) { return a->id < b->id; });
  for (Entry* entry : changed) {
    absl::Status status = Write(entry);
    if (!status.ok()) return status;
  }
  for (const TaskKey& key : touched_) {
    auto at = entries_.find(key);
    if (!at->second.alive) entries_.erase(at);
  }
  touched_.clear();
  by_id_.clear();
  return absl::OkStatus();
}

absl::Status TaskTable::RetireNames(std::unordered_set<int64_t> in_use, uint64_t seq, uint64_t ticks) {
  for (const auto& [key, entry] : entries_) in_use.insert(entry.names);
  return names_->Retire(in_use, seq - std::min(seq, ticks), seq);
}

void TaskTable::Forget() {
  entries_.clear();
  touched_.clear();
  by_id_.clear();
  names_->Forget();
}

}  // namespace taskmon::storage

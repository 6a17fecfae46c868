// SPDX-License-Identifier: Apache-2.0
#include "storage/info_cache.h"

#include <utility>

#include <fmt/format.h>

#include "storage/codec.h"
#include "storage/name_table.h"

namespace taskmon::storage {
namespace {

constexpr size_t kMaxInfos = 20000;
constexpr int64_t kNamesFrom = 3;  // the format that has names in a table of their own

std::optional<int64_t> IntOrNone(const Statement& row, int column) {
  return row.IsNull(column) ? std::nullopt : std::optional<int64_t>(row.Int(column));
}

void ReadOwner(const Statement& row, int column, TaskInfo* info) {
  info->uid = static_cast<uint32_t>(row.Int(column));
  info->gid = static_cast<uint32_t>(row.Int(column + 1));
  info->kthread = row.Int(column + 2) != 0;
  info->tracked = row.Int(column + 3) != 0;
}

}  // namespace

absl::Status InfoCache::Prepare() {
  absl::StatusOr<int64_t> version = db_->QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  old_ = *version < kNamesFrom;
  std::vector<std::pair<Statement*, const char*>> all = {{&boot_, "SELECT boot_id FROM boot WHERE id = ?"}};
  if (old_) {
    all.emplace_back(&names_of_,
                     "SELECT t.tid, t.thread, t.start_ns, b.boot_id, i.tgid, i.ppid, i.process_start_ns,"
                     " i.start_wall_ns, i.uid, i.gid, i.kthread, i.tracked, i.comm, i.cmdline, i.exe, i.user,"
                     " i.cgroup, i.unit, i.container, i.app, i.rules FROM task_info i JOIN task t ON t.id = i.task"
                     " JOIN boot b ON b.id = t.boot WHERE i.id = ?");
  } else {
    all.emplace_back(&task_,
                     "SELECT t.tid, t.thread, t.start_ns, b.boot_id, t.ppid,"
                     " t.start_ns + b.wall_offset_ns + t.start_skew_ns, coalesce(t.tgid, t.tid),"
                     " t.start_ns - t.process_age_ns FROM task t JOIN boot b ON b.id = t.boot"
                     " WHERE t.id = ?");
    all.emplace_back(&names_of_,
                     "SELECT ppid, tgid, process_start_ns, start_wall_ns, uid, gid, kthread, tracked, comm, cmdline,"
                     " exe, user, cgroup, unit, container, app, rules FROM names WHERE id = ?");
    all.emplace_back(&text_, "SELECT value FROM text WHERE id = ?");
  }
  return db_->PrepareAll(all);
}

void InfoCache::Trim() {
  if (infos_.size() <= kMaxInfos) return;
  infos_.clear();
  names_.clear();
  texts_.clear();
}

absl::StatusOr<std::string> InfoCache::BootId(int64_t boot) {
  ResetAtEnd reset(&boot_);
  absl::StatusOr<bool> row = boot_.Bind(boot).Step();
  if (!row.ok()) return row.status();
  return *row ? boot_.Text(0) : std::string();
}

absl::StatusOr<SharedText> InfoCache::FindText(int64_t id) {
  if (id == 0) return SharedText();
  if (auto at = texts_.find(id); at != texts_.end()) return at->second;
  ResetAtEnd reset(&text_);
  absl::StatusOr<bool> row = text_.Bind(id).Step();
  if (!row.ok()) return row.status();
  if (!*row) return Damaged(fmt::format("text {} is missing", id));
  return texts_[id] = text_.Text(0);
}

// Tasks that are looked up one after the other are of the same boot, mostly.
SharedText InfoCache::OfBoot(const std::string& boot_id) {
  if (latest_boot_id_ != boot_id) latest_boot_id_ = boot_id;
  return latest_boot_id_;
}

absl::StatusOr<const InfoCache::Names*> InfoCache::FindNames(int64_t id) {
  if (auto at = names_.find(id); at != names_.end()) return &at->second;
  ResetAtEnd reset(&names_of_);
  absl::StatusOr<bool> row = names_of_.Bind(id).Step();
  if (!row.ok()) return row.status();
  if (!*row) return Damaged(fmt::format("names {} are missing", id));
  Names names{.ppid = IntOrNone(names_of_, 0),
              .tgid = IntOrNone(names_of_, 1),
              .process_start_ns = IntOrNone(names_of_, 2),
              .start_wall_ns = IntOrNone(names_of_, 3)};
  TaskInfo& info = names.info;
  ReadOwner(names_of_, 4, &info);
  SharedText comm, rules;
  int column = 8;
  for (SharedText* text :
       {&comm, &info.cmdline, &info.exe, &info.user, &info.cgroup, &info.unit, &info.container, &info.app, &rules}) {
    absl::StatusOr<SharedText> found = FindText(names_of_.Int(column++));
    if (!found.ok()) return found.status();
    *text = *std::move(found);
  }
  info.comm = comm.str();
  info.rules = SplitRules(rules);
  return &(names_[id] = std::move(names));
}

absl::StatusOr<std::shared_ptr<const TaskInfo>> InfoCache::Read(int64_t task, int64_t id) {
  absl::StatusOr<const Names*> names = FindNames(id);
  if (!names.ok()) return names.status();
  ResetAtEnd reset(&task_);
  absl::StatusOr<bool> row = task_.Bind(task).Step();
  if (!row.ok()) return row.status();
  if (!*row) return Damaged(fmt::format("task {} is missing", task));
  auto info = std::make_shared<TaskInfo>((*names)->info);
  info->key = {static_cast<uint64_t>(task_.Int(2)), static_cast<int32_t>(task_.Int(0)), task_.Int(1) != 0};
  info->boot_id = OfBoot(task_.Text(3));
  info->ppid = static_cast<int32_t>((*names)->ppid.value_or(task_.Int(4)));
  info->tgid = static_cast<int32_t>((*names)->tgid.value_or(task_.Int(6)));
  info->process_start_ns = static_cast<uint64_t>((*names)->process_start_ns.value_or(task_.Int(7)));
  info->start_wall_ns = (*names)->start_wall_ns.value_or(task_.Int(5));
  return info;
}

absl::StatusOr<std::shared_ptr<const TaskInfo>> InfoCache::ReadOld(int64_t id) {
  ResetAtEnd reset(&names_of_);
  absl::StatusOr<bool> row = names_of_.Bind(id).Step();
  if (!row.ok()) return row.status();
  if (!*row) return Damaged(fmt::format("task_info {} is missing", id));
  const Statement& old = names_of_;
  auto info = std::make_shared<TaskInfo>();
  info->key = {static_cast<uint64_t>(old.Int(2)), static_cast<int32_t>(old.Int(0)), old.Int(1) != 0};
  info->boot_id = OfBoot(old.Text(3));
  info->tgid = static_cast<int32_t>(old.Int(4));
  info->ppid = static_cast<int32_t>(old.Int(5));
  info->process_start_ns = static_cast<uint64_t>(old.Int(6));
  info->start_wall_ns = old.Int(7);
  ReadOwner(old, 8, info.get());
  info->comm = old.Text(12);
  int column = 13;
  for (SharedText* text :
       {&info->cmdline, &info->exe, &info->user, &info->cgroup, &info->unit, &info->container, &info->app}) {
    *text = old.Text(column++);
  }
  info->rules = SplitRules(old.Text(column));
  return info;
}

absl::StatusOr<std::shared_ptr<const TaskInfo>> InfoCache::Find(int64_t task, int64_t names) {
  const std::pair<int64_t, int64_t> ids = {old_ ? 0 : task, names};
  if (auto at = infos_.find(ids); at != infos_.end()) return at->second;
  absl::StatusOr<std::shared_ptr<const TaskInfo>> info = old_ ? ReadOld(names) : Read(task, names);
  if (info.ok()) infos_[ids] = *info;
  return info;
}

}  // namespace taskmon::storage

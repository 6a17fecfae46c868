// SPDX-License-Identifier: Apache-2.0
#include "storage/info_cache.h"

#include <utility>

#include <fmt/format.h>

#include "storage/codec.h"
#include "storage/task_table.h"

namespace taskmon::storage {
namespace {

constexpr size_t kMaxInfos = 20000;

}  // namespace

absl::Status InfoCache::Prepare() {
  const std::string info = fmt::format(
      "SELECT t.tid, t.thread, t.start_ns, b.boot_id, {} FROM task_info i JOIN task t ON t.id = i.task"
      " JOIN boot b ON b.id = t.boot WHERE i.id = ?",
      kInfoColumns);
  absl::StatusOr<Statement> prepared = db_->Prepare(info);
  if (!prepared.ok()) return prepared.status();
  info_ = *std::move(prepared);
  prepared = db_->Prepare("SELECT boot_id FROM boot WHERE id = ?");
  if (!prepared.ok()) return prepared.status();
  boot_ = *std::move(prepared);
  return absl::OkStatus();
}

void InfoCache::Trim() {
  if (infos_.size() > kMaxInfos) infos_.clear();
}

absl::StatusOr<std::string> InfoCache::BootId(int64_t boot) {
  ResetAtEnd reset(&boot_);
  absl::StatusOr<bool> row = boot_.Bind(boot).Step();
  if (!row.ok()) return row.status();
  return *row ? boot_.Text(0) : std::string();
}

absl::StatusOr<std::shared_ptr<const TaskInfo>> InfoCache::Find(int64_t info_id) {
  auto [at, is_new] = infos_.try_emplace(info_id);
  if (!is_new && at->second != nullptr) return at->second;
  ResetAtEnd reset(&info_);
  absl::StatusOr<bool> row = info_.Bind(info_id).Step();
  if (!row.ok()) return row.status();
  if (!*row) return Damaged(fmt::format("task_info {} is missing", info_id));
  auto info = std::make_shared<TaskInfo>();
  info->key = {static_cast<uint64_t>(info_.Int(2)), static_cast<int32_t>(info_.Int(0)), info_.Int(1) != 0};
  info->boot_id = info_.Text(3);
  ReadInfo(info_, 4, info.get());
  at->second = std::move(info);
  return at->second;
}

}  // namespace taskmon::storage

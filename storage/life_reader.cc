// SPDX-License-Identifier: Apache-2.0
#include "storage/life_reader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "storage/event_codec.h"

namespace taskmon::storage {
namespace {

// What Read reads of a task t: the names it ended with or else the newest, and how it ended. Names of a part of a tick
// may come into the table after those of its end.
constexpr const char* kLife =
    "SELECT t.id, coalesce((SELECT e.info FROM event e WHERE e.wall_ns = t.exit_wall_ns AND e.type = 3"
    " AND e.info IN (SELECT id FROM task_info WHERE task = t.id)),"
    " (SELECT max(id) FROM task_info WHERE task = t.id)), t.last_seq IS NULL, t.exit_wall_ns,"
    " t.wait_status, t.duration_ns FROM task t";

}  // namespace

absl::Status LifeReader::Prepare() {
  const std::pair<Statement*, std::string> all[] = {
      {&of_, fmt::format("{} WHERE t.tid = ? ORDER BY t.boot, t.start_ns, t.thread", kLife)},
      // Names come in versions, with the parent of their time: who was a child once is one.
      {&children_,
       fmt::format("{} JOIN boot b ON b.id = t.boot WHERE t.id IN (SELECT DISTINCT task FROM task_info WHERE ppid = ?)"
                   " AND t.thread = 0 AND b.boot_id = ? AND t.start_ns BETWEEN ? AND ? ORDER BY t.start_ns, t.id",
                   kLife)},
      {&final_,
       "SELECT final, boot_ns FROM event WHERE wall_ns = ? AND type = 3 AND final IS NOT NULL"
       " AND info IN (SELECT id FROM task_info WHERE task = ?)"},
  };
  for (const auto& [statement, sql] : all) {
    absl::StatusOr<Statement> prepared = db_->Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    *statement = *std::move(prepared);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Life>> LifeReader::Read(Statement* select) {
  std::vector<Life> lives;
  absl::StatusOr<bool> row;
  while ((row = select->Step()).ok() && *row) {
    if (select->IsNull(1)) continue;  // nothing is known of it but that it was there
    absl::StatusOr<std::shared_ptr<const TaskInfo>> info = infos_->Find(select->Int(1));
    if (!info.ok()) return info.status();
    Life& life = lives.emplace_back();
    life.task_id = select->Int(0);
    life.info = *std::move(info);
    life.ended = select->Int(2) == 0 || !select->IsNull(3);
    life.exit_wall_ns = select->Int(3);
    life.wait_status = static_cast<int32_t>(select->Int(4));
    life.duration_ns = static_cast<uint64_t>(select->Int(5));
  }
  if (!row.ok()) return row.status();
  return lives;
}

absl::Status LifeReader::AddFinal(int64_t task, Life* life) {
  if (life->exit_wall_ns == 0) return absl::OkStatus();
  ResetAtEnd reset(&final_);
  absl::StatusOr<bool> row = final_.Bind(life->exit_wall_ns).Bind(task).Step();
  if (!row.ok() || !*row) return row.status();
  life->exit_boot_ns = static_cast<uint64_t>(final_.Int(1));
  absl::StatusOr<std::shared_ptr<TaskSample>> sample = DecodeFinalSample(final_.Blob(0), life->exit_boot_ns);
  if (!sample.ok()) return sample.status();
  (*sample)->info = life->info;
  life->final_sample = *std::move(sample);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Life>> LifeReader::Of(int32_t tid) {
  infos_->Trim();
  absl::StatusOr<Transaction> transaction = Transaction::Begin(db_, Transaction::Kind::kRead);
  if (!transaction.ok()) return transaction.status();
  ResetAtEnd reset(&of_);
  absl::StatusOr<std::vector<Life>> lives = Read(&of_.Bind(tid));
  if (!lives.ok()) return lives;
  for (Life& life : *lives) {
    absl::Status status = AddFinal(life.task_id, &life);
    if (!status.ok()) return status;
  }
  return lives;
}

absl::StatusOr<std::optional<Life>> LifeReader::Parent(const Life& child) {
  absl::StatusOr<std::vector<Life>> lives = Of(child.info->ppid);
  if (!lives.ok()) return lives.status();
  std::optional<Life> parent;
  for (Life& life : *lives) {
    const TaskInfo& info = *life.info;
    if (info.key.thread || info.boot_id != child.info->boot_id || info.key.start_ns > child.info->key.start_ns)
      continue;
    parent = std::move(life);  // the newest that is older than the child
  }
  return parent;
}

absl::StatusOr<Children> LifeReader::ChildrenOf(const Life& parent, size_t limit) {
  infos_->Trim();
  absl::StatusOr<Transaction> transaction = Transaction::Begin(db_, Transaction::Kind::kRead);
  if (!transaction.ok()) return transaction.status();
  const TaskInfo& info = *parent.info;
  const uint64_t end = parent.exit_wall_ns != 0 ? info.key.start_ns + parent.duration_ns : uint64_t{INT64_MAX};
  ResetAtEnd reset(&children_);
  children_.Bind(info.key.tid).BindText(info.boot_id).Bind(info.key.start_ns).Bind(end);
  absl::StatusOr<std::vector<Life>> lives = Read(&children_);
  if (!lives.ok()) return lives.status();
  Children children;
  children.more = lives->size() > limit ? lives->size() - limit : 0;
  lives->resize(std::min(lives->size(), limit));
  children.lives = *std::move(lives);
  return children;
}

}  // namespace taskmon::storage

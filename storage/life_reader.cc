// SPDX-License-Identifier: Apache-2.0
#include "storage/life_reader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "storage/event_codec.h"

namespace taskmon::storage {
namespace {

constexpr int64_t kNamesFrom = 3;  // the format that says in the row of a task what it is called

// What Read reads of a task t.
constexpr const char* kLife =
    "SELECT t.id, t.names, t.last_seq IS NULL,"
    " t.start_ns + b.wall_offset_ns + t.start_skew_ns + t.duration_ns + t.exit_skew_ns, t.wait_status, t.duration_ns"
    " FROM task t JOIN boot b ON b.id = t.boot";

// The same of older formats: the names it ended with or else the newest. Names of a part of a tick may come into the
// table after those of its end.
constexpr const char* kOldLife =
    "SELECT t.id, coalesce((SELECT e.info FROM event e WHERE e.wall_ns = t.exit_wall_ns AND e.type = 3"
    " AND e.info IN (SELECT id FROM task_info WHERE task = t.id)),"
    " (SELECT max(id) FROM task_info WHERE task = t.id)), t.last_seq IS NULL, t.exit_wall_ns,"
    " t.wait_status, t.duration_ns FROM task t JOIN boot b ON b.id = t.boot";

}  // namespace

absl::Status LifeReader::Prepare() {
  absl::StatusOr<int64_t> version = db_->QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  old_ = *version < kNamesFrom;
  const char* life = old_ ? kOldLife : kLife;
  // Who was a child once is one, though another took it in.
  const char* children = old_ ? "t.id IN (SELECT DISTINCT task FROM task_info WHERE ppid = ?1)"
                              : "(t.ppid = ?1 OR t.names IN (SELECT id FROM names WHERE ppid = ?1))";
  std::vector<std::pair<Statement*, std::string>> all = {
      {&of_, fmt::format("{} WHERE t.tid = ? ORDER BY t.boot, t.start_ns, t.thread", life)},
      {&children_, fmt::format("{} WHERE {} AND t.thread = 0 AND b.boot_id = ?2 AND t.start_ns BETWEEN ?3 AND ?4"
                               " ORDER BY t.start_ns, t.id",
                               life, children)},
  };
  if (old_) {
    all.emplace_back(&final_,
                     "SELECT final, boot_ns FROM event WHERE wall_ns = ? AND type = 3 AND final IS NOT NULL"
                     " AND info IN (SELECT id FROM task_info WHERE task = ?)");
  }
  if (absl::Status status = db_->PrepareAll(all); !status.ok()) return status;
  return pages_.Prepare();
}

absl::StatusOr<std::vector<Life>> LifeReader::Read(Statement* select) {
  std::vector<Life> lives;
  absl::StatusOr<bool> row;
  while ((row = select->Step()).ok() && *row) {
    if (select->IsNull(1)) continue;  // nothing is known of it but that it was there
    absl::StatusOr<std::shared_ptr<const TaskInfo>> info = infos_->Find(select->Int(0), select->Int(1));
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

absl::Status LifeReader::AddOldFinal(Life* life) {
  ResetAtEnd reset(&final_);
  absl::StatusOr<bool> row = final_.Bind(life->exit_wall_ns).Bind(life->task_id).Step();
  if (!row.ok() || !*row) return row.status();
  life->exit_boot_ns = static_cast<uint64_t>(final_.Int(1));
  absl::StatusOr<std::shared_ptr<TaskSample>> sample = DecodeFinalSample(final_.Blob(0), life->exit_boot_ns);
  if (!sample.ok()) return sample.status();
  (*sample)->info = life->info;
  life->final_sample = *std::move(sample);
  return absl::OkStatus();
}

absl::Status LifeReader::AddFinal(Life* life) {
  if (life->exit_wall_ns == 0) return absl::OkStatus();
  if (old_) return AddOldFinal(life);
  for (uint64_t after = 0; after != UINT64_MAX;) {
    absl::StatusOr<const EventPages::Page*> page = pages_.Next(after, life->exit_wall_ns, life->exit_wall_ns);
    if (!page.ok()) return page.status();
    for (const StoredEvent& stored : (*page)->events) {
      const Event& event = stored.event;
      if (stored.task != life->task_id || event.type != EventType::kExit || event.final_sample == nullptr) continue;
      life->exit_boot_ns = event.boot_ns;
      auto sample = std::make_shared<TaskSample>(*event.final_sample);
      sample->info = life->info;
      life->final_sample = std::move(sample);
      return absl::OkStatus();
    }
    if ((*page)->last_id <= after) return Damaged("event numbers of a block");
    after = (*page)->last_id;
  }
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
    absl::Status status = AddFinal(&life);
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

// SPDX-License-Identifier: Apache-2.0
#include "storage/upgrade.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "storage/event_codec.h"
#include "storage/event_store.h"
#include "storage/schema.h"
#include "storage/task_times.h"

namespace taskmon::storage {
namespace {

constexpr const char* kFrom1To2 = R"sql(
ALTER TABLE event ADD COLUMN rule TEXT;
ALTER TABLE event ADD COLUMN begins INTEGER;
ALTER TABLE event ADD COLUMN metric INTEGER;
ALTER TABLE event ADD COLUMN value REAL;
ALTER TABLE event ADD COLUMN baseline REAL;
ALTER TABLE task ADD COLUMN seen INTEGER NOT NULL DEFAULT 1;
DROP INDEX task_by_last_seq;
CREATE INDEX task_by_end ON task(seen, last_seq);
ALTER TABLE chunk ADD COLUMN tier INTEGER NOT NULL DEFAULT 0;
ALTER TABLE chunk ADD COLUMN format INTEGER NOT NULL DEFAULT 1;
ALTER TABLE chunk ADD COLUMN merged INTEGER NOT NULL DEFAULT 1;
ALTER TABLE chunk ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
UPDATE chunk SET bytes = length(ticks) + coalesce(
  (SELECT sum(length(data)) FROM part WHERE key BETWEEN chunk.id << 16 AND chunk.id << 16 | 65535), 0);
CREATE INDEX chunk_by_tier ON chunk(tier, last_seq);
ALTER TABLE part DROP COLUMN chunk;
ALTER TABLE part DROP COLUMN metric;
)sql";

// The tables that version 3 has in another shape make room for it.
constexpr const char* kMakeRoom = R"sql(
DROP VIEW IF EXISTS rules; DROP VIEW IF EXISTS events; DROP VIEW IF EXISTS lives; DROP VIEW IF EXISTS tasks;
ALTER TABLE boot ADD COLUMN wall_offset_ns INTEGER;
ALTER TABLE chunk ADD COLUMN last_task INTEGER;
ALTER TABLE journal ADD COLUMN events BLOB;
ALTER TABLE journal ADD COLUMN last_event INTEGER;
UPDATE boot SET wall_offset_ns = (SELECT i.start_wall_ns - t.start_ns FROM task t JOIN task_info i ON i.task = t.id
  WHERE t.boot = boot.id LIMIT 1);
DROP INDEX task_by_tid; DROP INDEX task_by_end; DROP INDEX event_by_wall;
ALTER TABLE task RENAME TO old_task;
ALTER TABLE event RENAME TO old_event;
)sql";

// A version of a task's names keeps its number, which chunks know. `ends`: the names that a task ended with; the newest
// are not always the latest.
constexpr const char* kConvert = R"sql(
CREATE INDEX text_by_value ON text(value);
INSERT INTO text(value, seen)
  SELECT v, 1 FROM (SELECT comm AS v FROM task_info UNION SELECT cmdline FROM task_info UNION SELECT exe FROM task_info
    UNION SELECT user FROM task_info UNION SELECT cgroup FROM task_info UNION SELECT unit FROM task_info
    UNION SELECT container FROM task_info UNION SELECT app FROM task_info UNION SELECT rules FROM task_info)
  WHERE v <> '';
CREATE TABLE firsts(task INTEGER PRIMARY KEY, info INTEGER, newest INTEGER);
INSERT INTO firsts SELECT task, min(id), max(id) FROM task_info GROUP BY task;
CREATE TABLE ends(task INTEGER PRIMARY KEY, info INTEGER);
INSERT INTO ends SELECT i.task, max(e.info) FROM old_event e JOIN task_info i ON i.id = e.info WHERE e.type = 3
  GROUP BY i.task;
INSERT INTO names
  SELECT i.id, t.seen, t.last_seq, nullif(i.ppid, f.ppid), nullif(i.tgid, f.tgid),
    nullif(i.process_start_ns, f.process_start_ns), nullif(i.start_wall_ns, f.start_wall_ns), coalesce(i.uid, 0),
    coalesce(i.gid, 0), coalesce(i.kthread, 0), coalesce(i.tracked, 0),
    (SELECT id FROM text WHERE value = i.comm), (SELECT id FROM text WHERE value = i.cmdline),
    (SELECT id FROM text WHERE value = i.exe), (SELECT id FROM text WHERE value = i.user),
    (SELECT id FROM text WHERE value = i.cgroup), (SELECT id FROM text WHERE value = i.unit),
    (SELECT id FROM text WHERE value = i.container), (SELECT id FROM text WHERE value = i.app),
    (SELECT id FROM text WHERE value = i.rules)
  FROM task_info i JOIN old_task t ON t.id = i.task JOIN firsts x ON x.task = t.id JOIN task_info f ON f.id = x.info;
INSERT INTO task
  SELECT t.id, t.boot, t.tid, t.thread, t.start_ns, coalesce(f.ppid, 0),
    nullif(f.tgid, t.tid), t.start_ns - coalesce(f.process_start_ns, t.start_ns),
    f.start_wall_ns - t.start_ns - b.wall_offset_ns, coalesce(e.info, x.newest), t.first_seq, t.last_seq,
    t.wait_status, CASE WHEN t.exit_wall_ns IS NULL THEN NULL ELSE coalesce(t.duration_ns, 0) END,
    t.exit_wall_ns - f.start_wall_ns - coalesce(t.duration_ns, 0), t.seen
  FROM old_task t JOIN boot b ON b.id = t.boot JOIN firsts x ON x.task = t.id JOIN task_info f ON f.id = x.info
    LEFT JOIN ends e ON e.task = t.id;
INSERT INTO event
  SELECT e.id, e.seq, e.wall_ns, e.boot_ns, e.type, i.task, e.info, e.wait_status, e.duration_ns, e.lost, e.detail,
    e.final, e.rule, e.begins, e.metric, e.value, e.baseline
  FROM old_event e LEFT JOIN task_info i ON i.id = e.info WHERE e.type NOT IN (1, 2, 3, 8);
DROP INDEX text_by_value;
DROP TABLE firsts;
DROP TABLE ends;
)sql";

// Numbers go on where they were.
constexpr const char* kFinish = R"sql(
DELETE FROM sqlite_sequence WHERE name IN ('task', 'names', 'event');
INSERT INTO sqlite_sequence(name, seq) SELECT 'task', seq FROM sqlite_sequence WHERE name = 'old_task';
INSERT INTO sqlite_sequence(name, seq) SELECT 'names', seq FROM sqlite_sequence WHERE name = 'task_info';
INSERT INTO sqlite_sequence(name, seq) SELECT 'event', seq FROM sqlite_sequence WHERE name = 'old_event';
DROP TABLE old_event; DROP TABLE old_task; DROP TABLE task_info;
)sql";

// Births, execs, renames and ends become blocks.
absl::Status PackOldEvents(Database* db) {
  absl::StatusOr<std::unique_ptr<EventStore>> store = EventStore::Open(db, {{~0ull, ~0ull}});
  if (!store.ok()) return store.status();
  absl::StatusOr<Statement> select = db->Prepare(
      "SELECT e.id, e.seq, e.wall_ns, e.boot_ns, e.type, i.task, e.info, e.wait_status, e.duration_ns, e.detail,"
      " e.final FROM old_event e JOIN task_info i ON i.id = e.info WHERE e.type IN (1, 2, 3, 8) ORDER BY e.id");
  if (!select.ok()) return select.status();
  std::vector<StoredEvent> events;
  absl::StatusOr<bool> row;
  while ((row = select->Step()).ok() && *row) {
    StoredEvent& stored = events.emplace_back();
    Event& event = stored.event;
    event.id = static_cast<uint64_t>(select->Int(0));
    stored.seq = static_cast<uint64_t>(select->Int(1));
    event.wall_ns = select->Int(2);
    event.boot_ns = static_cast<uint64_t>(select->Int(3));
    event.type = static_cast<EventType>(select->Int(4));
    stored.task = select->Int(5);
    stored.names = select->Int(6);
    event.wait_status = static_cast<int32_t>(select->Int(7));
    event.duration_ns = static_cast<uint64_t>(select->Int(8));
    event.detail = select->Text(9);
    if (!select->IsNull(10)) {
      absl::StatusOr<std::shared_ptr<TaskSample>> sample = DecodeFinalSample(select->Blob(10), event.boot_ns);
      if (!sample.ok()) return sample.status();
      event.final_sample = *std::move(sample);
    }
    if (events.size() < kMaxBlockEvents) continue;
    absl::Status status = (*store)->Pack(std::exchange(events, {}));
    if (!status.ok()) return status;
  }
  return row.ok() ? (*store)->Pack(std::move(events)) : row.status();
}

absl::Status From2To3(Database* db) {
  absl::Status status = db->Exec(kMakeRoom);
  if (status.ok()) status = CreateTaskTables(db);
  if (status.ok()) status = db->Exec(kConvert);
  if (status.ok()) status = PackOldEvents(db);
  if (status.ok()) status = db->Exec(kFinish);
  return status.ok() ? CreateViews(db) : status;
}

}  // namespace

absl::Status Upgrade(Database* db) {
  absl::StatusOr<int64_t> version = db->QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (*version == kFormatVersion) return absl::OkStatus();
  if (*version < 1) return absl::DataLossError("not a taskmon history file");
  absl::StatusOr<Transaction> transaction = Transaction::Begin(db, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  absl::Status status = *version == 1 ? db->Exec(kFrom1To2) : absl::OkStatus();
  if (status.ok()) status = From2To3(db);
  if (status.ok()) status = db->Exec(fmt::format("PRAGMA user_version={}", kFormatVersion).c_str());
  return status.ok() ? transaction->Commit() : status;
}

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
#include "storage/schema.h"

#include <iterator>

#include <fmt/format.h>

namespace taskmon::storage {
namespace {

// Ids of things that readers cache or clients hold are never given twice: AUTOINCREMENT.
constexpr const char* kTables = R"sql(
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE metric(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL);
CREATE TABLE boot(id INTEGER PRIMARY KEY, boot_id TEXT NOT NULL UNIQUE);
CREATE TABLE task(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  boot INTEGER NOT NULL, tid INTEGER NOT NULL, thread INTEGER NOT NULL, start_ns INTEGER NOT NULL,
  first_seq INTEGER NOT NULL,  -- tick at which it was first recorded
  last_seq INTEGER,            -- last tick it was in; NULL: alive at the newest tick
  exit_wall_ns INTEGER, wait_status INTEGER, duration_ns INTEGER,
  seen INTEGER NOT NULL DEFAULT 1);  -- 0: lived between two ticks, so that no chunk has rows of it
CREATE INDEX task_by_tid ON task(tid);
CREATE INDEX task_by_end ON task(seen, last_seq);
CREATE TABLE task_info(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  task INTEGER NOT NULL, from_seq INTEGER NOT NULL,
  tgid INTEGER, ppid INTEGER, process_start_ns INTEGER, start_wall_ns INTEGER, uid INTEGER, gid INTEGER,
  kthread INTEGER, tracked INTEGER,
  comm TEXT, cmdline TEXT, exe TEXT, user TEXT, cgroup TEXT, unit TEXT, container TEXT, app TEXT, rules TEXT);
CREATE INDEX task_info_by_task ON task_info(task);
CREATE TABLE chunk(
  id INTEGER PRIMARY KEY,
  boot INTEGER NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL,
  min_wall_ns INTEGER NOT NULL, max_wall_ns INTEGER NOT NULL,
  tick_count INTEGER NOT NULL, row_count INTEGER NOT NULL,
  last_event INTEGER NOT NULL,          -- newest event when the chunk was closed
  tier INTEGER NOT NULL DEFAULT 0,      -- 0: as sampled; 1, 2: coarser; 3: supplements other chunks
  format INTEGER NOT NULL DEFAULT 1,    -- of its bytes
  merged INTEGER NOT NULL DEFAULT 1,    -- has its final size
  bytes INTEGER NOT NULL DEFAULT 0,
  ticks BLOB NOT NULL);                 -- its head: ticks, and where in the body its pieces lie
CREATE INDEX chunk_by_tier ON chunk(tier, last_seq);
CREATE TABLE part(
  key INTEGER PRIMARY KEY,              -- chunk << 16: its body. Format 1: chunk << 16 | metric, 0 the rows
  data BLOB NOT NULL);
CREATE TABLE journal(
  seq INTEGER PRIMARY KEY, boot INTEGER NOT NULL, wall_ns INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE event(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  seq INTEGER NOT NULL, wall_ns INTEGER NOT NULL, boot_ns INTEGER NOT NULL, type INTEGER NOT NULL,
  info INTEGER,                 -- task_info as it was then; NULL: no task
  wait_status INTEGER, duration_ns INTEGER, lost INTEGER, detail TEXT,
  final BLOB,                   -- the last sample of a task that ended
  rule TEXT, begins INTEGER, metric INTEGER, value REAL, baseline REAL);
CREATE INDEX event_by_wall ON event(wall_ns);
)sql";

// For people with sqlite3 at hand; nothing of ours reads them.
constexpr const char* kViews = R"sql(
CREATE VIEW tasks AS
  SELECT t.id, t.tid, i.tgid, i.ppid, t.thread, i.comm, i.cmdline, i.exe, i.uid, i.user, i.unit, i.container, i.app,
    replace(i.rules, char(10), ', ') AS rules, i.tracked,
    strftime('%Y-%m-%dT%H:%M:%fZ', i.start_wall_ns / 1e9, 'unixepoch') AS started, t.last_seq IS NULL AS alive,
    t.first_seq, t.last_seq, b.boot_id
  FROM task t JOIN boot b ON b.id = t.boot
    JOIN task_info i ON i.id = (SELECT max(id) FROM task_info WHERE task = t.id);
CREATE VIEW lives AS
  SELECT k.*, strftime('%Y-%m-%dT%H:%M:%fZ', t.exit_wall_ns / 1e9, 'unixepoch') AS ended,
    t.duration_ns / 1e9 AS seconds, t.wait_status >> 8 & 255 AS exit_code, t.wait_status & 127 AS exit_signal
  FROM task t JOIN tasks k ON k.id = t.id WHERE t.exit_wall_ns IS NOT NULL;
CREATE VIEW events AS
  SELECT e.id, strftime('%Y-%m-%dT%H:%M:%fZ', e.wall_ns / 1e9, 'unixepoch') AS time,
    CASE e.type WHEN 1 THEN 'fork' WHEN 2 THEN 'exec' WHEN 3 THEN 'exit' WHEN 4 THEN 'oom' WHEN 5 THEN 'threshold'
      WHEN 6 THEN 'rule' WHEN 7 THEN 'gap' WHEN 8 THEN 'rename' WHEN 9 THEN 'degraded'
      ELSE e.type END AS type,
    t.tid, i.tgid, i.ppid, i.comm, i.user, e.detail, e.rule, e.begins, e.metric, e.value, e.baseline,
    e.wait_status, e.duration_ns, e.lost
  FROM event e LEFT JOIN task_info i ON i.id = e.info LEFT JOIN task t ON t.id = i.task;
CREATE VIEW rules AS
  SELECT rule, count(*) AS events, min(time) AS first, max(time) AS last FROM events WHERE rule IS NOT NULL
  GROUP BY rule;
)sql";

absl::Status CreateTables(Database* db) {
  absl::StatusOr<Transaction> transaction = Transaction::Begin(db, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  const std::string stamp =
      fmt::format("PRAGMA application_id={}; PRAGMA user_version={};", kApplicationId, kFormatVersion);
  for (const char* sql : {kTables, kViews, stamp.c_str()}) {
    absl::Status status = db->Exec(sql);
    if (!status.ok()) return status;
  }
  return transaction->Commit();
}

// What each version added to the one before it.
constexpr const char* kUpgrades[] = {
    nullptr,
    // 1 -> 2
    R"sql(
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
)sql",
};
static_assert(std::size(kUpgrades) == kFormatVersion);

absl::Status Upgrade(Database* db) {
  absl::StatusOr<int64_t> version = db->QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (*version == kFormatVersion) return absl::OkStatus();
  if (*version < 1) return absl::DataLossError("not a taskmon history file");
  absl::StatusOr<Transaction> transaction = Transaction::Begin(db, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  absl::Status status;
  for (int64_t from = *version; from < kFormatVersion && status.ok(); ++from) status = db->Exec(kUpgrades[from]);
  if (status.ok()) status = db->Exec(kViews);
  if (status.ok()) status = db->Exec(fmt::format("PRAGMA user_version={}", kFormatVersion).c_str());
  return status.ok() ? transaction->Commit() : status;
}

}  // namespace

absl::Status ConfigureWriter(Database* db) {
  // page_size and auto_vacuum count only before the first table is made. Checkpoints are the writer's own business.
  // secure_delete, which some builds default to, would write every page that retention frees.
  return db->Exec(
      "PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
      "PRAGMA wal_autocheckpoint=0; PRAGMA cache_spill=OFF; PRAGMA secure_delete=OFF; PRAGMA foreign_keys=OFF;"
      "PRAGMA temp_store=MEMORY;");
}

absl::Status CheckSchema(Database* db) {
  absl::StatusOr<int64_t> id = db->QueryInt("PRAGMA application_id");
  if (!id.ok()) return id.status();
  if (*id != kApplicationId) return absl::DataLossError("not a taskmon history file");
  absl::StatusOr<int64_t> version = db->QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (*version > kFormatVersion) {
    return absl::FailedPreconditionError(
        fmt::format("history format {} is newer than this program's {}", *version, kFormatVersion));
  }
  return absl::OkStatus();
}

absl::Status CreateOrCheckSchema(Database* db) {
  absl::StatusOr<int64_t> objects = db->QueryInt("SELECT count(*) FROM sqlite_schema");
  if (!objects.ok()) return objects.status();
  if (*objects == 0) return CreateTables(db);
  absl::Status status = CheckSchema(db);
  return status.ok() ? Upgrade(db) : status;
}

absl::Status SaveMetricKinds(Database* db, const std::vector<ColumnSpec>& columns) {
  absl::StatusOr<Statement> insert = db->Prepare("INSERT OR IGNORE INTO metric(id, kind) VALUES(?, ?)");
  if (!insert.ok()) return insert.status();
  for (const ColumnSpec& column : columns) {
    if (!column.stored) continue;
    absl::Status status = insert->Bind(int64_t{column.id}).Bind(static_cast<int64_t>(column.kind)).Run();
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<CounterSet> LoadCounters(Database* db) {
  absl::StatusOr<Statement> select = db->Prepare("SELECT id FROM metric WHERE kind = 1");
  if (!select.ok()) return select.status();
  CounterSet counters;
  absl::StatusOr<bool> row;
  while ((row = select->Step()).ok() && *row) {
    const auto id = static_cast<uint64_t>(select->Int(0));
    if (id < MetricBits::kBits) counters.set(id);
  }
  if (!row.ok()) return row.status();
  return counters;
}

absl::Status SaveReceiver(Database* db, const Receiver& receiver) {
  absl::StatusOr<Statement> insert = db->Prepare("INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)");
  if (!insert.ok()) return insert.status();
  absl::Status status = insert->BindText("made_for_uid").Bind(int64_t{receiver.uid}).Run();
  if (!status.ok()) return status;
  return insert->BindText("cmdlines_hidden").Bind(int64_t{receiver.cmdlines_hidden}).Run();
}

absl::StatusOr<std::optional<Receiver>> LoadReceiver(Database* db) {
  absl::StatusOr<Statement> select = db->Prepare(
      "SELECT (SELECT value FROM meta WHERE key = 'made_for_uid'),"
      " (SELECT value FROM meta WHERE key = 'cmdlines_hidden')");
  if (!select.ok()) return select.status();
  absl::StatusOr<bool> row = select->Step();
  if (!row.ok()) return row.status();
  if (!*row || select->IsNull(0)) return std::optional<Receiver>();
  return std::optional<Receiver>({static_cast<uint32_t>(select->Int(0)), select->Int(1) != 0});
}

}  // namespace taskmon::storage

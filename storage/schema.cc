// SPDX-License-Identifier: Apache-2.0
#include "storage/schema.h"

#include <fmt/format.h>

#include "storage/upgrade.h"

namespace taskmon::storage {
namespace {

// Ids of things that readers cache or clients hold are never given twice: AUTOINCREMENT.
constexpr const char* kMeta = R"sql(
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE metric(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL);
CREATE TABLE boot(id INTEGER PRIMARY KEY, boot_id TEXT NOT NULL UNIQUE,
  wall_offset_ns INTEGER);              -- wall clock less boot clock, when it was first recorded
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
  ticks BLOB NOT NULL,                  -- its head: ticks, and where in the body its pieces lie
  last_task INTEGER);                   -- newest task when the chunk was closed; NULL: not known
CREATE INDEX chunk_by_tier ON chunk(tier, last_seq);
CREATE TABLE part(
  key INTEGER PRIMARY KEY,              -- chunk << 16: its body. Format 1: chunk << 16 | metric, 0 the rows
  data BLOB NOT NULL);
CREATE TABLE journal(
  seq INTEGER PRIMARY KEY, boot INTEGER NOT NULL, wall_ns INTEGER NOT NULL, data BLOB NOT NULL,
  events BLOB,                          -- births, execs, renames, ends
  last_event INTEGER);                  -- newest event so far
)sql";

// What version 3 brought: names once, short lives small, births and ends in columns.
constexpr const char* kTasks = R"sql(
CREATE TABLE text(
  id INTEGER PRIMARY KEY AUTOINCREMENT, value TEXT NOT NULL,
  seen INTEGER NOT NULL, last_seq INTEGER);  -- as in names
CREATE TABLE names(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  seen INTEGER NOT NULL,                -- 0: only columns of events, and tasks that are not seen, use it
  last_seq INTEGER,                     -- no tick or event after this one uses it; NULL: in use
  ppid INTEGER, tgid INTEGER, process_start_ns INTEGER, start_wall_ns INTEGER,  -- NULL: as the row of the task says
  uid INTEGER NOT NULL, gid INTEGER NOT NULL, kthread INTEGER NOT NULL, tracked INTEGER NOT NULL,
  comm INTEGER, cmdline INTEGER, exe INTEGER, user INTEGER, cgroup INTEGER, unit INTEGER, container INTEGER,
  app INTEGER, rules INTEGER);          -- of text; NULL: empty
CREATE TABLE task(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  boot INTEGER NOT NULL, tid INTEGER NOT NULL, thread INTEGER NOT NULL, start_ns INTEGER NOT NULL,
  ppid INTEGER NOT NULL,                -- at first
  tgid INTEGER,                         -- at first; NULL: its tid
  process_age_ns INTEGER NOT NULL,      -- start_ns less that of its process
  start_skew_ns INTEGER NOT NULL,       -- started (wall clock) less start_ns + boot.wall_offset_ns
  names INTEGER NOT NULL,               -- the latest
  first_seq INTEGER NOT NULL,           -- tick at which it was first recorded
  last_seq INTEGER,                     -- last tick it was in; NULL: alive at the newest tick
  wait_status INTEGER, duration_ns INTEGER,  -- NULL: its end was not recorded
  exit_skew_ns INTEGER,                 -- ended (wall clock) less started + duration_ns
  seen INTEGER NOT NULL);               -- 0: lived between two ticks; nothing but columns of events tells of it
CREATE INDEX task_by_tid ON task(tid);
CREATE INDEX task_alive ON task(id) WHERE last_seq IS NULL;
CREATE TABLE event(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  seq INTEGER NOT NULL, wall_ns INTEGER NOT NULL, boot_ns INTEGER NOT NULL, type INTEGER NOT NULL,
  task INTEGER, names INTEGER,          -- as it was then; NULL: no task
  wait_status INTEGER, duration_ns INTEGER, lost INTEGER, detail TEXT,
  final BLOB,                           -- the last sample of a task that ended
  rule TEXT, begins INTEGER, metric INTEGER, value REAL, baseline REAL);
CREATE INDEX event_by_wall ON event(wall_ns);
CREATE TABLE event_block(
  id INTEGER PRIMARY KEY,               -- of its first event
  last_id INTEGER NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL,
  min_wall_ns INTEGER NOT NULL, max_wall_ns INTEGER NOT NULL);
CREATE TABLE event_data(id INTEGER PRIMARY KEY, data BLOB NOT NULL);
)sql";

// For people with sqlite3 at hand; nothing of ours reads them. Births and ends are those of the rows of tasks.
constexpr const char* kViews = R"sql(
CREATE VIEW tasks AS
  SELECT t.id, t.tid, coalesce(n.tgid, t.tgid, t.tid) AS tgid, coalesce(n.ppid, t.ppid) AS ppid, t.thread,
    coalesce(x.value, '') AS comm, coalesce(l.value, '') AS cmdline, coalesce(p.value, '') AS exe,
    n.uid, coalesce(u.value, '') AS user, coalesce(s.value, '') AS unit, coalesce(c.value, '') AS container,
    coalesce(a.value, '') AS app, replace(coalesce(r.value, ''), char(10), ', ') AS rules, n.tracked,
    strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(n.start_wall_ns, t.start_ns + b.wall_offset_ns + t.start_skew_ns) / 1e9,
      'unixepoch') AS started, t.last_seq IS NULL AS alive, t.first_seq, t.last_seq, b.boot_id
  FROM task t JOIN boot b ON b.id = t.boot JOIN names n ON n.id = t.names
    LEFT JOIN text x ON x.id = n.comm LEFT JOIN text l ON l.id = n.cmdline LEFT JOIN text p ON p.id = n.exe
    LEFT JOIN text u ON u.id = n.user LEFT JOIN text s ON s.id = n.unit LEFT JOIN text c ON c.id = n.container
    LEFT JOIN text a ON a.id = n.app LEFT JOIN text r ON r.id = n.rules;
CREATE VIEW lives AS
  SELECT k.*, strftime('%Y-%m-%dT%H:%M:%fZ',
      (t.start_ns + b.wall_offset_ns + t.start_skew_ns + t.duration_ns + t.exit_skew_ns) / 1e9, 'unixepoch') AS ended,
    t.duration_ns / 1e9 AS seconds, t.wait_status >> 8 & 255 AS exit_code, t.wait_status & 127 AS exit_signal
  FROM task t JOIN boot b ON b.id = t.boot JOIN tasks k ON k.id = t.id WHERE t.duration_ns IS NOT NULL;
CREATE VIEW events AS
  SELECT e.id, strftime('%Y-%m-%dT%H:%M:%fZ', e.wall_ns / 1e9, 'unixepoch') AS time,
    CASE e.type WHEN 1 THEN 'fork' WHEN 2 THEN 'exec' WHEN 3 THEN 'exit' WHEN 4 THEN 'oom' WHEN 5 THEN 'threshold'
      WHEN 6 THEN 'rule' WHEN 7 THEN 'gap' WHEN 8 THEN 'rename' WHEN 9 THEN 'degraded'
      ELSE e.type END AS type,
    k.tid, k.tgid, k.ppid, coalesce(x.value, '') AS comm, k.user, e.detail, e.rule, e.begins, e.metric, e.value,
    e.baseline, e.wait_status, e.duration_ns, e.lost
  FROM event e LEFT JOIN tasks k ON k.id = e.task LEFT JOIN names n ON n.id = e.names
    LEFT JOIN text x ON x.id = n.comm
  UNION ALL SELECT NULL, k.started, 'fork', k.tid, k.tgid, k.ppid, k.comm, k.user,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM tasks k
    JOIN task t ON t.id = k.id JOIN boot b ON b.id = t.boot
    WHERE t.start_ns + b.wall_offset_ns >= (SELECT min(w) FROM (SELECT min(min_wall_ns) w FROM chunk WHERE tier < 3
      UNION ALL SELECT min(wall_ns) FROM journal))
  UNION ALL SELECT NULL, l.ended, 'exit', l.tid, l.tgid, l.ppid, l.comm, l.user,
    NULL, NULL, NULL, NULL, NULL, NULL, l.exit_code << 8 | l.exit_signal, CAST(l.seconds * 1e9 AS INTEGER), NULL
    FROM lives l;
CREATE VIEW rules AS
  SELECT rule, count(*) AS events, min(time) AS first, max(time) AS last FROM events WHERE rule IS NOT NULL
  GROUP BY rule;
)sql";

}  // namespace

absl::Status CreateTaskTables(Database* db) { return db->Exec(kTasks); }
absl::Status CreateViews(Database* db) { return db->Exec(kViews); }

namespace {

absl::Status CreateTables(Database* db) {
  absl::StatusOr<Transaction> transaction = Transaction::Begin(db, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  const std::string stamp =
      fmt::format("PRAGMA application_id={}; PRAGMA user_version={};", kApplicationId, kFormatVersion);
  for (const char* sql : {kMeta, kTasks, kViews, stamp.c_str()}) {
    absl::Status status = db->Exec(sql);
    if (!status.ok()) return status;
  }
  return transaction->Commit();
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

// SPDX-License-Identifier: Apache-2.0
#include "storage/ring_reader.h"

#include <unistd.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "storage/chunk.h"
#include "storage/event_codec.h"
#include "storage/journal.h"
#include "storage/schema.h"
#include "storage/snapshot_assembler.h"
#include "storage/task_table.h"
#include "storage/time_text.h"

namespace taskmon::storage {
namespace {

constexpr size_t kMaxCachedInfos = 20000;
constexpr int kEventPage = 256;
constexpr int64_t kSecond = 1000000000;

// A chunk, open or closed, read into memory; it needs the database no more but for names.
struct Loaded {
  std::unique_ptr<TickSource> source;
  std::string boot_id;
  int64_t chunk_id = 0;  // 0: the open chunk
  uint64_t last_seq = 0;
};

class RingReaderImpl : public RingReader {
 public:
  explicit RingReaderImpl(Database db) : db_(std::move(db)) {}
  absl::Status Init(const std::vector<ColumnSpec>& columns);

  absl::StatusOr<std::optional<TimeRange>> Range() override;
  absl::StatusOr<std::shared_ptr<const Snapshot>> At(int64_t wall_ns) override;
  absl::Status Scan(int64_t begin_wall_ns, int64_t end_wall_ns, const ScanFilter& filter,
                    const TickSink& sink) override;
  absl::Status ScanEvents(int64_t begin_wall_ns, int64_t end_wall_ns, const EventFilter& filter,
                          const EventSink& sink) override;

 private:
  struct ScanState {
    int64_t begin_wall_ns, end_wall_ns;
    const ScanFilter& filter;
    int64_t after_chunk = 0;
    uint64_t after_seq = 0;
    uint64_t last_seq = 0;  // newest tick when the scan began: what comes later is left out
  };
  using Ids = std::unordered_set<int64_t>;

  absl::StatusOr<Loaded> LoadNext(const ScanState& state);
  absl::StatusOr<Loaded> LoadChunk(const Statement& row, const ScanFilter& filter);
  absl::StatusOr<Loaded> LoadJournal(uint64_t to_seq, const ScanFilter& filter);
  absl::Status AddColumns(int64_t chunk_id, const MetricSet& metrics, ClosedChunk* chunk);
  absl::StatusOr<Ids> WantedTasks(const ScanFilter& filter, uint64_t first_seq, uint64_t last_seq);
  absl::StatusOr<bool> Deliver(Loaded loaded, const ScanState& state, const TickSink& sink);
  absl::StatusOr<std::shared_ptr<const TaskInfo>> FindInfo(int64_t id);
  absl::StatusOr<std::string> BootId(int64_t boot);
  absl::StatusOr<Loaded> LoadAt(int64_t wall_ns, size_t* tick);
  absl::Status CheckGap(const Loaded& loaded, size_t tick, int64_t wall_ns);
  absl::Status OutsideRange(int64_t wall_ns);
  absl::StatusOr<std::vector<Event>> EventPage(int64_t begin, int64_t end, uint32_t types, uint64_t after_id,
                                               uint64_t last_id);
  absl::StatusOr<Event> ReadEvent();

  Database db_;
  CounterSet counters_;
  std::unordered_map<int64_t, std::shared_ptr<const TaskInfo>> infos_;
  Statement next_chunk_, chunk_at_, journal_to_, journal_seq_at_, part_, parts_, tasks_of_, info_, boot_, range_,
      next_wall_, event_range_, events_;
};

absl::Status RingReaderImpl::Init(const std::vector<ColumnSpec>& columns) {
  absl::Status status = CheckSchema(&db_);
  // What is not a database at all is, to a reader, simply not a history file.
  if (absl::IsDataLoss(status)) return absl::FailedPreconditionError(std::string(status.message()));
  if (!status.ok()) return status;
  absl::StatusOr<CounterSet> counters = LoadCounters(&db_);
  if (!counters.ok()) return counters.status();
  counters_ = *counters;
  for (const ColumnSpec& column : columns) {
    if (column.kind == ColumnKind::kCounter && !column.stored) counters_.set(column.id);
  }
  absl::StatusOr<int64_t> version = db_.QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  const std::string info = fmt::format(
      "SELECT t.tid, t.thread, t.start_ns, b.boot_id, {} FROM task_info i JOIN task t ON t.id = i.task"
      " JOIN boot b ON b.id = t.boot WHERE i.id = ?",
      kInfoColumns);
  const std::pair<Statement*, std::string> all[] = {
      {&next_chunk_,
       "SELECT id, boot, last_seq, first_seq, ticks FROM chunk"
       " WHERE id > ? AND last_seq > ? AND max_wall_ns >= ? AND min_wall_ns <= ? ORDER BY id LIMIT 1"},
      {&chunk_at_,
       "SELECT id, boot, last_seq, first_seq, ticks FROM chunk WHERE min_wall_ns <= ? ORDER BY id DESC LIMIT 1"},
      {&journal_to_, "SELECT seq, wall_ns, data, boot FROM journal WHERE seq <= ? ORDER BY seq"},
      {&journal_seq_at_, "SELECT max(seq) FROM journal WHERE wall_ns <= ?"},
      {&part_, "SELECT data FROM part WHERE key = ?"},
      {&parts_, "SELECT key & 65535, data FROM part WHERE key BETWEEN ? AND ?"},
      {&tasks_of_, "SELECT id FROM task WHERE tid = ? AND first_seq <= ? AND coalesce(last_seq >= ?, 1)"},
      {&info_, info},
      {&boot_, "SELECT boot_id FROM boot WHERE id = ?"},
      {&range_,
       "SELECT min(a), max(b), max(s) FROM (SELECT min(min_wall_ns) a, max(max_wall_ns) b, max(last_seq) s FROM chunk"
       " UNION ALL SELECT min(wall_ns), max(wall_ns), max(seq) FROM journal)"},
      {&next_wall_,
       "SELECT min(w) FROM (SELECT min(min_wall_ns) w FROM chunk WHERE min_wall_ns > ?1"
       " UNION ALL SELECT min(wall_ns) FROM journal WHERE wall_ns > ?1)"},
      {&event_range_, "SELECT min(id), max(id) FROM event INDEXED BY event_by_wall WHERE wall_ns BETWEEN ? AND ?"},
      {&events_,
       fmt::format(
           "SELECT id, type, wall_ns, boot_ns, wait_status, duration_ns, lost, detail, info, final, {} FROM event"
           " WHERE id > ? AND id <= ? AND +wall_ns BETWEEN ? AND ? AND (1 << type) & ? ORDER BY id LIMIT ?",
           *version >= 2 ? "rule, begins, metric, value, baseline" : "NULL, NULL, NULL, NULL, NULL")},
  };
  for (const auto& [statement, sql] : all) {
    absl::StatusOr<Statement> prepared = db_.Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    *statement = *std::move(prepared);
  }
  return absl::OkStatus();
}

// Leaves no statement open, so that no read transaction outlives the call.
class ResetAtEnd {
 public:
  explicit ResetAtEnd(Statement* statement) : statement_(statement) { statement_->Reset(); }
  ~ResetAtEnd() { statement_->Reset(); }
  ResetAtEnd(const ResetAtEnd&) = delete;

 private:
  Statement* statement_;
};

absl::StatusOr<std::optional<TimeRange>> RingReaderImpl::Range() {
  ResetAtEnd reset(&range_);
  absl::StatusOr<bool> row = range_.Step();
  if (!row.ok()) return row.status();
  if (range_.IsNull(0)) return std::optional<TimeRange>();
  return std::optional<TimeRange>(TimeRange{range_.Int(0), range_.Int(1)});
}

absl::StatusOr<std::string> RingReaderImpl::BootId(int64_t boot) {
  ResetAtEnd reset(&boot_);
  absl::StatusOr<bool> row = boot_.Bind(boot).Step();
  if (!row.ok()) return row.status();
  return *row ? boot_.Text(0) : std::string();
}

absl::StatusOr<std::shared_ptr<const TaskInfo>> RingReaderImpl::FindInfo(int64_t id) {
  auto [at, is_new] = infos_.try_emplace(id);
  if (!is_new && at->second != nullptr) return at->second;
  ResetAtEnd reset(&info_);
  absl::StatusOr<bool> row = info_.Bind(id).Step();
  if (!row.ok()) return row.status();
  if (!*row) return Damaged(fmt::format("task_info {} is missing", id));
  auto info = std::make_shared<TaskInfo>();
  info->key = {static_cast<uint64_t>(info_.Int(2)), static_cast<int32_t>(info_.Int(0)), info_.Int(1) != 0};
  info->boot_id = info_.Text(3);
  ReadInfo(info_, 4, info.get());
  at->second = std::move(info);
  return at->second;
}

absl::StatusOr<RingReaderImpl::Ids> RingReaderImpl::WantedTasks(const ScanFilter& filter, uint64_t first_seq,
                                                                uint64_t last_seq) {
  Ids ids;
  ResetAtEnd reset(&tasks_of_);
  tasks_of_.Bind(filter.tid).Bind(last_seq).Bind(first_seq);
  absl::StatusOr<bool> row;
  while ((row = tasks_of_.Step()).ok() && *row) ids.insert(tasks_of_.Int(0));
  if (!row.ok()) return row.status();
  return ids;
}

absl::Status RingReaderImpl::AddColumns(int64_t chunk_id, const MetricSet& metrics, ClosedChunk* chunk) {
  constexpr size_t kFewMetrics = 12;
  if (metrics.count() <= kFewMetrics) {
    absl::Status status;
    MetricBits::Of(metrics).ForEach([&](size_t m) {
      ResetAtEnd reset(&part_);
      absl::StatusOr<bool> row = part_.Bind(PartKey(chunk_id, static_cast<uint32_t>(m))).Step();
      if (status.ok()) status = row.status();
      if (status.ok() && *row && m != kRowsPart) status = chunk->AddColumn(static_cast<MetricId>(m), part_.Blob(0));
    });
    return status;
  }
  ResetAtEnd reset(&parts_);
  parts_.Bind(PartKey(chunk_id, 1)).Bind(PartKey(chunk_id, 0xffff));
  absl::StatusOr<bool> row;
  while ((row = parts_.Step()).ok() && *row) {
    const auto metric = static_cast<MetricId>(parts_.Int(0));
    if (metric >= kMetricSlots || !metrics[metric]) continue;
    absl::Status status = chunk->AddColumn(metric, parts_.Blob(1));
    if (!status.ok()) return status;
  }
  return row.status();
}

// `row` stands on a chunk. Everything is read here, names included, since the chunk may be dropped afterwards.
absl::StatusOr<Loaded> RingReaderImpl::LoadChunk(const Statement& row, const ScanFilter& filter) {
  const int64_t id = row.Int(0);
  absl::StatusOr<std::vector<TickHeader>> headers = DecodeTicks(row.Blob(4));
  absl::StatusOr<std::string> boot = BootId(row.Int(1));
  if (!headers.ok()) return headers.status();
  if (!boot.ok()) return boot.status();
  Ids ids;
  ClosedChunk::Wanted wanted;
  if (filter.tid != 0) {
    absl::StatusOr<Ids> found =
        WantedTasks(filter, static_cast<uint64_t>(row.Int(3)), static_cast<uint64_t>(row.Int(2)));
    if (!found.ok()) return found.status();
    ids = *std::move(found);
    wanted = [&ids](int64_t task) { return ids.contains(task); };
  }
  Loaded loaded{nullptr, *std::move(boot), id, static_cast<uint64_t>(row.Int(2))};
  const bool nobody = filter.tid != 0 && ids.empty();
  ResetAtEnd reset(&part_);
  absl::StatusOr<bool> found = part_.Bind(PartKey(id, kRowsPart)).Step();
  if (!found.ok()) return found.status();
  if (!*found) return Damaged(fmt::format("chunk {} has no rows", id));
  // An empty list of rows: nobody is in it.
  const std::string_view rows = nobody ? std::string_view("\0\0", 2) : part_.Blob(0);
  absl::StatusOr<ClosedChunk> chunk = ClosedChunk::Open(*std::move(headers), rows, counters_, wanted);
  if (!chunk.ok()) return chunk.status();
  if (chunk->wanted_rows() > 0) {
    absl::Status status = AddColumns(id, filter.metrics, &*chunk);
    if (!status.ok()) return status;
  }
  for (int64_t info : chunk->InfoIds()) {
    absl::Status status = FindInfo(info).status();
    if (!status.ok()) return status;
  }
  loaded.source = std::make_unique<ClosedChunk>(*std::move(chunk));
  return loaded;
}

absl::StatusOr<Loaded> RingReaderImpl::LoadJournal(uint64_t to_seq, const ScanFilter& filter) {
  std::vector<JournalEntry> entries;
  int64_t boot = 0;
  {
    ResetAtEnd reset(&journal_to_);
    journal_to_.Bind(to_seq);
    absl::StatusOr<bool> row;
    while ((row = journal_to_.Step()).ok() && *row) {
      entries.push_back(
          {static_cast<uint64_t>(journal_to_.Int(0)), journal_to_.Int(1), std::string(journal_to_.Blob(2))});
      boot = journal_to_.Int(3);
    }
    if (!row.ok()) return row.status();
  }
  if (entries.empty()) return Loaded{};
  absl::StatusOr<std::string> boot_id = BootId(boot);
  if (!boot_id.ok()) return boot_id.status();
  JournalReplay::Wanted wanted;
  if (filter.tid != 0) {
    absl::StatusOr<Ids> ids = WantedTasks(filter, entries.front().seq, entries.back().seq);
    if (!ids.ok()) return ids.status();
    wanted = [ids = *std::move(ids)](int64_t task) { return ids.contains(task); };
  }
  absl::StatusOr<JournalReplay> replay = JournalReplay::Open(entries, counters_, wanted);
  if (!replay.ok()) return replay.status();
  return Loaded{std::make_unique<JournalReplay>(*std::move(replay)), *std::move(boot_id), 0, entries.back().seq};
}

// One transaction, so that the hand-over from the open chunk to a closed one falls before or after it.
absl::StatusOr<Loaded> RingReaderImpl::LoadNext(const ScanState& state) {
  if (infos_.size() > kMaxCachedInfos) infos_.clear();
  absl::StatusOr<Transaction> transaction = Transaction::Begin(&db_, Transaction::Kind::kRead);
  if (!transaction.ok()) return transaction.status();
  ResetAtEnd reset(&next_chunk_);
  next_chunk_.Bind(state.after_chunk).Bind(state.after_seq).Bind(state.begin_wall_ns).Bind(state.end_wall_ns);
  absl::StatusOr<bool> row = next_chunk_.Step();
  if (!row.ok()) return row.status();
  if (*row) return LoadChunk(next_chunk_, state.filter);
  absl::StatusOr<Loaded> loaded = LoadJournal(state.last_seq, state.filter);
  if (loaded.ok() && loaded->last_seq <= state.after_seq) return Loaded{};
  return loaded;
}

absl::StatusOr<bool> RingReaderImpl::Deliver(Loaded loaded, const ScanState& state, const TickSink& sink) {
  SnapshotAssembler assembler(loaded.source.get(), state.filter, loaded.boot_id,
                              [this](int64_t id) { return FindInfo(id); });
  for (const TickHeader& header : loaded.source->ticks()) {
    absl::Status status = assembler.Step();
    if (!status.ok()) return status;
    const Tick& tick = header.tick;
    if (tick.seq <= state.after_seq || tick.seq > state.last_seq) continue;
    if (tick.wall_ns < state.begin_wall_ns || tick.wall_ns > state.end_wall_ns) continue;
    absl::StatusOr<Snapshot> snapshot = assembler.Build();
    if (!snapshot.ok()) return snapshot.status();
    if (!sink(*snapshot)) return false;
  }
  return true;
}

absl::Status RingReaderImpl::Scan(int64_t begin_wall_ns, int64_t end_wall_ns, const ScanFilter& filter,
                                  const TickSink& sink) {
  ScanState state{begin_wall_ns, end_wall_ns, filter};
  {
    ResetAtEnd reset(&range_);
    absl::StatusOr<bool> row = range_.Step();
    if (!row.ok()) return row.status();
    state.last_seq = static_cast<uint64_t>(range_.Int(2));
  }
  while (state.after_seq < state.last_seq) {
    absl::StatusOr<Loaded> loaded = LoadNext(state);
    if (!loaded.ok()) return loaded.status();
    if (loaded->source == nullptr) break;
    const int64_t chunk_id = loaded->chunk_id;
    const uint64_t last_seq = loaded->last_seq;
    absl::StatusOr<bool> more = Deliver(*std::move(loaded), state, sink);
    if (!more.ok()) return more.status();
    if (!*more) break;
    if (chunk_id != 0) state.after_chunk = chunk_id;
    state.after_seq = last_seq;
  }
  return absl::OkStatus();
}

absl::Status RingReaderImpl::OutsideRange(int64_t wall_ns) {
  absl::StatusOr<std::optional<TimeRange>> range = Range();
  if (!range.ok()) return range.status();
  if (!range->has_value()) return absl::OutOfRangeError("nothing is stored yet");
  return absl::OutOfRangeError(fmt::format("{} is outside of what is stored: {} to {}", TimeText(wall_ns),
                                           TimeText((*range)->begin_wall_ns), TimeText((*range)->end_wall_ns)));
}

absl::Status RingReaderImpl::CheckGap(const Loaded& loaded, size_t tick, int64_t wall_ns) {
  const std::vector<TickHeader>& ticks = loaded.source->ticks();
  const Tick& found = ticks[tick].tick;
  uint64_t interval = found.elapsed_ns;
  if (interval == 0 && tick + 1 < ticks.size()) interval = ticks[tick + 1].tick.elapsed_ns;
  const int64_t tolerance =
      std::max<int64_t>(3 * static_cast<int64_t>(std::min<uint64_t>(interval, 3600 * kSecond)), 5 * kSecond);
  if (wall_ns - found.wall_ns <= tolerance) return absl::OkStatus();
  ResetAtEnd reset(&next_wall_);
  absl::StatusOr<bool> row = next_wall_.Bind(wall_ns).Step();
  if (!row.ok()) return row.status();
  int64_t next = next_wall_.IsNull(0) ? 0 : next_wall_.Int(0);
  for (size_t i = tick + 1; i < ticks.size(); ++i) {
    const int64_t wall = ticks[i].tick.wall_ns;
    if (wall > wall_ns && (next == 0 || wall < next)) next = wall;
  }
  if (next == 0) return OutsideRange(wall_ns);
  return absl::OutOfRangeError(fmt::format("{} is in a gap: nothing was recorded from {} to {}", TimeText(wall_ns),
                                           TimeText(found.wall_ns), TimeText(next)));
}

// The newest tick, by number, whose time is not after `wall_ns`: after a step back of the clock the later account wins.
absl::StatusOr<Loaded> RingReaderImpl::LoadAt(int64_t wall_ns, size_t* tick) {
  const ScanFilter everything;
  ResetAtEnd reset_seq(&journal_seq_at_);
  absl::StatusOr<bool> row = journal_seq_at_.Bind(wall_ns).Step();
  if (!row.ok()) return row.status();
  absl::StatusOr<Loaded> loaded;
  if (!journal_seq_at_.IsNull(0)) {
    loaded = LoadJournal(UINT64_MAX >> 1, everything);
  } else {
    ResetAtEnd reset_chunk(&chunk_at_);
    row = chunk_at_.Bind(wall_ns).Step();
    if (!row.ok()) return row.status();
    if (!*row) return OutsideRange(wall_ns);
    loaded = LoadChunk(chunk_at_, everything);
  }
  if (!loaded.ok()) return loaded;
  const std::vector<TickHeader>& ticks = loaded->source->ticks();
  *tick = ticks.size() - 1;
  while (*tick > 0 && ticks[*tick].tick.wall_ns > wall_ns) --*tick;
  return loaded;
}

absl::StatusOr<std::shared_ptr<const Snapshot>> RingReaderImpl::At(int64_t wall_ns) {
  if (infos_.size() > kMaxCachedInfos) infos_.clear();
  absl::StatusOr<Transaction> transaction = Transaction::Begin(&db_, Transaction::Kind::kRead);
  if (!transaction.ok()) return transaction.status();
  size_t tick = 0;
  absl::StatusOr<Loaded> loaded = LoadAt(wall_ns, &tick);
  if (!loaded.ok()) return loaded.status();
  absl::Status status = CheckGap(*loaded, tick, wall_ns);
  if (!status.ok()) return status;
  SnapshotAssembler assembler(loaded->source.get(), ScanFilter(), loaded->boot_id,
                              [this](int64_t id) { return FindInfo(id); });
  while (assembler.next_tick() <= tick) {
    status = assembler.Step();
    if (!status.ok()) return status;
  }
  absl::StatusOr<Snapshot> snapshot = assembler.Build();
  if (!snapshot.ok()) return snapshot.status();
  return std::make_shared<const Snapshot>(*std::move(snapshot));
}

absl::StatusOr<Event> RingReaderImpl::ReadEvent() {
  Event event;
  event.id = static_cast<uint64_t>(events_.Int(0));
  event.type = static_cast<EventType>(events_.Int(1));
  event.wall_ns = events_.Int(2);
  event.boot_ns = static_cast<uint64_t>(events_.Int(3));
  event.wait_status = static_cast<int32_t>(events_.Int(4));
  event.duration_ns = static_cast<uint64_t>(events_.Int(5));
  event.lost = static_cast<uint64_t>(events_.Int(6));
  event.detail = events_.Text(7);
  if (!events_.IsNull(8)) {
    absl::StatusOr<std::shared_ptr<const TaskInfo>> info = FindInfo(events_.Int(8));
    if (!info.ok()) return info.status();
    event.task = *std::move(info);
  }
  if (!events_.IsNull(9)) {
    absl::StatusOr<std::shared_ptr<TaskSample>> sample = DecodeFinalSample(events_.Blob(9), event.boot_ns);
    if (!sample.ok()) return sample.status();
    (*sample)->info = event.task;
    event.final_sample = *std::move(sample);
  }
  event.rule = events_.Text(10);
  if (event.type != EventType::kThreshold) return event;
  event.begins = events_.IsNull(11) || events_.Int(11) != 0;
  event.metric = static_cast<MetricId>(events_.Int(12));
  event.value = events_.Real(13);
  event.baseline = events_.Real(14);
  return event;
}

absl::StatusOr<std::vector<Event>> RingReaderImpl::EventPage(int64_t begin, int64_t end, uint32_t types,
                                                             uint64_t after_id, uint64_t last_id) {
  if (infos_.size() > kMaxCachedInfos) infos_.clear();
  absl::StatusOr<Transaction> transaction = Transaction::Begin(&db_, Transaction::Kind::kRead);
  if (!transaction.ok()) return transaction.status();
  ResetAtEnd reset(&events_);
  events_.Bind(after_id).Bind(last_id).Bind(begin).Bind(end).Bind(types).Bind(kEventPage);
  std::vector<Event> events;
  absl::StatusOr<bool> row;
  while ((row = events_.Step()).ok() && *row) {
    absl::StatusOr<Event> event = ReadEvent();
    if (!event.ok()) return event.status();
    events.push_back(*std::move(event));
  }
  if (!row.ok()) return row.status();
  return events;
}

absl::Status RingReaderImpl::ScanEvents(int64_t begin_wall_ns, int64_t end_wall_ns, const EventFilter& filter,
                                        const EventSink& sink) {
  uint64_t after = 0, last = 0;
  {
    ResetAtEnd reset(&event_range_);
    absl::StatusOr<bool> row = event_range_.Bind(begin_wall_ns).Bind(end_wall_ns).Step();
    if (!row.ok()) return row.status();
    if (event_range_.IsNull(0)) return absl::OkStatus();
    after = std::max(filter.after_id, static_cast<uint64_t>(event_range_.Int(0)) - 1);
    last = static_cast<uint64_t>(event_range_.Int(1));
  }
  while (after < last) {
    absl::StatusOr<std::vector<Event>> page = EventPage(begin_wall_ns, end_wall_ns, filter.types, after, last);
    if (!page.ok()) return page.status();
    if (page->empty()) break;
    for (const Event& event : *page) {
      if (!sink(event)) return absl::OkStatus();
    }
    after = page->back().id;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<RingReader>> RingReader::Open(const std::string& path, std::vector<ColumnSpec> columns) {
  if (access(path.c_str(), F_OK) != 0) return absl::NotFoundError(fmt::format("{}: no such file", path));
  absl::StatusOr<Database> db = Database::Open(path, Database::Mode::kReadOnly);
  if (!db.ok()) return db.status();
  auto reader = std::make_unique<RingReaderImpl>(*std::move(db));
  absl::Status status = reader->Init(columns);
  const bool no_wal = access((path + "-wal").c_str(), F_OK) != 0;
  if ((absl::IsNotFound(status) || absl::IsPermissionDenied(status)) && no_wal) {
    // A file at rest in a directory where SQLite may not make its companions.
    db = Database::OpenImmutable(path);
    if (!db.ok()) return db.status();
    reader = std::make_unique<RingReaderImpl>(*std::move(db));
    status = reader->Init(columns);
  }
  if (!status.ok()) return status;
  return std::unique_ptr<RingReader>(std::move(reader));
}

}  // namespace taskmon::storage

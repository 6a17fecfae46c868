// SPDX-License-Identifier: Apache-2.0
#include "storage/ring_file.h"

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "storage/past_encoder.h"
#include "storage/schema.h"

namespace taskmon::storage {
namespace {

// Room for one event with its task's rows, generously.
constexpr uint64_t kEventBytes = 1024;
// Pages that a tick dirties whatever it holds.
constexpr uint64_t kTickBytes = 16 * kPageBytes;
// Making a chunk is dear, so one that found no room waits a while.
constexpr uint32_t kCloseRetryTicks = 8;
// Room for a row that supplements a tick, generously.
constexpr uint64_t kPastRowBytes = 256;
constexpr uint64_t kMaxJournalBytes = 8u << 20;
// zstd's for the events of a tick, which are packed anew with those of their chunk.
constexpr int kTickLevel = 1;

}  // namespace

absl::Status RingFile::Open() {
  absl::StatusOr<Database> db = Database::Open(options_.path, Database::Mode::kReadWriteCreate);
  if (!db.ok()) return db.status();
  db_ = *std::move(db);
  // Identity comes before the pragmas: they would write to a file that is not ours.
  absl::StatusOr<int64_t> objects = db_.QueryInt("SELECT count(*) FROM sqlite_schema");
  if (!objects.ok()) return objects.status();
  absl::Status status = *objects > 0 ? CheckSchema(&db_) : absl::OkStatus();
  if (status.ok()) status = ConfigureWriter(&db_);
  if (status.ok() && !options_.durable) status = db_.Exec("PRAGMA synchronous=OFF");
  if (status.ok()) status = CreateOrCheckSchema(&db_);
  if (status.ok()) status = SaveMetricKinds(&db_, options_.columns);
  if (!status.ok()) return status;
  retention_ = std::make_unique<Retention>(&db_, options_);
  status = retention_->Open();
  if (status.ok()) status = PrepareStatements();
  if (status.ok()) status = LoadState();
  // A file of ours whose tables do not take our statements.
  if (absl::IsInternal(status)) return absl::DataLossError(std::string(status.message()));
  return status;
}

absl::Status RingFile::PrepareStatements() {
  const std::pair<Statement*, const char*> all[] = {
      {&insert_journal_, "INSERT INTO journal(seq, boot, wall_ns, data, events, last_event) VALUES(?, ?, ?, ?, ?, ?)"},
      {&select_journal_, "SELECT seq, wall_ns, data, boot FROM journal ORDER BY seq"},
  };
  if (absl::Status status = db_.PrepareAll(all); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<TaskTable>> tasks = TaskTable::Open(&db_);
  if (!tasks.ok()) return tasks.status();
  tasks_ = *std::move(tasks);
  for (const ColumnSpec& column : options_.columns) {
    if (column.stored) stored_.set(column.id);
  }
  absl::StatusOr<std::unique_ptr<EventStore>> events = EventStore::Open(&db_, stored_);
  if (!events.ok()) return events.status();
  events_ = *std::move(events);
  absl::StatusOr<CounterSet> counters = LoadCounters(&db_);
  if (!counters.ok()) return counters.status();
  counters_ = *counters;
  absl::StatusOr<std::unique_ptr<ChunkStore>> chunks =
      ChunkStore::Open(&db_, retention_.get(), events_.get(), {options_.columns, counters_, options_.coarser});
  if (!chunks.ok()) return chunks.status();
  chunks_ = *std::move(chunks);
  return absl::OkStatus();
}

absl::Status RingFile::LoadState() {
  absl::StatusOr<int64_t> seq = db_.QueryInt(
      "SELECT max(coalesce((SELECT max(seq) FROM journal), 0), coalesce((SELECT max(last_seq) FROM chunk), 0),"
      " coalesce((SELECT max(first_seq, coalesce(last_seq, 0)) FROM task ORDER BY id DESC LIMIT 1), 0))");
  absl::StatusOr<int64_t> newest = db_.QueryInt(
      "SELECT coalesce((SELECT wall_ns FROM journal ORDER BY seq DESC LIMIT 1),"
      " (SELECT max_wall_ns FROM chunk WHERE tier = 0 ORDER BY last_seq DESC LIMIT 1))");
  if (!seq.ok()) return seq.status();
  if (!newest.ok()) return newest.status();
  last_seq_ = static_cast<uint64_t>(*seq);
  newest_wall_ns_ = *newest;
  absl::Status status = CloseChunk();
  RefreshOldest();
  return status;
}

void RingFile::RefreshOldest() {
  oldest_wall_ns_ = db_.QueryInt(
                           "SELECT coalesce((SELECT min_wall_ns FROM chunk WHERE tier < 3 ORDER BY first_seq LIMIT 1),"
                           " (SELECT wall_ns FROM journal ORDER BY seq LIMIT 1))")
                        .value_or(0);
}

absl::Status RingFile::Append(const Snapshot& snapshot, std::vector<Event>* events) {
  if (snapshot.tick.seq <= last_seq_) {
    return absl::InvalidArgumentError(fmt::format("tick {} does not follow tick {}", snapshot.tick.seq, last_seq_));
  }
  const uint64_t want = open_bytes_ + 2 * last_tick_bytes_ + kTickBytes + events->size() * kEventBytes;
  const uint64_t dropped = retention_->chunks_dropped();
  absl::Status status = retention_->DropAged(snapshot.tick.wall_ns, open_ticks_ == 0);
  if (status.ok()) status = retention_->MakeRoom(want);
  if (status.ok()) status = TryAppend(snapshot, events);
  if (absl::IsResourceExhausted(status)) status = RetryAppend(want, snapshot, events);
  if (retention_->chunks_dropped() != dropped) RefreshOldest();
  if (!status.ok()) return status;
  // From here on the tick is stored, whatever becomes of the housekeeping: what failed is tried again later. Damage is
  // another matter.
  const bool full = ChunkIsFull();
  if (full) status = CloseChunk();
  if (!status.ok()) close_at_ = open_ticks_ + kCloseRetryTicks;
  if (absl::IsDataLoss(status)) return status;
  if (full && status.ok()) return Tidy();
  (void)retention_->Checkpoint(false);
  return absl::OkStatus();
}

// The estimate of what the tick takes was short, or the disk is full. An empty WAL and, where it is the cap that stands
// in the way, more room are what can be done about it.
absl::Status RingFile::RetryAppend(uint64_t want, const Snapshot& snapshot, std::vector<Event>* events) {
  absl::Status status = retention_->Checkpoint(true);
  if (status.ok() && retention_->AtCap(want + last_tick_bytes_)) {
    status = retention_->MakeRoom(2 * (want + last_tick_bytes_));
  }
  return status.ok() ? TryAppend(snapshot, events) : status;
}

absl::Status RingFile::TryAppend(const Snapshot& snapshot, std::vector<Event>* events) {
  if (open_ticks_ > 0 && snapshot.boot_id != boot_id_) {
    absl::Status status = CloseChunk();
    if (!status.ok()) return status;
  }
  absl::StatusOr<Transaction> transaction = Transaction::Begin(&db_, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  absl::Status status = SwitchBoot(snapshot);
  if (status.ok()) status = WriteTick(snapshot, events);
  if (status.ok()) status = retention_->Commit(&*transaction);
  if (!status.ok()) {
    ForgetState();
    for (Event& event : *events) event.id = 0;
    return status;
  }
  AfterTick(snapshot);
  return absl::OkStatus();
}

absl::Status RingFile::SwitchBoot(const Snapshot& snapshot) {
  if (known_boot_ && snapshot.boot_id == boot_id_) return absl::OkStatus();
  absl::StatusOr<int64_t> boot = tasks_->BeginBoot(
      snapshot.boot_id, WrapSub(snapshot.tick.wall_ns, static_cast<int64_t>(snapshot.tick.boot_ns)), last_seq_);
  if (!boot.ok()) return boot.status();
  absl::Status status = events_->Reload();
  if (!status.ok()) return status;
  boot_ = *boot;
  boot_id_ = snapshot.boot_id;
  known_boot_ = true;
  begin_chunk_ = true;
  entries_.clear();
  return absl::OkStatus();
}

absl::Status RingFile::WriteTick(const Snapshot& snapshot, std::vector<Event>* events) {
  context_ = {snapshot.tick, counters_, stored_, &chunks_->precision()};
  journal_.Begin({snapshot.tick, snapshot.memory_total_bytes}, begin_chunk_);
  absl::Status status = WriteRows(snapshot);
  if (!status.ok()) return status;
  absl::StatusOr<std::string> columns = WriteEvents(snapshot, events);
  if (!columns.ok()) return columns.status();
  status = tasks_->EndTick();
  if (!status.ok()) return status;
  const std::string blob = journal_.Finish();
  last_tick_bytes_ = blob.size() + columns->size();
  insert_journal_.Bind(snapshot.tick.seq).Bind(boot_).Bind(snapshot.tick.wall_ns).BindBlob(blob);
  columns->empty() ? insert_journal_.BindNull() : insert_journal_.BindBlob(*columns);
  return insert_journal_.Bind(events_->last_id()).Run();
}

// Both ticks are sorted alike, so that a match is found by walking. In a tick that is not, a task may pass for one that
// went and another that came, which costs room and nothing else.
RingFile::Entry* RingFile::Match(const std::shared_ptr<const TaskSample>& sample, size_t* next) {
  while (*next < entries_.size()) {
    Entry& entry = entries_[*next];
    if (entry.sample == sample || entry.sample->info->key == sample->info->key) {
      ++*next;
      return &entry;
    }
    if (!InSnapshotOrder(*entry.sample->info, *sample->info)) return nullptr;
    ++*next;
  }
  return nullptr;
}

absl::Status RingFile::WriteRows(const Snapshot& snapshot) {
  next_entries_.clear();
  next_entries_.reserve(snapshot.tasks.size());
  size_t next = 0;
  for (const std::shared_ptr<const TaskSample>& sample : snapshot.tasks) {
    const size_t first = next;
    Entry* before = Match(sample, &next);
    absl::Status status;
    for (size_t i = first; i + (before != nullptr) < next && status.ok(); ++i) {
      status = EndRow(entries_[i], snapshot.tick.seq);
    }
    if (status.ok()) status = WriteRow(sample, before);
    if (!status.ok()) return status;
  }
  for (; next < entries_.size(); ++next) {
    absl::Status status = EndRow(entries_[next], snapshot.tick.seq);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status RingFile::EndRow(const Entry& entry, uint64_t seq) {
  if (!begin_chunk_) journal_.Gone(entry.row);
  return tasks_->Gone(entry.sample->info->key, seq);
}

absl::Status RingFile::WriteRow(const std::shared_ptr<const TaskSample>& sample, Entry* before) {
  const bool same = before != nullptr && before->sample == sample;
  Entry entry;
  if (before != nullptr) entry = {same ? std::move(before->sample) : sample, before->ids, before->row};
  int64_t new_info = 0;
  if (before == nullptr || (!same && before->sample->info != sample->info)) {
    absl::StatusOr<TaskIds> ids = tasks_->Alive(sample->info, context_.tick.seq);
    if (!ids.ok()) return ids.status();
    new_info = before != nullptr && before->ids.info == ids->info ? 0 : ids->info;
    entry = {sample, *ids, before != nullptr ? before->row : 0};
  }
  body_.Clear();
  if (before == nullptr || begin_chunk_) {
    EncodeUpdate(nullptr, *sample, entry.ids.info, context_, &body_);
    entry.row = journal_.Appeared(entry.ids.task, body_.data());
  } else if (!same) {
    EncodeUpdate(before->sample.get(), *sample, new_info, context_, &body_);
    journal_.Updated(entry.row, body_.data());
  }
  next_entries_.push_back(std::move(entry));
  return absl::OkStatus();
}

// Rows for those that are rare; the others are returned as columns.
absl::StatusOr<std::string> RingFile::WriteEvents(const Snapshot& snapshot, std::vector<Event>* events) {
  std::vector<StoredEvent> in_columns;
  for (Event& event : *events) {
    TaskIds ids;
    if (event.task != nullptr) {
      absl::StatusOr<TaskIds> mentioned = tasks_->Mentioned(event, snapshot.tick.seq);
      if (!mentioned.ok()) return mentioned.status();
      ids = *mentioned;
    }
    absl::StatusOr<bool> fits = events_->Add(snapshot.tick.seq, event, ids.task, ids.info);
    if (!fits.ok()) return fits.status();
    event.id = events_->last_id();
    if (*fits) in_columns.push_back({snapshot.tick.seq, ids.task, ids.info, event});
  }
  if (in_columns.empty()) return std::string();
  if (in_columns.size() > kMaxColumnEvents) {
    return absl::ResourceExhaustedError(
        fmt::format("{} events in one tick; at most {} can be stored", in_columns.size(), kMaxColumnEvents));
  }
  return EncodeEvents(
      in_columns, stored_, [this](int64_t task) { return tasks_->Times(task); }, kTickLevel);
}

void RingFile::AfterTick(const Snapshot& snapshot) {
  entries_.swap(next_entries_);
  next_entries_.clear();
  begin_chunk_ = false;
  if (open_ticks_++ == 0) open_used_bytes_ = retention_->UsedBytes();
  open_bytes_ += last_tick_bytes_;
  last_seq_ = snapshot.tick.seq;
  newest_wall_ns_ = snapshot.tick.wall_ns;
  interval_ns_ = static_cast<int64_t>(std::min<uint64_t>(snapshot.tick.elapsed_ns, 1ull << 60));
  if (oldest_wall_ns_ == 0) oldest_wall_ns_ = snapshot.tick.wall_ns;
}

// What is cached may speak of rows that a rollback undid.
void RingFile::ForgetState() {
  tasks_->Forget();
  entries_.clear();
  next_entries_.clear();
  known_boot_ = false;
  begin_chunk_ = true;
}

// A chunk is what the ring drops at once, so none may hold more than a small part of the file; and all of its journal
// is in memory when it is closed.
bool RingFile::ChunkIsFull() const {
  if (open_ticks_ < close_at_) return false;
  const uint64_t share = retention_->database_limit() / 16;
  if (open_bytes_ > std::min({share, retention_->wal_limit() / 4, kMaxJournalBytes}) ||
      retention_->UsedBytes() > open_used_bytes_ + share) {
    return true;
  }
  const uint64_t ticks = std::min<uint64_t>(options_.chunk_ticks, kMaxChunkTicks);
  return open_ticks_ >= ticks + ticks / 5 || (open_ticks_ >= ticks && MinuteEnds());
}

// Whether the next tick probably falls into another minute. Chunks that end with one have whole ticks of the coarser
// resolutions.
bool RingFile::MinuteEnds() const {
  const int64_t minute = kTierNs[kTiers - 1];
  return newest_wall_ns_ / minute != WrapAdd(newest_wall_ns_, interval_ns_) / minute;
}

absl::StatusOr<std::vector<JournalEntry>> RingFile::ReadJournal() {
  std::vector<JournalEntry> entries;
  absl::StatusOr<bool> row;
  while ((row = select_journal_.Step()).ok() && *row) {
    entries.push_back(
        {static_cast<uint64_t>(select_journal_.Int(0)), select_journal_.Int(1), std::string(select_journal_.Blob(2))});
    boot_ = select_journal_.Int(3);
  }
  select_journal_.Reset();
  if (!row.ok()) return row.status();
  return entries;
}

absl::Status RingFile::CloseChunk() {
  absl::StatusOr<std::vector<JournalEntry>> journal = ReadJournal();
  if (!journal.ok()) return journal.status();
  if (!journal->empty()) {
    absl::Status status = chunks_->CloseJournal(*journal, boot_);
    if (!status.ok()) return status;
  }
  begin_chunk_ = true;
  closed_ticks_ = std::exchange(open_ticks_, 0);
  open_bytes_ = 0;
  close_at_ = 0;
  return absl::OkStatus();
}

// Housekeeping that no tick depends on; what fails is tried again after the next chunk.
absl::Status RingFile::Tidy() {
  absl::StatusOr<bool> joined = chunks_->JoinFragments();
  if (absl::IsDataLoss(joined.status())) return joined.status();
  absl::Status status = RetireNames();
  if (absl::IsDataLoss(status)) return status;
  (void)retention_->Checkpoint(false);
  return absl::OkStatus();
}

// Names that nothing had in the chunk just closed are taken for new ones when they come back: names that are in use are
// never dropped, so that they may not become many.
absl::Status RingFile::RetireNames() {
  std::unordered_set<int64_t> in_use;
  for (const Entry& entry : entries_) in_use.insert(entry.ids.info);
  absl::StatusOr<Transaction> transaction = Transaction::Begin(&db_, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  absl::Status status = tasks_->RetireNames(std::move(in_use), last_seq_, closed_ticks_);
  if (status.ok()) status = retention_->Commit(&*transaction);
  if (!status.ok()) ForgetState();
  return status;
}

absl::Status RingFile::AddPast(const std::vector<PastTick>& ticks) {
  absl::Status status = CheckPast(ticks);
  if (!status.ok() || ticks.empty()) return status;
  size_t rows = 0;
  for (const PastTick& tick : ticks) rows += tick.tasks.size();
  status = retention_->MakeRoom(kTickBytes + rows * kPastRowBytes);
  if (!status.ok()) return status;
  absl::StatusOr<int64_t> oldest = db_.QueryInt(
      "SELECT min(coalesce((SELECT min(first_seq) FROM chunk WHERE tier = 0), 9e18),"
      " coalesce((SELECT min(seq) FROM journal), 9e18))");
  if (!oldest.ok()) return oldest.status();
  std::vector<PastTick> stored;
  std::copy_if(ticks.begin(), ticks.end(), std::back_inserter(stored),
               [&](const PastTick& tick) { return tick.seq >= static_cast<uint64_t>(*oldest); });
  if (stored.empty()) return absl::OkStatus();
  absl::StatusOr<Transaction> transaction = Transaction::Begin(&db_, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  status = WritePast(stored);
  if (status.ok()) status = tasks_->EndTick();
  if (status.ok()) status = retention_->Commit(&*transaction);
  if (!status.ok()) ForgetState();
  return status;
}

absl::Status RingFile::WritePast(const std::vector<PastTick>& ticks) {
  absl::StatusOr<EncodedChunk> chunk = EncodePast(ticks, tasks_.get(), context_);
  return chunk.ok() ? chunks_->AddPast(*chunk, boot_) : chunk.status();
}

absl::Status RingFile::CheckPast(const std::vector<PastTick>& ticks) const {
  if (ticks.size() > RingWriter::kMaxPastTicks) {
    return absl::InvalidArgumentError(
        fmt::format("{} ticks to supplement; at most {} at once", ticks.size(), RingWriter::kMaxPastTicks));
  }
  uint64_t before = 0;
  for (const PastTick& tick : ticks) {
    if (tick.seq <= before || tick.seq > last_seq_) {
      return absl::InvalidArgumentError(
          fmt::format("tick {} cannot be supplemented: it does not follow tick {}, or is "
                      "newer than tick {}",
                      tick.seq, before, last_seq_));
    }
    before = tick.seq;
  }
  if (boot_id_.empty() && !ticks.empty()) {
    return absl::FailedPreconditionError("no tick of this boot is stored that could be supplemented");
  }
  return absl::OkStatus();
}

absl::Status RingFile::Close() {
  absl::Status status = CloseChunk();
  return status.ok() ? retention_->Checkpoint(true) : status;
}

RingStats RingFile::stats() const {
  RingStats stats;
  stats.bytes = retention_->FileBytes();
  stats.used_bytes = retention_->UsedBytes();
  stats.oldest_wall_ns = oldest_wall_ns_;
  stats.newest_wall_ns = newest_wall_ns_;
  stats.chunks_dropped = retention_->chunks_dropped();
  return stats;
}

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
#include "storage/ring_reader.h"

#include <unistd.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "storage/chunk_loader.h"
#include "storage/event_reader.h"
#include "storage/gap_watch.h"
#include "storage/info_cache.h"
#include "storage/journal.h"
#include "storage/life_reader.h"
#include "storage/schema.h"
#include "storage/snapshot_assembler.h"
#include "storage/supplement.h"
#include "storage/time_text.h"

namespace taskmon::storage {
namespace {

constexpr int64_t kSecond = 1000000000;
constexpr int64_t kLongestInterval = 3600 * kSecond;  // between ticks
constexpr uint64_t kNoSeq = UINT64_MAX >> 1;

// A chunk, open or closed, read into memory; it needs the database no more but for names.
struct Loaded {
  std::unique_ptr<TickSource> source;  // null: there is none
  ClosedChunk* closed = nullptr;       // the source, if it is one
  std::unique_ptr<Supplement> past;    // null: nothing supplements it
  std::string boot_id;
  bool folded = false;    // of a coarser resolution
  uint64_t last_seq = 0;  // of it, or as far as it is to be read
};

class RingReaderImpl : public RingReader {
 public:
  explicit RingReaderImpl(std::unique_ptr<Database> db)
      : db_(std::move(db)), infos_(db_.get()), events_(db_.get(), &infos_), lives_(db_.get(), &infos_) {}
  absl::Status Init(const std::vector<ColumnSpec>& columns);

  absl::StatusOr<std::optional<Receiver>> MadeFor() override { return LoadReceiver(db_.get()); }
  absl::StatusOr<std::vector<Life>> Lives(int32_t tid) override { return lives_.Of(tid); }
  absl::StatusOr<std::optional<Life>> Parent(const Life& child) override { return lives_.Parent(child); }
  absl::StatusOr<Children> ChildrenOf(const Life& parent, size_t limit) override {
    return lives_.ChildrenOf(parent, limit);
  }
  absl::StatusOr<std::optional<TimeRange>> Range() override;
  absl::StatusOr<std::optional<StoredEnd>> End() override;
  absl::StatusOr<std::shared_ptr<const Snapshot>> At(int64_t wall_ns) override;
  absl::Status Scan(int64_t begin_wall_ns, int64_t end_wall_ns, const ScanFilter& filter,
                    const TickSink& sink) override;
  absl::Status ScanEvents(int64_t begin_wall_ns, int64_t end_wall_ns, const EventFilter& filter,
                          const EventSink& sink) override {
    return events_.Scan(begin_wall_ns, end_wall_ns, filter, sink);
  }

 private:
  using Ids = std::unordered_set<int64_t>;
  struct ScanState {
    int64_t begin_wall_ns, end_wall_ns;
    const ScanFilter& filter;
    std::optional<Ids> tasks;  // unset: all
    uint64_t after_seq = 0;
    uint64_t last_seq = 0;  // newest tick when the scan began: what comes later is left out
    GapWatch gaps;
  };

  absl::StatusOr<Loaded> LoadNext(const ScanState& state);
  absl::StatusOr<std::optional<ChunkRef>> Choose(const ScanState& state, uint64_t* to_seq);
  absl::StatusOr<Loaded> LoadChunk(const ChunkRef& ref, const ScanFilter& filter, const std::optional<Ids>& tasks);
  absl::StatusOr<Loaded> LoadJournal(uint64_t to_seq, const ScanFilter& filter, const std::optional<Ids>& tasks);
  absl::Status AddPast(uint64_t first_seq, const ScanFilter& filter, const std::optional<Ids>& tasks, Loaded* loaded);
  absl::StatusOr<std::optional<Ids>> WantedTasks(const ScanFilter& filter);
  absl::StatusOr<bool> Deliver(Loaded loaded, ScanState* state, const TickSink& sink);
  SnapshotAssembler::FindInfo Names() {
    return [this](int64_t task, int64_t names) { return infos_.Find(task, names); };
  }
  absl::StatusOr<std::shared_ptr<const Snapshot>> AtIn(int tier, int64_t wall_ns);
  absl::StatusOr<Loaded> LoadAt(int tier, int64_t wall_ns, size_t* tick);
  absl::StatusOr<bool> JournalReaches(int64_t wall_ns);
  absl::Status NothingAt(int64_t wall_ns, TimeRange around);
  absl::Status OutsideRange(int64_t wall_ns);

  // Statements and caches point at it, so it stays where it is.
  const std::unique_ptr<Database> db_;
  CounterSet counters_;
  InfoCache infos_;
  EventReader events_;
  LifeReader lives_;
  std::unique_ptr<ChunkLoader> chunks_;
  Statement journal_to_, journal_seq_at_, tasks_of_, range_, around_;
};

absl::Status RingReaderImpl::Init(const std::vector<ColumnSpec>& columns) {
  absl::Status status = CheckSchema(db_.get());
  // What is not a database at all is, to a reader, simply not a history file.
  if (absl::IsDataLoss(status)) return absl::FailedPreconditionError(std::string(status.message()));
  if (!status.ok()) return status;
  absl::StatusOr<CounterSet> counters = LoadCounters(db_.get());
  if (!counters.ok()) return counters.status();
  counters_ = *counters;
  for (const ColumnSpec& column : columns) {
    if (column.kind == ColumnKind::kCounter && !column.stored) counters_.set(column.id);
  }
  absl::StatusOr<int64_t> version = db_->QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  // Chunks that only supplement others have no times. Format 1 had none of them.
  const std::string ticks = *version >= 2 ? fmt::format("chunk WHERE tier < {}", kPastTier) : "chunk WHERE 1";
  const std::pair<Statement*, std::string> all[] = {
      {&journal_to_, "SELECT seq, wall_ns, data, boot FROM journal WHERE seq <= ? ORDER BY seq"},
      {&journal_seq_at_, "SELECT max(seq) FROM journal WHERE wall_ns <= ?"},
      {&tasks_of_, "SELECT id FROM task WHERE tid = ?"},
      {&range_,
       fmt::format("SELECT min(a), max(b), max(s) FROM (SELECT min(min_wall_ns) a, max(max_wall_ns) b, max(last_seq) s"
                   " FROM {} UNION ALL SELECT min(wall_ns), max(wall_ns), max(seq) FROM journal)",
                   ticks)},
      {&around_,
       fmt::format("SELECT max(w) FILTER (WHERE w <= ?1), min(w) FILTER (WHERE w > ?1) FROM (SELECT min_wall_ns"
                   " w FROM {0} UNION ALL SELECT max_wall_ns FROM {0} UNION ALL SELECT wall_ns FROM journal)",
                   ticks)},
  };
  if (absl::Status status = db_->PrepareAll(all); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<ChunkLoader>> chunks = ChunkLoader::Open(db_.get(), counters_);
  if (!chunks.ok()) return chunks.status();
  chunks_ = *std::move(chunks);
  status = infos_.Prepare();
  if (status.ok()) status = events_.Prepare();
  return status.ok() ? lives_.Prepare() : status;
}

absl::StatusOr<std::optional<TimeRange>> RingReaderImpl::Range() {
  ResetAtEnd reset(&range_);
  absl::StatusOr<bool> row = range_.Step();
  if (!row.ok()) return row.status();
  if (range_.IsNull(0)) return std::optional<TimeRange>();
  return std::optional<TimeRange>(TimeRange{range_.Int(0), range_.Int(1)});
}

absl::StatusOr<std::optional<StoredEnd>> RingReaderImpl::End() {
  absl::StatusOr<Transaction> transaction = Transaction::Begin(db_.get(), Transaction::Kind::kRead);
  if (!transaction.ok()) return transaction.status();
  ResetAtEnd reset(&range_);
  absl::StatusOr<bool> row = range_.Step();
  if (!row.ok()) return row.status();
  if (range_.IsNull(2)) return std::optional<StoredEnd>();
  absl::StatusOr<uint64_t> event_id = events_.NewestId();
  if (!event_id.ok()) return event_id.status();
  return std::optional<StoredEnd>(StoredEnd{static_cast<uint64_t>(range_.Int(2)), *event_id});
}

absl::StatusOr<std::optional<RingReaderImpl::Ids>> RingReaderImpl::WantedTasks(const ScanFilter& filter) {
  if (filter.tid == 0) return std::optional<Ids>();
  Ids ids;
  ResetAtEnd reset(&tasks_of_);
  tasks_of_.Bind(filter.tid);
  absl::StatusOr<bool> row;
  while ((row = tasks_of_.Step()).ok() && *row) ids.insert(tasks_of_.Int(0));
  if (!row.ok()) return row.status();
  return std::optional<Ids>(std::move(ids));
}

ClosedChunk::Wanted WantedIn(const std::optional<std::unordered_set<int64_t>>& tasks) {
  if (!tasks.has_value()) return nullptr;
  return [&tasks](int64_t task) { return tasks->contains(task); };
}

// Names are read here, since the chunk may be dropped afterwards.
absl::StatusOr<Loaded> RingReaderImpl::LoadChunk(const ChunkRef& ref, const ScanFilter& filter,
                                                 const std::optional<Ids>& tasks) {
  absl::StatusOr<std::string> boot = infos_.BootId(ref.boot);
  if (!boot.ok()) return boot.status();
  absl::StatusOr<ClosedChunk> chunk = chunks_->Load(ref, filter.metrics, WantedIn(tasks));
  if (!chunk.ok()) return chunk.status();
  for (const auto& [task, names] : chunk->InfoIds()) {
    absl::Status status = infos_.Find(task, names).status();
    if (!status.ok()) return status;
  }
  Loaded loaded;
  auto closed = std::make_unique<ClosedChunk>(*std::move(chunk));
  loaded.closed = closed.get();
  loaded.source = std::move(closed);
  loaded.boot_id = *std::move(boot);
  loaded.last_seq = ref.last_seq;
  loaded.folded = ref.tier > 0;
  absl::Status status = ref.tier == 0 ? AddPast(ref.first_seq, filter, tasks, &loaded) : absl::OkStatus();
  if (!status.ok()) return status;
  return loaded;
}

absl::StatusOr<Loaded> RingReaderImpl::LoadJournal(uint64_t to_seq, const ScanFilter& filter,
                                                   const std::optional<Ids>& tasks) {
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
  absl::StatusOr<std::string> boot_id = infos_.BootId(boot);
  if (!boot_id.ok()) return boot_id.status();
  JournalReplay::Wanted wanted;
  if (tasks.has_value()) wanted = [ids = *tasks](int64_t task) { return ids.contains(task); };
  absl::StatusOr<JournalReplay> replay = JournalReplay::Open(entries, counters_, wanted);
  if (!replay.ok()) return replay.status();
  Loaded loaded;
  loaded.source = std::make_unique<JournalReplay>(*std::move(replay));
  loaded.boot_id = *std::move(boot_id);
  loaded.last_seq = entries.back().seq;
  absl::Status status = AddPast(entries.front().seq, filter, tasks, &loaded);
  if (!status.ok()) return status;
  return loaded;
}

absl::Status RingReaderImpl::AddPast(uint64_t first_seq, const ScanFilter& filter, const std::optional<Ids>& tasks,
                                     Loaded* loaded) {
  absl::StatusOr<std::vector<ChunkRef>> refs = chunks_->Supplements(first_seq, loaded->last_seq);
  if (!refs.ok()) return refs.status();
  if (refs->empty()) return absl::OkStatus();
  loaded->past = std::make_unique<Supplement>(filter, loaded->boot_id, Names());
  for (const ChunkRef& ref : *refs) {
    absl::StatusOr<ClosedChunk> chunk = chunks_->Load(ref, filter.metrics, WantedIn(tasks));
    if (!chunk.ok()) return chunk.status();
    for (const auto& [task, names] : chunk->InfoIds()) {
      absl::Status status = infos_.Find(task, names).status();
      if (!status.ok()) return status;
    }
    if (chunk->row_count() > 0) loaded->past->Add(*std::move(chunk));
  }
  return absl::OkStatus();
}

int PreferredTier(int64_t step_ns) {
  int tier = kTiers - 1;
  while (tier > 0 && (step_ns < kTierNs[tier] || step_ns % kTierNs[tier] != 0)) --tier;
  return tier;
}

// The chunk to go on with: the one that begins soonest; of those that begin with the same tick the one of the
// resolution asked for, else the next finer, else the next coarser. `to_seq`: where a better one takes over.
absl::StatusOr<std::optional<ChunkRef>> RingReaderImpl::Choose(const ScanState& state, uint64_t* to_seq) {
  const int preferred = PreferredTier(state.filter.step_ns);
  std::optional<ChunkRef> best;
  uint64_t best_start = kNoSeq;
  *to_seq = kNoSeq;
  const auto consider = [&](int tier) {
    absl::StatusOr<std::optional<ChunkRef>> ref =
        chunks_->Next(tier, state.after_seq, state.begin_wall_ns, state.end_wall_ns);
    if (!ref.ok() || !ref->has_value()) return ref.status();
    const uint64_t start = std::max((*ref)->first_seq, state.after_seq + 1);
    if (best.has_value() && start >= best_start) return absl::OkStatus();
    if (best.has_value()) *to_seq = std::min(*to_seq, best_start - 1);
    best = *ref;
    best_start = start;
    return absl::OkStatus();
  };
  for (int tier = preferred; tier >= 0; --tier) {
    absl::Status status = consider(tier);
    if (!status.ok()) return status;
  }
  for (int tier = preferred + 1; tier < kTiers; ++tier) {
    absl::Status status = consider(tier);
    if (!status.ok()) return status;
  }
  return best;
}

// One transaction, so that the hand-over from the open chunk to a closed one falls before or after it.
absl::StatusOr<Loaded> RingReaderImpl::LoadNext(const ScanState& state) {
  infos_.Trim();
  absl::StatusOr<Transaction> transaction = Transaction::Begin(db_.get(), Transaction::Kind::kRead);
  if (!transaction.ok()) return transaction.status();
  uint64_t to_seq = 0;
  absl::StatusOr<std::optional<ChunkRef>> ref = Choose(state, &to_seq);
  if (!ref.ok()) return ref.status();
  if (ref->has_value()) {
    absl::StatusOr<Loaded> loaded = LoadChunk(**ref, state.filter, state.tasks);
    if (loaded.ok()) loaded->last_seq = std::min(loaded->last_seq, to_seq);
    return loaded;
  }
  absl::StatusOr<Loaded> loaded = LoadJournal(state.last_seq, state.filter, state.tasks);
  if (loaded.ok() && loaded->last_seq <= state.after_seq) return Loaded{};
  return loaded;
}

absl::StatusOr<bool> RingReaderImpl::Deliver(Loaded loaded, ScanState* state, const TickSink& sink) {
  SnapshotAssembler assembler(loaded.source.get(), state->filter, loaded.boot_id, Names());
  const uint64_t to_seq = std::min(loaded.last_seq, state->last_seq);
  const std::vector<TickHeader>& ticks = loaded.source->ticks();
  const auto wanted = [&](const Tick& tick) {
    return tick.seq > state->after_seq && tick.seq <= to_seq && tick.wall_ns >= state->begin_wall_ns &&
           tick.wall_ns <= state->end_wall_ns;
  };
  size_t first = 0;
  while (first < ticks.size() && !wanted(ticks[first].tick)) ++first;
  if (first == ticks.size()) return true;
  absl::Status status = loaded.closed != nullptr ? assembler.SkipTo(first, loaded.closed) : absl::OkStatus();
  while (status.ok() && assembler.next_tick() < ticks.size()) {
    const Tick& tick = ticks[assembler.next_tick()].tick;
    status = assembler.Step();
    if (!status.ok() || !wanted(tick)) continue;
    absl::StatusOr<Snapshot> snapshot = assembler.Build();
    if (!snapshot.ok()) return snapshot.status();
    if (loaded.past != nullptr) status = loaded.past->Merge(&*snapshot);
    if (!status.ok()) break;
    if (state->filter.on_gap) state->gaps.Pass(tick, loaded.boot_id, loaded.folded, state->filter.on_gap);
    if (!sink(*snapshot)) return false;
  }
  if (!status.ok()) return status;
  return true;
}

absl::Status RingReaderImpl::Scan(int64_t begin_wall_ns, int64_t end_wall_ns, const ScanFilter& filter,
                                  const TickSink& sink) {
  ScanState state{begin_wall_ns, end_wall_ns, filter, std::nullopt, filter.after_seq, 0, {}};
  {
    ResetAtEnd reset(&range_);
    absl::StatusOr<bool> row = range_.Step();
    if (!row.ok()) return row.status();
    state.last_seq = static_cast<uint64_t>(range_.Int(2));
  }
  // Now, so that all tasks of the ticks up to there are known.
  absl::StatusOr<std::optional<Ids>> tasks = WantedTasks(filter);
  if (!tasks.ok()) return tasks.status();
  state.tasks = *std::move(tasks);
  while (state.after_seq < state.last_seq) {
    absl::StatusOr<Loaded> loaded = LoadNext(state);
    if (!loaded.ok()) return loaded.status();
    if (loaded->source == nullptr) break;
    const uint64_t last_seq = loaded->last_seq;
    if (last_seq <= state.after_seq) return Damaged("tick numbers of a chunk");
    absl::StatusOr<bool> more = Deliver(*std::move(loaded), &state, sink);
    if (!more.ok()) return more.status();
    if (!*more) break;
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

// `around`: what is known so far of the ticks next to the time, on either side.
absl::Status RingReaderImpl::NothingAt(int64_t wall_ns, TimeRange around) {
  ResetAtEnd reset(&around_);
  absl::StatusOr<bool> row = around_.Bind(wall_ns).Step();
  if (!row.ok()) return row.status();
  if (!around_.IsNull(0)) around.begin_wall_ns = std::max(around.begin_wall_ns, around_.Int(0));
  if (!around_.IsNull(1)) around.end_wall_ns = std::min(around.end_wall_ns, around_.Int(1));
  if (around.begin_wall_ns == INT64_MIN || around.end_wall_ns == INT64_MAX) return OutsideRange(wall_ns);
  return absl::OutOfRangeError(fmt::format("{} is in a gap: nothing was recorded from {} to {}", TimeText(wall_ns),
                                           TimeText(around.begin_wall_ns), TimeText(around.end_wall_ns)));
}

// How long a tick stands for the time behind it.
int64_t Lasts(const std::vector<TickHeader>& ticks, size_t tick) {
  uint64_t interval = ticks[tick].tick.elapsed_ns;
  if (interval == 0 && tick + 1 < ticks.size()) interval = ticks[tick + 1].tick.elapsed_ns;
  return std::max<int64_t>(3 * static_cast<int64_t>(std::min<uint64_t>(interval, kLongestInterval)), 5 * kSecond);
}

// The newest tick, by number, whose time is not after `wall_ns`; unset: it is too long ago. Widens what is known of the
// ticks around.
std::optional<size_t> TickAt(const std::vector<TickHeader>& ticks, int64_t wall_ns, TimeRange* around) {
  std::optional<size_t> newest;
  for (size_t i = 0; i < ticks.size(); ++i) {
    const int64_t wall = ticks[i].tick.wall_ns;
    if (wall > wall_ns) {
      around->end_wall_ns = std::min(around->end_wall_ns, wall);
    } else {
      around->begin_wall_ns = std::max(around->begin_wall_ns, wall);
      newest = i;
    }
  }
  if (newest && WrapSub(wall_ns, ticks[*newest].tick.wall_ns) > Lasts(ticks, *newest)) newest.reset();
  return newest;
}

absl::StatusOr<bool> RingReaderImpl::JournalReaches(int64_t wall_ns) {
  ResetAtEnd reset(&journal_seq_at_);
  absl::StatusOr<bool> row = journal_seq_at_.Bind(wall_ns).Step();
  if (!row.ok()) return row.status();
  return !journal_seq_at_.IsNull(0);
}

// After a step back of the clock there are several accounts of a time. The latest one that has a tick for it wins.
absl::StatusOr<Loaded> RingReaderImpl::LoadAt(int tier, int64_t wall_ns, size_t* tick) {
  const ScanFilter everything;
  TimeRange around{INT64_MIN, INT64_MAX};
  absl::StatusOr<bool> in_journal = tier == 0 ? JournalReaches(wall_ns) : false;
  if (!in_journal.ok()) return in_journal.status();
  if (*in_journal) {
    absl::StatusOr<Loaded> loaded = LoadJournal(kNoSeq, everything, std::nullopt);
    if (!loaded.ok()) return loaded;
    const std::optional<size_t> found = TickAt(loaded->source->ticks(), wall_ns, &around);
    *tick = found.value_or(0);
    if (found) return loaded;
  }
  absl::StatusOr<std::vector<ChunkRef>> refs = chunks_->Around(tier, WrapSub(wall_ns, 3 * kLongestInterval), wall_ns);
  if (!refs.ok()) return refs.status();
  for (const ChunkRef& ref : *refs) {
    absl::StatusOr<std::vector<TickHeader>> ticks = chunks_->Ticks(ref);
    if (!ticks.ok()) return ticks.status();
    const std::optional<size_t> found = TickAt(*ticks, wall_ns, &around);
    *tick = found.value_or(0);
    if (found) return LoadChunk(ref, everything, std::nullopt);
  }
  return NothingAt(wall_ns, around);
}

absl::StatusOr<std::shared_ptr<const Snapshot>> RingReaderImpl::AtIn(int tier, int64_t wall_ns) {
  size_t tick = 0;
  absl::StatusOr<Loaded> loaded = LoadAt(tier, wall_ns, &tick);
  if (!loaded.ok()) return loaded.status();
  const ScanFilter everything;
  SnapshotAssembler assembler(loaded->source.get(), everything, loaded->boot_id, Names());
  absl::Status status;
  if (loaded->closed != nullptr) status = assembler.SkipTo(tick, loaded->closed);
  while (status.ok() && assembler.next_tick() <= tick) status = assembler.Step();
  if (!status.ok()) return status;
  absl::StatusOr<Snapshot> snapshot = assembler.Build();
  if (!snapshot.ok()) return snapshot.status();
  if (loaded->past != nullptr) status = loaded->past->Merge(&*snapshot);
  if (!status.ok()) return status;
  return std::make_shared<const Snapshot>(*std::move(snapshot));
}

absl::StatusOr<std::shared_ptr<const Snapshot>> RingReaderImpl::At(int64_t wall_ns) {
  infos_.Trim();
  absl::StatusOr<Transaction> transaction = Transaction::Begin(db_.get(), Transaction::Kind::kRead);
  if (!transaction.ok()) return transaction.status();
  absl::StatusOr<std::shared_ptr<const Snapshot>> finest = AtIn(0, wall_ns);
  for (int tier = 1; tier < kTiers && absl::IsOutOfRange(finest.status()); ++tier) {
    absl::StatusOr<std::shared_ptr<const Snapshot>> coarser = AtIn(tier, wall_ns);
    if (!absl::IsOutOfRange(coarser.status())) return coarser;
  }
  return finest;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RingReader>> RingReader::Open(const std::string& path, std::vector<ColumnSpec> columns) {
  if (access(path.c_str(), F_OK) != 0) return absl::NotFoundError(fmt::format("{}: no such file", path));
  absl::StatusOr<Database> db = Database::Open(path, Database::Mode::kReadOnly);
  if (!db.ok()) return db.status();
  auto reader = std::make_unique<RingReaderImpl>(std::make_unique<Database>(*std::move(db)));
  absl::Status status = reader->Init(columns);
  const bool no_wal = access((path + "-wal").c_str(), F_OK) != 0;
  if ((absl::IsNotFound(status) || absl::IsPermissionDenied(status)) && no_wal) {
    // A file at rest in a directory where SQLite may not make its companions.
    db = Database::OpenImmutable(path);
    if (!db.ok()) return db.status();
    reader = std::make_unique<RingReaderImpl>(std::make_unique<Database>(*std::move(db)));
    status = reader->Init(columns);
  }
  if (!status.ok()) return status;
  return std::unique_ptr<RingReader>(std::move(reader));
}

}  // namespace taskmon::storage

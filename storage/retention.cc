// SPDX-License-Identifier: Apache-2.0
#include "storage/retention.h"

#include <sys/stat.h>

#include <algorithm>

#include <fmt/format.h>

#include "storage/codec.h"
#include "storage/schema.h"

namespace taskmon::storage {
namespace {

constexpr uint64_t kFrameBytes = kPageBytes + 24;
constexpr uint64_t kWalHeaderBytes = 32;
constexpr uint64_t kMinWalBytes = 256u << 10;
constexpr uint64_t kMaxWalBytes = 64u << 20;
// A checkpoint costs two syncs: often enough to keep the WAL small, seldom enough not to matter.
constexpr uint64_t kCheckpointBytes = 4u << 20;
// Rows deleted in one step, unless that is too much for the WAL.
constexpr int64_t kDeleteRows = 1024;
// To look for chunks past their limits takes some 0.2 ms.
constexpr int64_t kLookPauseNs = 10'000'000'000;
// How long a checkpoint waits for readers, whose transactions are short.
constexpr int kCheckpointWaitMs = 20;

uint64_t SharedMemoryBytes(uint64_t wal_bytes) {
  constexpr uint64_t kRegion = 32768;
  return kRegion * (1 + wal_bytes / kFrameBytes / 4062 + 1);
}

uint64_t FileSize(const std::string& path) {
  struct stat st {};
  return stat(path.c_str(), &st) == 0 ? static_cast<uint64_t>(st.st_size) : 0;
}

// What was seen goes with the last tick of any resolution, what columns of events alone tell of with theirs.
std::string IsOver(int64_t finest, int64_t any) {
  return fmt::format("(last_seq < {} OR (seen = 0 AND last_seq < {}))", any, finest);
}

}  // namespace

Retention::Retention(Database* db, const RingOptions& options)
    : db_(db), path_(options.path), max_age_ns_(options.max_age_ns), limits_(options.resolutions) {
  const uint64_t cap_bytes = std::max<uint64_t>(options.cap_bytes, 1u << 20);
  wal_limit_ = std::clamp(cap_bytes / 4, kMinWalBytes, kMaxWalBytes);
  database_limit_ = (cap_bytes - wal_limit_ - SharedMemoryBytes(wal_limit_)) / kPageBytes * kPageBytes;
}

int Retention::OnCommit(void* self, sqlite3*, const char*, int wal_frames) {
  static_cast<Retention*>(self)->wal_bytes_ = kWalHeaderBytes + static_cast<uint64_t>(wal_frames) * kFrameBytes;
  return SQLITE_OK;
}

absl::Status Retention::Open() {
  sqlite3_wal_hook(db_->handle(), &Retention::OnCommit, this);
  // What a crash left in the WAL is counted as in use until a checkpoint has emptied it.
  wal_bytes_ = FileSize(path_ + "-wal");
  // A small cache keeps the bound that Commit works with close to the truth.
  const uint64_t cache_kib = std::clamp<uint64_t>(wal_limit_ / 8 >> 10, 64, 2048);
  absl::StatusOr<Statement> pages = db_->Prepare("PRAGMA page_count");
  absl::StatusOr<Statement> free = db_->Prepare("PRAGMA freelist_count");
  if (!pages.ok()) return pages.status();
  if (!free.ok()) return free.status();
  page_count_ = *std::move(pages);
  free_count_ = *std::move(free);
  absl::Status status = db_->Exec(fmt::format("PRAGMA cache_size=-{}", cache_kib).c_str());
  if (status.ok()) status = Checkpoint(true);
  if (status.ok()) status = Shrink();
  if (!status.ok()) return status;
  return db_->Exec(fmt::format("PRAGMA max_page_count={}", database_limit_ / kPageBytes).c_str());
}

// Only after the cap was lowered. Step by step, since each step passes through the WAL.
absl::Status Retention::Shrink() {
  const uint64_t step_pages = std::max<uint64_t>(wal_limit_ / kFrameBytes / 4, 16);
  while (FileSize(path_) > database_limit_) {
    if (UsedBytes() > database_limit_ - database_limit_ / 16) {
      absl::Status status = DropOldest();
      if (absl::IsNotFound(status)) return absl::OkStatus();
      if (!status.ok()) return status;
    }
    const uint64_t before = FileSize(path_);
    absl::Status status = db_->Exec(fmt::format("PRAGMA incremental_vacuum({})", step_pages).c_str());
    if (status.ok()) status = Checkpoint(true);
    if (!status.ok()) return status;
    if (FileSize(path_) >= before && UsedBytes() <= database_limit_ - database_limit_ / 16) break;
  }
  return absl::OkStatus();
}

uint64_t Retention::UsedBytes() const {
  const auto read = [](Statement* pragma) {
    // A failing pragma means that the next real statement fails and says so.
    const int64_t pages = pragma->Step().value_or(false) ? pragma->Int(0) : 0;
    pragma->Reset();
    return pages;
  };
  return static_cast<uint64_t>(read(&page_count_) - read(&free_count_)) * kPageBytes;
}

uint64_t Retention::FileBytes() const { return FileSize(path_) + FileSize(path_ + "-wal") + FileSize(path_ + "-shm"); }

bool Retention::AtCap(uint64_t bytes_wanted) const {
  return UsedBytes() + bytes_wanted > database_limit_ || wal_bytes_ + bytes_wanted > wal_limit_;
}

absl::Status Retention::MakeRoom(uint64_t bytes) {
  while (UsedBytes() + bytes > database_limit_) {
    // Dropping passes through the WAL too.
    absl::Status status = Checkpoint(wal_bytes_ > wal_limit_ / 2);
    if (status.ok()) status = DropOldest();
    if (absl::IsNotFound(status)) break;
    if (!status.ok()) return status;
  }
  return Checkpoint(wal_bytes_ + std::max(bytes, usual_commit_bytes_) > wal_limit_);
}

absl::StatusOr<int64_t> Retention::PastLimits(int64_t now_wall_ns) {
  for (size_t tier = 0; tier < kResolutions; ++tier) {
    const ResolutionLimits& limits = limits_[tier];
    const int64_t age = limits.max_age_ns == 0 ? max_age_ns_ : std::min(limits.max_age_ns, max_age_ns_);
    // While the clock was ahead for a moment a chunk got a time that does not come; it is as old as the one behind it.
    const std::string oldest = fmt::format(
        "SELECT id FROM chunk WHERE id = (SELECT id FROM chunk WHERE tier = {0} ORDER BY last_seq LIMIT 1) AND (SELECT"
        " max_wall_ns FROM chunk WHERE tier = {0} AND max_wall_ns <= {1} ORDER BY last_seq LIMIT 1) < {2}",
        tier, now_wall_ns, WrapSub(now_wall_ns, age));
    absl::StatusOr<int64_t> id = db_->QueryInt(oldest);
    if (!id.ok() || *id != 0) return id;
    if (limits.max_bytes == 0) continue;
    absl::StatusOr<int64_t> bytes = db_->QueryInt(fmt::format("SELECT sum(bytes) FROM chunk WHERE tier = {}", tier));
    if (!bytes.ok()) return bytes;
    if (static_cast<uint64_t>(*bytes) <= limits.max_bytes) continue;
    return db_->QueryInt(fmt::format("SELECT id FROM chunk WHERE tier = {} ORDER BY last_seq LIMIT 1", tier));
  }
  return 0;
}

absl::Status Retention::DropAged(int64_t now_wall_ns, bool chunk_closed) {
  const int64_t since_look = WrapSub(now_wall_ns, looked_wall_ns_);
  if (!found_aged_ && !chunk_closed && since_look >= 0 && since_look < kLookPauseNs) return absl::OkStatus();
  found_aged_ = true;  // should looking fail
  absl::StatusOr<int64_t> id = PastLimits(now_wall_ns);
  if (!id.ok()) return id.status();
  looked_wall_ns_ = now_wall_ns;
  found_aged_ = *id != 0;
  return *id == 0 ? absl::OkStatus() : DropChunk(*id);
}

absl::StatusOr<int64_t> Retention::OldestToDrop() {
  absl::StatusOr<Statement> sums = db_->Prepare("SELECT tier, sum(bytes) FROM chunk WHERE tier < ? GROUP BY tier");
  if (!sums.ok()) return sums.status();
  sums->Bind(static_cast<int>(kResolutions));
  int64_t fullest = -1;
  uint64_t all = 0;
  double most = -1;
  absl::StatusOr<bool> row;
  while ((row = sums->Step()).ok() && *row) {
    const auto tier = static_cast<size_t>(sums->Int(0));
    const double load = static_cast<double>(sums->Int(1)) / std::max<uint32_t>(1, limits_[tier].share);
    if (load > most) most = load, fullest = sums->Int(0);
    all += static_cast<uint64_t>(sums->Int(1));
  }
  if (!row.ok()) return row.status();
  if (fullest < 0) return absl::NotFoundError("no chunk to drop");
  // Names and events can be more than the chunks. They go only when nothing older is left that they belong to.
  if (UsedBytes() / 2 > all) {
    return db_->QueryInt(
        fmt::format("SELECT id FROM chunk WHERE tier < {} ORDER BY first_seq, tier LIMIT 1", kResolutions));
  }
  return db_->QueryInt(fmt::format("SELECT id FROM chunk WHERE tier = {} ORDER BY last_seq LIMIT 1", fullest));
}

absl::Status Retention::DropOldest() {
  absl::StatusOr<int64_t> id = OldestToDrop();
  return id.ok() ? DropChunk(*id) : id.status();
}

// The chunk's own row goes first, so that no reader finds a part of it. What hangs on it goes in steps that fit the
// WAL; should a crash come between, the next drop takes the rest along, since all goes by what is left.
absl::Status Retention::DropChunk(int64_t id) {
  absl::StatusOr<Statement> chunk = db_->Prepare(
      "SELECT tier, last_seq, last_event, coalesce(last_task, 9223372036854775807) FROM chunk WHERE id = ?");
  if (!chunk.ok()) return chunk.status();
  absl::StatusOr<bool> found = chunk->Bind(id).Step();
  if (!found.ok()) return found.status();
  if (!*found) return absl::NotFoundError("no such chunk");
  const int64_t tier = chunk->Int(0), last_seq = chunk->Int(1), last_event = chunk->Int(2), last_task = chunk->Int(3);
  chunk->Reset();
  std::string condition = fmt::format("id = {}", id);
  if (tier == 0) condition += fmt::format(" OR (tier = {} AND last_seq <= {})", kPastTier, last_seq);
  absl::Status status = DeleteInSteps("chunk", "id", condition);
  if (!status.ok()) return status;
  ++chunks_dropped_;
  status = DeleteInSteps("part", "key", "key >> 16 NOT IN (SELECT id FROM chunk)");
  return status.ok() ? DropWhatIsOver(last_event, last_task) : status;
}

absl::Status Retention::DropWhatIsOver(int64_t last_event, int64_t last_task) {
  const auto oldest_of = [this](std::string_view tiers) {
    return db_->QueryInt(fmt::format(
        "SELECT min(coalesce((SELECT min(first_seq) FROM chunk WHERE tier {}), 9e18), coalesce((SELECT min(seq) FROM"
        " journal), 9e18))",
        tiers));
  };
  absl::StatusOr<int64_t> finest = oldest_of("= 0");
  absl::StatusOr<int64_t> any = oldest_of(fmt::format("< {}", kResolutions));
  if (!finest.ok()) return finest.status();
  if (!any.ok()) return any.status();
  absl::Status status = DeleteInSteps("event", "id", fmt::format("id <= {} AND seq < {}", last_event, *any));
  if (status.ok()) status = DeleteInSteps("event_block", "id", fmt::format("last_seq < {}", *finest));
  if (status.ok()) status = DeleteInSteps("event_data", "id", "id NOT IN (SELECT id FROM event_block)");
  if (!status.ok()) return status;
  // Blocks and supplements may reach back farther than the chunks do, and need the tasks and names they speak of.
  absl::StatusOr<int64_t> told = db_->QueryInt(fmt::format(
      "SELECT coalesce(min(first_seq), 9223372036854775807) FROM (SELECT first_seq FROM event_block UNION ALL"
      " SELECT first_seq FROM chunk WHERE tier = {})",
      kPastTier));
  if (!told.ok()) return told.status();
  const std::string over = IsOver(std::min(*finest, *told), std::min(*any, *told));
  status = DeleteInSteps("task", "id", fmt::format("id <= {} AND {}", last_task, over));
  for (const char* table : {"names", "text"}) {
    if (status.ok()) status = DeleteInSteps(table, "id", over);
  }
  return status;
}

absl::Status Retention::DeleteInSteps(const char* table, const char* key, const std::string& condition) {
  int64_t step = kDeleteRows;
  for (bool more = true; more;) {
    const std::string sql = fmt::format("DELETE FROM {0} WHERE {1} IN (SELECT {1} FROM {0} WHERE {2} LIMIT {3})", table,
                                        key, condition, step);
    absl::StatusOr<Transaction> transaction = Transaction::Begin(db_, Transaction::Kind::kWrite);
    if (!transaction.ok()) return transaction.status();
    absl::Status status = db_->Exec(sql.c_str());
    more = sqlite3_changes64(db_->handle()) == step;
    const bool log_empty = wal_bytes_ == 0;
    if (status.ok()) status = Commit(&*transaction);
    if (absl::IsResourceExhausted(status) && step > 1) {
      { Transaction rolled_back = *std::move(transaction); }
      if (log_empty) step /= 4;
      more = step > 0;
      status = Checkpoint(true);
    }
    if (!status.ok()) return status;
  }
  return Checkpoint(false);
}

absl::Status Retention::Commit(Transaction* transaction) {
  // Pages that were only read count too; the cache is kept small so that they are few.
  int cache_bytes = 0, high = 0;
  sqlite3_db_status(db_->handle(), SQLITE_DBSTATUS_CACHE_USED, &cache_bytes, &high, 0);
  const uint64_t most = static_cast<uint64_t>(cache_bytes) + kFrameBytes;
  usual_commit_bytes_ = std::max(most, usual_commit_bytes_ - usual_commit_bytes_ / 8);
  if (wal_bytes_ + most > wal_limit_) {
    return absl::ResourceExhaustedError(fmt::format(
        "the write-ahead log is at its limit of {} bytes (in use {}, wanted {})", wal_limit_, wal_bytes_, most));
  }
  return transaction->Commit();
}

absl::Status Retention::Checkpoint(bool force) {
  if (!force && wal_bytes_ < std::min(kCheckpointBytes, wal_limit_ / 4)) return absl::OkStatus();
  sqlite3_busy_timeout(db_->handle(), kCheckpointWaitMs);
  const int code = sqlite3_wal_checkpoint_v2(db_->handle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  sqlite3_busy_timeout(db_->handle(), 2000);
  if (code == SQLITE_OK) {
    wal_bytes_ = 0;
    return absl::OkStatus();
  }
  if ((code & 0xff) == SQLITE_BUSY) return absl::OkStatus();
  return db_->LastError("checkpoint");
}

}  // namespace taskmon::storage

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

}  // namespace

Retention::Retention(Database* db, std::string path, uint64_t cap_bytes, int64_t max_age_ns)
    : db_(db), path_(std::move(path)), max_age_ns_(max_age_ns) {
  cap_bytes = std::max<uint64_t>(cap_bytes, 1u << 20);
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

absl::Status Retention::DropAged(int64_t now_wall_ns) {
  absl::StatusOr<int64_t> newest = db_->QueryInt("SELECT max_wall_ns FROM chunk ORDER BY id LIMIT 1");
  if (!newest.ok()) return newest.status();
  if (*newest == 0 || *newest >= WrapSub(now_wall_ns, max_age_ns_)) return absl::OkStatus();
  return DropOldest();
}

// The chunk's own row goes first, so that no reader finds a part of it. What hangs on it goes in steps that fit the
// WAL; should a crash come between, the next drop takes the rest along, since all goes by "older than what is left".
absl::Status Retention::DropOldest() {
  absl::StatusOr<int64_t> id = db_->QueryInt("SELECT min(id) FROM chunk");
  if (!id.ok()) return id.status();
  if (*id == 0) return absl::NotFoundError("no chunk to drop");
  absl::StatusOr<int64_t> last_event = db_->QueryInt(fmt::format("SELECT last_event FROM chunk WHERE id = {}", *id));
  if (!last_event.ok()) return last_event.status();
  absl::Status status = DeleteInSteps("chunk", "id", fmt::format("id = {}", *id));
  if (!status.ok()) return status;
  ++chunks_dropped_;
  absl::StatusOr<int64_t> oldest =
      db_->QueryInt("SELECT coalesce((SELECT min(first_seq) FROM chunk), (SELECT min(seq) FROM journal), 0)");
  if (!oldest.ok()) return oldest.status();
  const std::string ended = fmt::format("last_seq < {}", *oldest);
  status = DeleteInSteps("part", "key", fmt::format("key < {}", PartKey(*id + 1, 0)));
  if (status.ok()) status = DeleteInSteps("event", "id", fmt::format("id <= {}", *last_event));
  if (status.ok()) status = DeleteInSteps("task_info", "id", "task IN (SELECT id FROM task WHERE " + ended + ")");
  if (status.ok()) status = DeleteInSteps("task", "id", ended);
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

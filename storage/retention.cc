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
// How long a checkpoint waits for readers, whose transactions are short.
constexpr int kCheckpointWaitMs = 50;

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
  wal_limit_ = std::clamp(cap_bytes / 8, kMinWalBytes, kMaxWalBytes);
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
  absl::Status status = Checkpoint(true);
  if (status.ok()) status = Shrink();
  if (!status.ok()) return status;
  // A small cache keeps the bound that Commit works with close to the truth.
  const uint64_t cache_kib = std::clamp<uint64_t>(wal_limit_ / 8 >> 10, 64, 2048);
  return db_->Exec(fmt::format("PRAGMA max_page_count={}; PRAGMA cache_size=-{};", database_limit_ / kPageBytes,
                               cache_kib)
                       .c_str());
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
  // A failing pragma means that the next real statement fails and says so.
  const int64_t pages = db_->QueryInt("PRAGMA page_count").value_or(0);
  const int64_t free = db_->QueryInt("PRAGMA freelist_count").value_or(0);
  return static_cast<uint64_t>(pages - free) * kPageBytes;
}

uint64_t Retention::FileBytes() const {
  return FileSize(path_) + FileSize(path_ + "-wal") + FileSize(path_ + "-shm");
}

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
  return wal_bytes_ + bytes > wal_limit_ ? Checkpoint(true) : Checkpoint(false);
}

absl::Status Retention::DropAged(int64_t now_wall_ns) {
  absl::StatusOr<int64_t> newest = db_->QueryInt("SELECT max_wall_ns FROM chunk ORDER BY id LIMIT 1");
  if (!newest.ok()) return newest.status();
  if (*newest == 0 || *newest >= WrapSub(now_wall_ns, max_age_ns_)) return absl::OkStatus();
  return DropOldest();
}

absl::Status Retention::DropOldest() {
  absl::StatusOr<Transaction> transaction = Transaction::Begin(db_, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  absl::StatusOr<int64_t> id = db_->QueryInt("SELECT min(id) FROM chunk");
  if (!id.ok()) return id.status();
  if (*id == 0) return absl::NotFoundError("no chunk to drop");
  const std::string sql = fmt::format(
      "DELETE FROM event WHERE id <= (SELECT last_event FROM chunk WHERE id = {0});"
      "DELETE FROM part WHERE key BETWEEN {1} AND {2};"
      "DELETE FROM chunk WHERE id = {0};",
      *id, PartKey(*id, 0), PartKey(*id, 0xffff));
  absl::Status status = db_->Exec(sql.c_str());
  if (!status.ok()) return status;
  absl::StatusOr<int64_t> oldest = db_->QueryInt(
      "SELECT coalesce((SELECT min(first_seq) FROM chunk), (SELECT min(seq) FROM journal), 0)");
  if (!oldest.ok()) return oldest.status();
  status = DropTasksBefore(*oldest);
  if (status.ok()) status = Commit(&*transaction);
  if (!status.ok()) return status;
  ++chunks_dropped_;
  return Checkpoint(false);
}

absl::Status Retention::DropTasksBefore(int64_t seq) {
  return db_->Exec(fmt::format("DELETE FROM task_info WHERE task IN (SELECT id FROM task WHERE last_seq < {0});"
                               "DELETE FROM task WHERE last_seq < {0};",
                               seq)
                       .c_str());
}

absl::Status Retention::Commit(Transaction* transaction) {
  // Pages that were only read count too; the cache is kept small so that they are few.
  int cache_bytes = 0, high = 0;
  sqlite3_db_status(db_->handle(), SQLITE_DBSTATUS_CACHE_USED, &cache_bytes, &high, 0);
  const uint64_t most = static_cast<uint64_t>(cache_bytes) + kFrameBytes;
  if (wal_bytes_ + most > wal_limit_) {
    return absl::ResourceExhaustedError(
        fmt::format("the write-ahead log is at its limit of {} bytes (in use {}, wanted {})", wal_limit_, wal_bytes_, most));
  }
  return transaction->Commit();
}

absl::Status Retention::Checkpoint(bool force) {
  if (!force && wal_bytes_ < std::min(kCheckpointBytes, wal_limit_ / 2)) return absl::OkStatus();
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

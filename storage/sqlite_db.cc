// SPDX-License-Identifier: Apache-2.0
#include "storage/sqlite_db.h"

#include <fmt/format.h>

namespace taskmon::storage {
namespace {

// Readers and the writer meet only for moments; a checkpoint of another program may take longer.
constexpr int kBusyTimeoutMs = 2000;

absl::StatusCode CodeOf(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOMEM: return absl::StatusCode::kResourceExhausted;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return absl::StatusCode::kDataLoss;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: return absl::StatusCode::kUnavailable;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY: return absl::StatusCode::kPermissionDenied;
    case SQLITE_CANTOPEN: return absl::StatusCode::kNotFound;
    default: return absl::StatusCode::kInternal;
  }
}

std::string PercentEncode(const std::string& path) {
  std::string out;
  for (char c : path) {
    if (c == '?' || c == '#' || c == '%') {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

absl::Status SqliteStatus(int code, std::string_view what) {
  if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW) return absl::OkStatus();
  return absl::Status(CodeOf(code), std::string(what));
}

Statement& Statement::Bind(int64_t v) {
  bind_error_ |= sqlite3_bind_int64(statement_.get(), ++bound_, v);
  return *this;
}

Statement& Statement::BindReal(double v) {
  bind_error_ |= sqlite3_bind_double(statement_.get(), ++bound_, v);
  return *this;
}

Statement& Statement::BindText(std::string_view v) {
  // A null pointer would bind NULL.
  const char* text = v.data() == nullptr ? "" : v.data();
  bind_error_ |= sqlite3_bind_text64(statement_.get(), ++bound_, text, v.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

Statement& Statement::BindBlob(std::string_view v) {
  const char* bytes = v.data() == nullptr ? "" : v.data();
  bind_error_ |= sqlite3_bind_blob64(statement_.get(), ++bound_, bytes, v.size(), SQLITE_STATIC);
  return *this;
}

Statement& Statement::BindNull() {
  bind_error_ |= sqlite3_bind_null(statement_.get(), ++bound_);
  return *this;
}

absl::StatusOr<bool> Statement::Step() {
  sqlite3* db = sqlite3_db_handle(statement_.get());
  if (bind_error_ != SQLITE_OK) return absl::InternalError(fmt::format("binding failed: {}", sqlite3_errmsg(db)));
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return SqliteStatus(code, fmt::format("{} ({})", sqlite3_errmsg(db), sqlite3_extended_errcode(db)));
}

absl::Status Statement::Run() {
  absl::Status status;
  for (bool row = true; row && status.ok();) {
    absl::StatusOr<bool> step = Step();
    status = step.status();
    row = step.ok() && *step;
  }
  Reset();
  return status;
}

void Statement::Reset() {
  sqlite3_reset(statement_.get());  // repeats the error of the last Step, which was reported then
  bound_ = 0;
  bind_error_ = SQLITE_OK;
}

std::string Statement::Text(int column) const { return std::string(Blob(column)); }

std::string_view Statement::Blob(int column) const {
  // The order matters: asking for the bytes first fixes the type that the size refers to.
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return {static_cast<const char*>(bytes), bytes == nullptr ? 0 : static_cast<size_t>(size)};
}

absl::StatusOr<Database> Database::Open(const std::string& path, Mode mode) {
  const int flags = SQLITE_OPEN_NOMUTEX |
                    (mode == Mode::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  Database db;
  db.db_.reset(raw);
  if (code != SQLITE_OK) return SqliteStatus(code, fmt::format("{}: {}", path, sqlite3_errstr(code)));
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, kBusyTimeoutMs);
  return db;
}

absl::StatusOr<Database> Database::OpenImmutable(const std::string& path) {
  const std::string uri = fmt::format("file:{}?immutable=1", PercentEncode(path));
  sqlite3* raw = nullptr;
  const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
  const int code = sqlite3_open_v2(uri.c_str(), &raw, flags, nullptr);
  Database db;
  db.db_.reset(raw);
  if (code != SQLITE_OK) return SqliteStatus(code, fmt::format("{}: {}", path, sqlite3_errstr(code)));
  return db;
}

absl::Status Database::LastError(std::string_view what) const {
  return SqliteStatus(sqlite3_extended_errcode(db_.get()), fmt::format("{}: {}", what, sqlite3_errmsg(db_.get())));
}

absl::Status Database::Exec(const char* sql) {
  const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
  return SqliteStatus(code, fmt::format("{} ({})", sqlite3_errmsg(db_.get()), code));
}

absl::StatusOr<Statement> Database::Prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int code =
      sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  Statement statement;
  statement.statement_.reset(raw);
  if (code != SQLITE_OK) return SqliteStatus(code, fmt::format("{} ({})", sqlite3_errmsg(db_.get()), code));
  return statement;
}

absl::StatusOr<int64_t> Database::QueryInt(std::string_view sql) {
  absl::StatusOr<Statement> statement = Prepare(sql);
  if (!statement.ok()) return statement.status();
  absl::StatusOr<bool> row = statement->Step();
  if (!row.ok()) return row.status();
  return *row ? statement->Int(0) : 0;
}

absl::Status BlobReader::Open(Database* db, int64_t rowid) {
  blob_.reset();
  sqlite3_blob* raw = nullptr;
  const int code = sqlite3_blob_open(db->handle(), "main", "part", "data", rowid, 0, &raw);
  blob_.reset(raw);
  // What is not there is damage: the chunk that names it is.
  if (code == SQLITE_ERROR) return absl::DataLossError(fmt::format("damaged history: part {} is missing", rowid));
  return SqliteStatus(code, fmt::format("part {}: {}", rowid, sqlite3_errmsg(db->handle())));
}

size_t BlobReader::size() const { return static_cast<size_t>(sqlite3_blob_bytes(blob_.get())); }

absl::StatusOr<std::string> BlobReader::Read(uint64_t offset, uint64_t size) const {
  if (offset > this->size() || size > this->size() - offset) return absl::DataLossError("damaged history: short part");
  std::string bytes(size, '\0');
  const int code = sqlite3_blob_read(blob_.get(), bytes.data(), static_cast<int>(size), static_cast<int>(offset));
  if (code != SQLITE_OK) return SqliteStatus(code, fmt::format("reading a part: {}", sqlite3_errstr(code)));
  return bytes;
}

absl::StatusOr<Transaction> Transaction::Begin(Database* db, Kind kind) {
  absl::Status status = db->Exec(kind == Kind::kRead ? "BEGIN" : "BEGIN IMMEDIATE");
  if (!status.ok()) return status;
  return Transaction(db);
}

Transaction::~Transaction() {
  // An error may have rolled back already, then there is nothing to do; and a failing ROLLBACK has no one to tell.
  if (db_ != nullptr && sqlite3_get_autocommit(db_->handle()) == 0) (void)db_->Exec("ROLLBACK");
}

absl::Status Transaction::Commit() {
  absl::Status status = db_->Exec("COMMIT");
  if (status.ok()) db_ = nullptr;
  return status;
}

}  // namespace taskmon::storage

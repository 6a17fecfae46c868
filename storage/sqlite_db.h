// SPDX-License-Identifier: Apache-2.0
//
// The thinnest possible RAII over SQLite: connection, statement, transaction. SQLite's result codes become absl::Status
// here and nowhere else:
//   FULL, IOERR, CANTOPEN of a temporary  ResourceExhausted     CORRUPT, NOTADB  DataLoss
//   BUSY, LOCKED                          Unavailable           READONLY, PERM   PermissionDenied
// A connection and its statements belong to one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <sqlite3.h>

namespace taskmon::storage {

// Binds in order, steps, reads columns. Text and blobs that are bound must live until the next Reset.
class Statement {
 public:
  Statement() = default;

  Statement& Bind(int64_t v);
  Statement& Bind(uint64_t v) { return Bind(static_cast<int64_t>(v)); }
  Statement& Bind(int v) { return Bind(static_cast<int64_t>(v)); }
  Statement& Bind(uint32_t v) { return Bind(static_cast<int64_t>(v)); }
  Statement& Bind(bool v) { return Bind(static_cast<int64_t>(v)); }
  Statement& BindReal(double v);
  Statement& BindText(std::string_view v);
  Statement& BindBlob(std::string_view v);
  Statement& BindNull();

  // True: a row is there. False: done.
  absl::StatusOr<bool> Step();
  // For statements that give no rows: steps to the end and resets.
  absl::Status Run();
  void Reset();

  int64_t Int(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  double Real(int column) const { return sqlite3_column_double(statement_.get(), column); }
  std::string Text(int column) const;
  std::string_view Blob(int column) const;  // valid until the next Step or Reset
  bool IsNull(int column) const { return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL; }

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* s) const { sqlite3_finalize(s); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bound_ = 0;
  int bind_error_ = SQLITE_OK;
};

// Leaves no statement open, so that no read transaction outlives the call.
class ResetAtEnd {
 public:
  explicit ResetAtEnd(Statement* statement) : statement_(statement) { statement_->Reset(); }
  ~ResetAtEnd() { statement_->Reset(); }
  ResetAtEnd(const ResetAtEnd&) = delete;
  ResetAtEnd& operator=(const ResetAtEnd&) = delete;

 private:
  Statement* statement_;
};

class Database {
 public:
  enum class Mode { kReadOnly, kReadWriteCreate };

  Database() = default;
  static absl::StatusOr<Database> Open(const std::string& path, Mode mode);
  // A file that nobody writes, in a directory where nothing may be created.
  static absl::StatusOr<Database> OpenImmutable(const std::string& path);

  absl::Status Exec(const char* sql);
  absl::StatusOr<Statement> Prepare(std::string_view sql);
  // Of pairs of Statement* and SQL; ends at the first that is wrong.
  template <typename Pairs>
  absl::Status PrepareAll(const Pairs& all) {
    for (const auto& [statement, sql] : all) {
      absl::StatusOr<Statement> prepared = Prepare(sql);
      if (!prepared.ok()) return prepared.status();
      *statement = *std::move(prepared);
    }
    return absl::OkStatus();
  }
  // The one integer that `sql` yields; 0 when it yields NULL or no row.
  absl::StatusOr<int64_t> QueryInt(std::string_view sql);
  sqlite3* handle() const { return db_.get(); }
  absl::Status LastError(std::string_view what) const;

 private:
  struct CloseDb {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  std::unique_ptr<sqlite3, CloseDb> db_;
};

// Reads pieces of the BLOB column `data` of table `part` without loading all of it. Holds a read transaction open while
// it stands on a row: Close when done.
class BlobReader {
 public:
  absl::Status Open(Database* db, int64_t rowid);
  size_t size() const;
  absl::StatusOr<std::string> Read(uint64_t offset, uint64_t size) const;
  void Close() { blob_.reset(); }

 private:
  struct CloseBlob {
    void operator()(sqlite3_blob* b) const { sqlite3_blob_close(b); }
  };
  std::unique_ptr<sqlite3_blob, CloseBlob> blob_;
};

// Rolls back unless committed.
class Transaction {
 public:
  enum class Kind { kRead, kWrite };
  static absl::StatusOr<Transaction> Begin(Database* db, Kind kind);
  Transaction(Transaction&& o) noexcept : db_(o.db_) { o.db_ = nullptr; }
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  absl::Status Commit();

 private:
  explicit Transaction(Database* db) : db_(db) {}
  Database* db_;
};

absl::Status SqliteStatus(int code, std::string_view what);

}  // namespace taskmon::storage

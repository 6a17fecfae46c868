// SPDX-License-Identifier: Apache-2.0
#include "storage/rule_store.h"

#include <map>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "storage/private_file.h"
#include "storage/sqlite_db.h"

namespace taskmon::storage {
namespace {

constexpr int64_t kRulesApplicationId = 0x544b4d52;  // "TKMR"
constexpr int64_t kRulesFormatVersion = 1;

constexpr const char* kTables = R"sql(
CREATE TABLE version(
  version INTEGER PRIMARY KEY,
  time_ns INTEGER NOT NULL,     -- wall clock
  uid INTEGER NOT NULL,         -- who made it
  what TEXT NOT NULL,           -- was done
  rules INTEGER NOT NULL);      -- how many it holds
CREATE TABLE rule(              -- a rule for as long as it stayed the same
  name TEXT NOT NULL,
  "order" INTEGER NOT NULL, expr TEXT NOT NULL, action TEXT NOT NULL, groups TEXT NOT NULL, threads TEXT NOT NULL,
  hold TEXT NOT NULL, enabled INTEGER NOT NULL, note TEXT NOT NULL,
  first_version INTEGER NOT NULL,
  end_version INTEGER,          -- the version that no longer has it so; NULL: the newest has
  PRIMARY KEY(name, first_version)) WITHOUT ROWID;
CREATE INDEX rule_by_end ON rule(end_version);
CREATE VIEW rules AS
  SELECT "order", name, expr, action, groups, threads, hold, enabled, note FROM rule
  WHERE end_version IS NULL ORDER BY "order";
)sql";

constexpr std::string_view kInsertRule =
    "INSERT INTO rule(name, \"order\", expr, action, groups, threads, hold, enabled, note, first_version)"
    " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr std::string_view kSelectRules =
    "SELECT name, \"order\", expr, action, groups, threads, hold, enabled, note FROM rule"
    " WHERE first_version <= ?1 AND (end_version IS NULL OR end_version > ?1) ORDER BY \"order\"";

absl::Status Configure(Database* db) {
  return db->Exec(
      "PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
      "PRAGMA foreign_keys=OFF; PRAGMA temp_store=MEMORY; PRAGMA journal_size_limit=4194304;");
}

absl::Status CreateTables(Database* db) {
  absl::StatusOr<Transaction> transaction = Transaction::Begin(db, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  const std::string stamp =
      fmt::format("PRAGMA application_id={}; PRAGMA user_version={};", kRulesApplicationId, kRulesFormatVersion);
  for (const char* sql : {kTables, stamp.c_str()}) {
    if (absl::Status status = db->Exec(sql); !status.ok()) return status;
  }
  return transaction->Commit();
}

absl::Status CheckIdentity(Database* db) {
  const absl::StatusOr<int64_t> id = db->QueryInt("PRAGMA application_id");
  if (!id.ok()) return id.status();
  if (*id != kRulesApplicationId) return absl::DataLossError("not a taskmon rule file");
  const absl::StatusOr<int64_t> version = db->QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (*version <= kRulesFormatVersion) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("rule file format {} is newer than this program's {}", *version, kRulesFormatVersion));
}

// The file is small: every page of it can be looked at.
absl::Status CheckPages(Database* db) {
  absl::StatusOr<Statement> check = db->Prepare("PRAGMA quick_check(1)");
  if (!check.ok()) return check.status();
  const absl::StatusOr<bool> row = check->Step();
  if (!row.ok()) return row.status();
  const std::string said = *row ? check->Text(0) : "nothing";
  return said == "ok" ? absl::OkStatus() : absl::DataLossError(said);
}

StoredRule ReadRule(const Statement& row) {
  return {.name = row.Text(0),
          .order = static_cast<uint32_t>(row.Int(1)),
          .expr = row.Text(2),
          .action = row.Text(3),
          .groups = row.Text(4),
          .threads = row.Text(5),
          .hold = row.Text(6),
          .enabled = row.Int(7) != 0,
          .note = row.Text(8)};
}

class RuleStoreImpl : public RuleStore {
 public:
  explicit RuleStoreImpl(const RuleStoreOptions& options) : options_(options) {}

  absl::Status Open();
  uint64_t newest_version() const override { return newest_; }
  absl::StatusOr<std::vector<StoredRule>> Load(uint64_t version) override;
  absl::StatusOr<RuleVersionList> Versions() override;
  absl::StatusOr<uint64_t> Save(const std::vector<StoredRule>& rules, const RuleVersion& about) override;
  const std::string& set_aside() const override { return set_aside_; }

 private:
  absl::Status OpenFile();
  absl::Status StartAnew();
  absl::Status TrySave(const std::vector<StoredRule>& rules, const RuleVersion& about);
  absl::Status WriteVersion(const RuleVersion& about);
  absl::Status WriteChanges(const std::vector<StoredRule>& rules, uint64_t version);
  absl::Status DropOld();
  absl::StatusOr<int64_t> UsedBytes();

  const RuleStoreOptions options_;
  std::unique_ptr<Database> db_;
  uint64_t newest_ = 0;
  std::string set_aside_;
};

absl::Status RuleStoreImpl::OpenFile() {
  if (absl::Status status = CreatePrivately(options_.path); !status.ok()) return status;
  absl::StatusOr<Database> opened = Database::Open(options_.path, Database::Mode::kReadWriteCreate);
  if (!opened.ok()) return opened.status();
  auto db = std::make_unique<Database>(*std::move(opened));
  if (absl::Status status = Configure(db.get()); !status.ok()) return status;
  const absl::StatusOr<int64_t> objects = db->QueryInt("SELECT count(*) FROM sqlite_schema");
  if (!objects.ok()) return objects.status();
  absl::Status status = *objects == 0 ? CreateTables(db.get()) : CheckIdentity(db.get());
  if (status.ok()) status = CheckPages(db.get());
  if (!status.ok()) return status;
  const absl::StatusOr<int64_t> newest = db->QueryInt("SELECT max(version) FROM version");
  if (!newest.ok()) return newest.status();
  db_ = std::move(db);
  // A new file after a damaged one numbers on.
  newest_ = std::max(newest_, static_cast<uint64_t>(*newest));
  return absl::OkStatus();
}

absl::Status RuleStoreImpl::StartAnew() {
  db_.reset();  // SQLite must let go of the file first
  absl::StatusOr<std::string> target = SetAside(options_.path);
  if (!target.ok()) return target.status();
  set_aside_ = *target;
  return OpenFile();
}

absl::Status RuleStoreImpl::Open() {
  const absl::Status status = OpenFile();
  return absl::IsDataLoss(status) ? StartAnew() : status;
}

absl::StatusOr<std::vector<StoredRule>> RuleStoreImpl::Load(uint64_t version) {
  if (db_ == nullptr) return absl::UnavailableError("the rule file is not open");
  const absl::StatusOr<int64_t> oldest = db_->QueryInt("SELECT min(version) FROM version");
  if (!oldest.ok()) return oldest.status();
  if (version < static_cast<uint64_t>(*oldest) || version > newest_ || version == 0) {
    return absl::NotFoundError(
        fmt::format("version {} is not kept; those from {} to {} are", version, *oldest, newest_));
  }
  absl::StatusOr<Statement> select = db_->Prepare(kSelectRules);
  if (!select.ok()) return select.status();
  select->Bind(version);
  std::vector<StoredRule> rules;
  absl::StatusOr<bool> row;
  while ((row = select->Step()).ok() && *row) rules.push_back(ReadRule(*select));
  if (!row.ok()) return row.status();
  return rules;
}

absl::StatusOr<RuleVersionList> RuleStoreImpl::Versions() {
  if (db_ == nullptr) return absl::UnavailableError("the rule file is not open");
  absl::StatusOr<Statement> select =
      db_->Prepare("SELECT version, time_ns, uid, what, rules FROM version ORDER BY version DESC");
  if (!select.ok()) return select.status();
  RuleVersionList list;
  absl::StatusOr<bool> row;
  while ((row = select->Step()).ok() && *row) {
    list.versions.push_back({.version = static_cast<uint64_t>(select->Int(0)),
                             .wall_ns = select->Int(1),
                             .author_uid = static_cast<uint32_t>(select->Int(2)),
                             .what = select->Text(3),
                             .rules = static_cast<uint64_t>(select->Int(4))});
  }
  if (!row.ok()) return row.status();
  if (!list.versions.empty()) list.dropped = list.versions.back().version - 1;
  return list;
}

absl::StatusOr<uint64_t> RuleStoreImpl::Save(const std::vector<StoredRule>& rules, const RuleVersion& about_given) {
  RuleVersion about = about_given;
  about.version = newest_ + 1;
  about.rules = rules.size();
  absl::Status status = db_ == nullptr ? Open() : absl::OkStatus();
  if (status.ok()) status = TrySave(rules, about);
  if (absl::IsDataLoss(status)) {
    status = StartAnew();
    if (status.ok()) status = TrySave(rules, about);
  }
  if (!status.ok()) return status;
  newest_ = about.version;
  return newest_;
}

absl::Status RuleStoreImpl::TrySave(const std::vector<StoredRule>& rules, const RuleVersion& about) {
  {
    absl::StatusOr<Transaction> transaction = Transaction::Begin(db_.get(), Transaction::Kind::kWrite);
    if (!transaction.ok()) return transaction.status();
    absl::Status status = WriteVersion(about);
    if (status.ok()) status = WriteChanges(rules, about.version);
    if (status.ok()) status = DropOld();
    if (status.ok()) status = transaction->Commit();
    if (!status.ok()) return status;
  }
  // The version is safe. Giving room back to the disk can wait for the next edit.
  (void)db_->Exec("PRAGMA incremental_vacuum");
  return absl::OkStatus();
}

absl::Status RuleStoreImpl::WriteVersion(const RuleVersion& about) {
  absl::StatusOr<Statement> insert =
      db_->Prepare("INSERT INTO version(version, time_ns, uid, what, rules) VALUES(?, ?, ?, ?, ?)");
  if (!insert.ok()) return insert.status();
  insert->Bind(about.version).Bind(about.wall_ns).Bind(about.author_uid).BindText(about.what).Bind(about.rules);
  return insert->Run();
}

absl::Status RuleStoreImpl::WriteChanges(const std::vector<StoredRule>& rules, uint64_t version) {
  absl::StatusOr<Statement> end =
      db_->Prepare("UPDATE rule SET end_version = ? WHERE name = ? AND end_version IS NULL");
  absl::StatusOr<Statement> insert = db_->Prepare(kInsertRule);
  absl::StatusOr<Statement> select = db_->Prepare(kSelectRules);
  for (const auto* statement : {&end, &insert, &select}) {
    if (!statement->ok()) return statement->status();
  }
  std::map<std::string, StoredRule> gone;  // in the newest version, and not seen in `rules` yet
  select->Bind(newest_);
  absl::StatusOr<bool> row;
  while ((row = select->Step()).ok() && *row) gone.emplace(select->Text(0), ReadRule(*select));
  if (!row.ok()) return row.status();
  std::vector<const StoredRule*> added;
  for (const StoredRule& rule : rules) {
    const auto before = gone.find(rule.name);
    const bool same = before != gone.end() && before->second == rule;
    if (same) gone.erase(before);
    if (!same) added.push_back(&rule);
  }
  for (const auto& [name, rule] : gone) {
    if (absl::Status status = end->Bind(version).BindText(name).Run(); !status.ok()) return status;
  }
  for (const StoredRule* rule : added) {
    insert->BindText(rule->name).Bind(rule->order).BindText(rule->expr).BindText(rule->action).BindText(rule->groups);
    insert->BindText(rule->threads).BindText(rule->hold).Bind(rule->enabled).BindText(rule->note).Bind(version);
    if (absl::Status status = insert->Run(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> RuleStoreImpl::UsedBytes() {
  int64_t pages = 0;
  for (const auto& [pragma, sign] : {std::pair("PRAGMA page_count", 1), std::pair("PRAGMA freelist_count", -1)}) {
    const absl::StatusOr<int64_t> count = db_->QueryInt(pragma);
    if (!count.ok()) return count.status();
    pages += sign * *count;
  }
  return pages * 4096;
}

// Inside the transaction of Save: the newest version is the last row.
absl::Status RuleStoreImpl::DropOld() {
  while (true) {
    const absl::StatusOr<int64_t> count = db_->QueryInt("SELECT count(*) FROM version");
    if (!count.ok()) return count.status();
    const absl::StatusOr<int64_t> bytes = UsedBytes();
    if (!bytes.ok()) return bytes.status();
    const bool over =
        static_cast<uint64_t>(*count) > options_.max_versions || static_cast<uint64_t>(*bytes) > options_.max_bytes;
    if (!over || *count <= 1) return absl::OkStatus();
    const absl::Status status = db_->Exec(
        "DELETE FROM version WHERE version = (SELECT min(version) FROM version);"
        "DELETE FROM rule WHERE end_version <= (SELECT min(version) FROM version)");
    if (!status.ok()) return status;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<RuleStore>> RuleStore::Open(const RuleStoreOptions& options) {
  auto store = std::make_unique<RuleStoreImpl>(options);
  if (absl::Status status = store->Open(); !status.ok()) return status;
  return std::unique_ptr<RuleStore>(std::move(store));
}

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
#include "storage/rule_store.h"

#include <sys/stat.h>

#include <fstream>

#include <gtest/gtest.h>

#include "storage/sqlite_db.h"
#include "tests/unit/storage/fake_world.h"

namespace taskmon::storage {
namespace {

using Rules = std::vector<StoredRule>;

StoredRule MakeRule(const std::string& name, uint32_t order, const std::string& expr = "kthread") {
  return {.name = name,
          .order = order,
          .expr = expr,
          .action = "track",
          .groups = "all",
          .threads = "none",
          .hold = "1m",
          .enabled = true,
          .note = ""};
}

std::unique_ptr<RuleStore> OpenStore(const RuleStoreOptions& options) {
  absl::StatusOr<std::unique_ptr<RuleStore>> store = RuleStore::Open(options);
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *std::move(store) : nullptr;
}

uint64_t SaveRules(RuleStore* store, const Rules& rules, const RuleVersion& about = {}) {
  const absl::StatusOr<uint64_t> version = store->Save(rules, about);
  EXPECT_TRUE(version.ok()) << version.status();
  return version.ok() ? *version : 0;
}

TEST(RuleStore, GivesEveryVersionBackAsItWas) {
  TempDir dir;
  const std::vector<Rules> versions = {
      {MakeRule("a", 10), MakeRule("b", 20)},
      {MakeRule("a", 10), MakeRule("b", 20), MakeRule("c", 5)},
      {MakeRule("a", 30, "comm == 'x'\n\"y\""), MakeRule("c", 5)},
      {},
      {MakeRule("a", 10), MakeRule("b", 20)},
  };
  auto store = OpenStore({.path = dir.Path("rules.db")});
  EXPECT_EQ(store->newest_version(), 0u);
  for (size_t i = 0; i < versions.size(); ++i) EXPECT_EQ(SaveRules(store.get(), versions[i]), i + 1);
  store = OpenStore({.path = dir.Path("rules.db")});
  EXPECT_EQ(store->newest_version(), versions.size());
  for (size_t i = 0; i < versions.size(); ++i) {
    Rules expected = versions[i];
    std::sort(expected.begin(), expected.end(), [](const auto& x, const auto& y) { return x.order < y.order; });
    EXPECT_EQ(*store->Load(i + 1), expected) << "version " << i + 1;
  }
  EXPECT_TRUE(absl::IsNotFound(store->Load(6).status()));
  EXPECT_TRUE(absl::IsNotFound(store->Load(0).status()));
  EXPECT_TRUE(store->set_aside().empty());
}

TEST(RuleStore, KnowsWhenByWhomAndWhat) {
  TempDir dir;
  auto store = OpenStore({.path = dir.Path("rules.db")});
  SaveRules(store.get(), {MakeRule("a", 1)}, {.wall_ns = 77, .author_uid = 1000, .what = "added a"});
  SaveRules(store.get(), {}, {.wall_ns = 78, .author_uid = 4294967294u, .what = "removed a"});
  const RuleVersionList list = *store->Versions();
  ASSERT_EQ(list.versions.size(), 2u);
  EXPECT_EQ(list.versions[0].version, 2u);
  EXPECT_EQ(list.versions[0].author_uid, 4294967294u);
  EXPECT_EQ(list.versions[0].rules, 0u);
  EXPECT_EQ(list.versions[1].wall_ns, 77);
  EXPECT_EQ(list.versions[1].what, "added a");
  EXPECT_EQ(list.versions[1].rules, 1u);
  EXPECT_EQ(list.dropped, 0u);
}

TEST(RuleStore, DropsTheOldestVersionsAndCountsThem) {
  TempDir dir;
  auto store = OpenStore({.path = dir.Path("rules.db"), .max_versions = 3});
  for (uint32_t i = 1; i <= 10; ++i) SaveRules(store.get(), {MakeRule("a", i), MakeRule("same", 1000)});
  const RuleVersionList list = *store->Versions();
  EXPECT_EQ(list.versions.size(), 3u);
  EXPECT_EQ(list.dropped, 7u);
  EXPECT_EQ(store->Load(7).status().message(), "version 7 is not kept; those from 8 to 10 are");
  EXPECT_EQ(store->Load(8)->size(), 2u);
  EXPECT_EQ((*store->Load(8))[0].order, 8u);
  absl::StatusOr<Database> db = Database::Open(dir.Path("rules.db"), Database::Mode::kReadOnly);
  EXPECT_EQ(*db->QueryInt("SELECT count(*) FROM rule"), 4);  // three of a, one that stayed the same
}

TEST(RuleStore, KeepsWithinItsBytesButNeverLosesTheNewest) {
  TempDir dir;
  const RuleStoreOptions options = {.path = dir.Path("rules.db"), .max_bytes = 1 << 20};
  auto store = OpenStore(options);
  for (int i = 0; i < 40; ++i) SaveRules(store.get(), {MakeRule("a", 1, std::string(100'000, 'a' + i % 26))});
  const RuleVersionList list = *store->Versions();
  EXPECT_GT(list.dropped, 20u);
  EXPECT_GT(list.versions.size(), 1u);
  EXPECT_EQ((*store->Load(40))[0].expr, std::string(100'000, 'a' + 39 % 26));
  store.reset();
  struct stat info {};
  ASSERT_EQ(stat(options.path.c_str(), &info), 0);
  EXPECT_LE(info.st_size, (1 << 20) + 300'000);
  store = OpenStore(options);
  SaveRules(store.get(), {MakeRule("huge", 1, std::string(3 << 20, 'x'))});
  EXPECT_EQ(store->Versions()->versions.size(), 1u);
  EXPECT_EQ((*store->Load(41))[0].expr.size(), 3u << 20);
}

TEST(RuleStore, WritesOnlyWhatAnEditChanged) {
  TempDir dir;
  auto store = OpenStore({.path = dir.Path("rules.db")});
  Rules rules;
  for (uint32_t i = 1; i <= 5000; ++i) rules.push_back(MakeRule("r" + std::to_string(i), i));
  SaveRules(store.get(), rules);
  rules[77].note = "changed";
  SaveRules(store.get(), rules);
  absl::StatusOr<Database> db = Database::Open(dir.Path("rules.db"), Database::Mode::kReadOnly);
  EXPECT_EQ(*db->QueryInt("SELECT count(*) FROM rule"), 5001);
  EXPECT_EQ(*db->QueryInt("SELECT count(*) FROM rules"), 5000);
  EXPECT_EQ(*db->QueryInt("SELECT count(*) FROM rules WHERE note = 'changed' AND name = 'r78'"), 1);
}

TEST(RuleStore, IsItsOwnersAlone) {
  TempDir dir;
  OpenStore({.path = dir.Path("rules.db")});
  struct stat info {};
  ASSERT_EQ(stat(dir.Path("rules.db").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(RuleStore, SetsADamagedFileAside) {
  TempDir dir;
  const RuleStoreOptions options = {.path = dir.Path("rules.db")};
  std::ofstream(options.path) << "no database, although it is long enough to have the header of one: "
                              << std::string(4096, 'x');
  auto store = OpenStore(options);
  EXPECT_EQ(store->newest_version(), 0u);
  EXPECT_EQ(store->set_aside().rfind(options.path + ".damaged-", 0), 0u);
  EXPECT_EQ(SaveRules(store.get(), {MakeRule("a", 1)}), 1u);
}

TEST(RuleStore, SetsAFileOfAnotherKindAside) {
  TempDir dir;
  const RuleStoreOptions options = {.path = dir.Path("rules.db")};
  {
    absl::StatusOr<Database> other = Database::Open(options.path, Database::Mode::kReadWriteCreate);
    ASSERT_TRUE(other->Exec("CREATE TABLE t(x)").ok());
  }
  EXPECT_FALSE(OpenStore(options)->set_aside().empty());
}

TEST(RuleStore, LeavesAFileOfANewerFormatAlone) {
  TempDir dir;
  const RuleStoreOptions options = {.path = dir.Path("rules.db")};
  SaveRules(OpenStore(options).get(), {MakeRule("a", 1)});
  {
    absl::StatusOr<Database> db = Database::Open(options.path, Database::Mode::kReadWriteCreate);
    ASSERT_TRUE(db->Exec("PRAGMA user_version=2").ok());
  }
  EXPECT_TRUE(absl::IsFailedPrecondition(RuleStore::Open(options).status()));
}

// The rules at hand are stored and numbered on.
TEST(RuleStore, DamageWhileRunningCostsTheOldVersionsOnly) {
  TempDir dir;
  const RuleStoreOptions options = {.path = dir.Path("rules.db")};
  auto store = OpenStore(options);
  Rules rules;
  // More than SQLite's page cache holds.
  for (uint32_t i = 1; i <= 2000; ++i) rules.push_back(MakeRule("r" + std::to_string(i), i, std::string(3000, 'x')));
  SaveRules(store.get(), rules);
  store = OpenStore(options);  // the log is in the file now
  {
    std::fstream file(options.path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(4096 * 1000, '\x55');
  }
  rules.pop_back();
  EXPECT_EQ(SaveRules(store.get(), rules), 2u);
  EXPECT_FALSE(store->set_aside().empty());
  EXPECT_EQ(store->Load(2)->size(), 1999u);
  EXPECT_TRUE(absl::IsNotFound(store->Load(1).status()));
  store = OpenStore(options);
  EXPECT_EQ(store->newest_version(), 2u);
  EXPECT_TRUE(store->set_aside().empty());
}

}  // namespace
}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/rule_book.h"

#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/rules/rule_text.h"

namespace taskmon::rules {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kDefaults[] = "[[rule]]\nname = 'first'\nexpr = 'kthread'\n";

class RuleBookTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "/tmp/taskmon-rules-XXXXXX";
    directory_ = mkdtemp(pattern.data());
    Open();
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string path() const { return directory_ + "/rules.db"; }

  void Open() {
    book_.reset();
    absl::StatusOr<std::unique_ptr<RuleBook>> book = RuleBook::Open({.store = {.path = path(), .max_versions = 5},
                                                                     .defaults = kDefaults,
                                                                     .now_wall_ns = [] { return 1000; },
                                                                     .now_boot_ns = [] { return 500u; }});
    ASSERT_TRUE(book.ok()) << book.status();
    book_ = *std::move(book);
  }

  absl::StatusOr<RuleBook::EditResult> Add(const std::string& name, RuleBook::EditOptions options = {}) {
    return book_->Edit([&](const RuleSet& set) { return set.Add(name, {.expression = "comm == " + name}); }, options);
  }

  std::vector<std::string> Names() {
    std::vector<std::string> names;
    for (const RulePtr& rule : book_->Current()->rules()) names.push_back(rule->rule.name);
    return names;
  }

  std::string directory_;
  std::unique_ptr<RuleBook> book_;
};

TEST_F(RuleBookTest, BeginsWithTheDefaultsOnce) {
  EXPECT_THAT(Names(), ElementsAre("first"));
  EXPECT_EQ(book_->Current()->version(), 1u);
  ASSERT_TRUE(book_->Edit([](const RuleSet& set) { return set.Remove({"first"}); }, {}).ok());
  Open();
  EXPECT_THAT(Names(), IsEmpty());
  EXPECT_EQ(book_->Current()->version(), 2u);
}

TEST_F(RuleBookTest, AnEditIsStoredBeforeItIsSeen) {
  const RuleSetPtr before = book_->Current();
  const auto result = Add("web", {.author_uid = 7});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->set->version(), 2u);
  EXPECT_EQ(result->changes.size(), 1u);
  EXPECT_EQ(book_->Current(), result->set);
  EXPECT_EQ(before->size(), 1u);
  Open();
  EXPECT_THAT(Names(), ElementsAre("first", "web"));
  EXPECT_EQ(book_->Current()->version(), 2u);
  EXPECT_EQ(book_->Versions()->versions[0].author_uid, 7u);
}

TEST_F(RuleBookTest, EachEditBecomesAnEvent) {
  EXPECT_THAT(book_->TakeEvents(), IsEmpty());
  ASSERT_TRUE(Add("web", {.author_uid = 7}).ok());
  const std::vector<Event> events = book_->TakeEvents();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].type, EventType::kRule);
  EXPECT_EQ(events[0].rule, "web");
  EXPECT_EQ(events[0].detail, "uid 7 added web (version 2)");
  EXPECT_EQ(events[0].wall_ns, 1000);
  EXPECT_EQ(events[0].boot_ns, 500u);
  EXPECT_EQ(events[0].task, nullptr);
  EXPECT_THAT(book_->TakeEvents(), IsEmpty());
}

TEST_F(RuleBookTest, ADryRunChangesNothing) {
  const auto result = Add("web", {.dry_run = true});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->set->size(), 2u);
  EXPECT_EQ(result->set->version(), 1u);
  EXPECT_EQ(result->changes.size(), 1u);
  EXPECT_THAT(Names(), ElementsAre("first"));
  EXPECT_THAT(book_->TakeEvents(), IsEmpty());
  EXPECT_EQ(book_->Versions()->versions.size(), 1u);
}

TEST_F(RuleBookTest, AnEditThatChangesNothingMakesNoVersion) {
  const auto result = book_->Edit([](const RuleSet& set) { return set.SetEnabled({"first"}, true); }, {});
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(result->changes, IsEmpty());
  EXPECT_EQ(book_->Current()->version(), 1u);
}

TEST_F(RuleBookTest, ARefusedEditChangesNothing) {
  EXPECT_TRUE(absl::IsInvalidArgument(Add("no name").status()));
  EXPECT_EQ(book_->Current()->version(), 1u);
  EXPECT_THAT(book_->TakeEvents(), IsEmpty());
}

TEST_F(RuleBookTest, TheLaterOfTwoEditorsLearnsOfTheOther) {
  ASSERT_TRUE(Add("mine", {.expected_version = 1}).ok());
  const absl::Status refused = Add("yours", {.expected_version = 1}).status();
  EXPECT_TRUE(absl::IsAborted(refused));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("version 2 is current, not 1"));
  EXPECT_THAT(Names(), ElementsAre("first", "mine"));
}

TEST_F(RuleBookTest, EditsFromManyThreadsAllCount) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, i] {
      for (int j = 0; j < 5; ++j) EXPECT_TRUE(Add("r" + std::to_string(i) + "x" + std::to_string(j)).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(book_->Current()->size(), 21u);
  EXPECT_EQ(book_->Current()->version(), 21u);
}

TEST_F(RuleBookTest, RollsBackAndForth) {
  ASSERT_TRUE(Add("web").ok());
  const CheckedRule* first = book_->Current()->Find("first");
  const auto back = book_->RollBack(0, {.author_uid = 3});
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->set->version(), 3u);
  EXPECT_THAT(Names(), ElementsAre("first"));
  EXPECT_EQ(book_->Current()->Find("first"), first);  // untouched, so the same
  EXPECT_EQ(book_->Versions()->versions[0].what, "rolled back to version 1");
  ASSERT_TRUE(book_->RollBack(2, {}).ok());
  EXPECT_THAT(Names(), ElementsAre("first", "web"));
}

TEST_F(RuleBookTest, RollingBackNamesTheVersionsThereAre) {
  EXPECT_THAT(std::string(book_->RollBack(0, {}).status().message()), HasSubstr("version 1 is the first"));
  for (const char* name : {"a", "b", "c", "d", "e", "f"}) ASSERT_TRUE(Add(name).ok());
  const absl::Status refused = book_->RollBack(1, {}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(refused));
  EXPECT_EQ(refused.message(), "version 1 is not kept; those from 3 to 7 are");
  EXPECT_EQ(book_->Versions()->dropped, 2u);
  EXPECT_EQ(book_->Version(3)->size(), 3u);
  EXPECT_FALSE(book_->Version(99).ok());
}

TEST_F(RuleBookTest, ADamagedFileIsSetAsideAndTheDefaultsBeginAnew) {
  ASSERT_TRUE(Add("web").ok());
  book_.reset();
  std::ofstream(path(), std::ios::trunc) << "this is no database, and it is long enough to be looked at as one";
  Open();
  EXPECT_THAT(Names(), ElementsAre("first"));
  EXPECT_THAT(book_->TakeRemarks(), ElementsAre(HasSubstr("set aside as " + path() + ".damaged-")));
  EXPECT_THAT(book_->TakeRemarks(), IsEmpty());
}

TEST_F(RuleBookTest, ARuleThatIsNotUnderstoodAnyMoreIsLeftOutAndKeptInTheOldVersion) {
  ASSERT_TRUE(Add("web").ok());
  book_.reset();
  {
    auto store = storage::RuleStore::Open({.path = path()});
    ASSERT_TRUE(store.ok());
    auto rules = *(*store)->Load(2);
    rules[0].expr = "words of another age";
    ASSERT_TRUE((*store)->Save(rules, {}).ok());
  }
  Open();
  EXPECT_THAT(Names(), ElementsAre("web"));
  EXPECT_EQ(book_->Current()->version(), 4u);
  EXPECT_THAT(book_->TakeRemarks(), ElementsAre(HasSubstr("rule 'first' is left out: "), HasSubstr("version 3")));
  EXPECT_FALSE(book_->Version(3).ok());
}

}  // namespace
}  // namespace taskmon::rules

// SPDX-License-Identifier: Apache-2.0
#include "daemon/watch_answers.h"

#include <thread>

#include <gtest/gtest.h>

namespace taskmon::daemon {
namespace {

constexpr query::Caller kRoot{.uid = 0, .sees_everything = true, .admin = true};
constexpr query::Caller kReader{.uid = 7, .sees_everything = true};
constexpr query::Caller kAlice{.uid = 1000};
constexpr query::Caller kBob{.uid = 1001};

v1::Selection Asks(const std::string& expression) {
  v1::Selection selection;
  selection.set_expression(expression);
  return selection;
}

class WatchAnswersTest : public ::testing::Test {
 protected:
  WatchAnswers::Watcher Join(const query::Caller& caller, const std::string& expression = "", bool alone = false) {
    return answers_.Join(Asks(expression), caller, alone);
  }
  // The page that a watcher gets at a tick: it has the tick's number.
  static uint64_t Take(WatchAnswers::Watcher* watcher, uint64_t seq) {
    const auto pages = watcher->Take(seq, [seq] {
      std::vector<v1::TaskBatch> batches(1);
      batches[0].add_ticks()->set_seq(seq);
      return batches;
    });
    v1::TaskBatch got;
    EXPECT_EQ(pages->size(), 1u);
    EXPECT_TRUE(got.ParseFromArray(pages->front().begin(), static_cast<int>(pages->front().size())));
    return got.ticks(0).seq();
  }

  WatchAnswers answers_;
};

TEST_F(WatchAnswersTest, TwoHundredWatchersOfOneQuestionHaveItEncodedOnceATick) {
  std::vector<WatchAnswers::Watcher> watchers;
  for (int i = 0; i < 200; ++i) watchers.push_back(Join(i % 2 == 0 ? kRoot : kReader));
  for (uint64_t seq = 1; seq <= 3; ++seq) {
    for (auto& watcher : watchers) EXPECT_EQ(Take(&watcher, seq), seq);
    EXPECT_EQ(answers_.encoded(), seq);
  }
}

TEST_F(WatchAnswersTest, WatchersThatComeAtOnceWaitForTheOneThatEncodes) {
  std::vector<WatchAnswers::Watcher> watchers;
  for (int i = 0; i < 16; ++i) watchers.push_back(Join(kRoot));
  std::vector<std::thread> threads;
  for (auto& watcher : watchers) threads.emplace_back([&] { EXPECT_EQ(Take(&watcher, 5), 5u); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answers_.encoded(), 1u);
}

TEST_F(WatchAnswersTest, AnotherQuestionHasAnAnswerOfItsOwn) {
  auto one = Join(kRoot, "comm == nginx");
  auto two = Join(kRoot, "comm == redis");
  Take(&one, 1);
  Take(&two, 1);
  EXPECT_EQ(answers_.encoded(), 2u);
}

TEST_F(WatchAnswersTest, WhoSeesLessNeverGetsTheAnswerOfWhoSeesMore) {
  auto root = Join(kRoot);
  auto root_too = Join(kRoot);
  auto alice = Join(kAlice);
  auto bob = Join(kBob);
  for (auto* watcher : {&root, &root_too, &alice, &bob}) Take(watcher, 1);
  EXPECT_EQ(answers_.encoded(), 3u);
}

TEST_F(WatchAnswersTest, WhoRemembersTicksIsAnsweredAlone) {
  auto one = Join(kRoot, "cpu > 1% for 5s", true);
  auto two = Join(kRoot, "cpu > 1% for 5s", true);
  Take(&one, 1);
  Take(&two, 1);
  EXPECT_EQ(answers_.encoded(), 2u);
}

TEST_F(WatchAnswersTest, WhoIsBehindGetsTheTickThatHeAsksFor) {
  auto quick = Join(kRoot);
  auto slow = Join(kRoot);
  EXPECT_EQ(Take(&quick, 2), 2u);
  EXPECT_EQ(Take(&slow, 1), 1u);
  EXPECT_EQ(Take(&slow, 2), 2u);
}

TEST_F(WatchAnswersTest, WhoJoinsWhenAllHadItIsAnsweredToo) {
  auto one = Join(kRoot);
  {
    auto two = Join(kRoot);
    EXPECT_EQ(Take(&one, 1), 1u);
    EXPECT_EQ(Take(&two, 1), 1u);
  }
  auto late = Join(kRoot);
  EXPECT_EQ(Take(&late, 1), 1u);
  EXPECT_EQ(Take(&one, 2), 2u);
  EXPECT_EQ(Take(&late, 2), 2u);
}

}  // namespace
}  // namespace taskmon::daemon

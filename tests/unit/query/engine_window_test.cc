// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "daemon/query/gap_list.h"
#include "daemon/query/resume.h"
#include "tests/unit/query/engine_fixture.h"

namespace taskmon::query {
namespace {

class WindowEngineTest : public EngineTest {
 protected:
  WindowEngineTest() {
    for (uint64_t seq = 1; seq <= 40; ++seq) {
      ring_.ticks.push_back(World(seq, {TaskBuilder(7, "small").Set(v1::TASK_RUNTIME_NS, 0, 1 * kMs),
                                        TaskBuilder(8, "large").Set(v1::TASK_RUNTIME_NS, 0, 500 * kMs)}));
      if (seq > 20) ring_.ticks.back().tasks.pop_back();
    }
    Live(World(40, {TaskBuilder(7, "small")}));
  }
};

TEST_F(WindowEngineTest, TopOverAWindowKnowsThoseThatAreGone) {
  v1::ListTasksRequest request;
  request.set_begin("35s");
  request.set_sort("cpu");
  EXPECT_THAT(List(request), testing::ElementsAre("8", "7"));
  request.set_top(1);
  EXPECT_THAT(List(request), testing::ElementsAre("8"));
  request.set_begin("10s");
  EXPECT_THAT(List(request), testing::ElementsAre("7"));
  EXPECT_EQ(last_.ticks(0).elapsed_ns(), 11u * kSecond);
}

TEST_F(WindowEngineTest, RefusesAMomentAndAWindowAtOnce) {
  v1::ListTasksRequest request;
  request.set_begin("35s");
  request.set_at("10s");
  EXPECT_THAT(ListError(request), testing::HasSubstr("not both"));
  request.clear_at();
  request.set_by("colour");
  EXPECT_THAT(ListError(request), testing::HasSubstr("colour"));
}

TEST_F(WindowEngineTest, HistoryOfGroupsHasARowForEachGroupAndStep) {
  v1::HistoryRequest request;
  request.set_begin("39s");
  request.set_by("comm");
  request.set_step_ns(10 * kSecond);
  // kStart is a multiple of ten seconds: ticks 1-9, 10-19, 20-29, 30-39, 40.
  EXPECT_THAT(History(request), testing::ElementsAre("0@9", "0@9", "0@19", "0@19", "0@29", "0@29", "0@39", "0@40"));
}

TEST_F(WindowEngineTest, AHistoryThatIsCutShortGoesOnWhereItStopped) {
  for (const uint64_t step : {0u, 5u}) {
    v1::HistoryRequest request;
    request.set_begin("39s");
    request.set_step_ns(step * kSecond);
    const std::vector<std::string> whole = History(request);
    EXPECT_EQ(last_.resume(), "");
    std::vector<std::string> parts;
    request.set_max_rows(7);
    int calls = 0;
    do {
      const std::vector<std::string> part = History(request);
      EXPECT_LE(part.size(), 8u) << "a tick is never torn";
      parts.insert(parts.end(), part.begin(), part.end());
      request.set_resume(last_.resume());
      now_ += 60 * kSecond;  // "39 seconds ago" is another time by then
    } while (!request.resume().empty() && ++calls < 50);
    EXPECT_EQ(parts, whole) << step;
    now_ = live_->tick.wall_ns;
  }
}

v1::ListTasksRequest Window() {
  v1::ListTasksRequest request;
  request.set_begin("35s");
  return request;
}

v1::HistoryRequest OneLongStep() {
  v1::HistoryRequest request;
  request.set_begin("39s");
  request.set_step_ns(365 * 86400 * kSecond);
  return request;
}

TEST_F(WindowEngineTest, WhatTakesTooLongEndsWithAHint) {
  longest_ = std::chrono::seconds(0);
  EXPECT_THAT(ListError(Window()), testing::HasSubstr("choose a shorter time"));
  v1::HistoryRequest history = OneLongStep();
  EXPECT_THAT(HistoryError(history), testing::HasSubstr("shorter time, step"));
  history.set_by("comm");
  EXPECT_THAT(HistoryError(history), testing::HasSubstr("shorter time, step"));
}

TEST_F(WindowEngineTest, WhatHasNoRoomEndsWithAHint) {
  answer_bytes_ = 1000;
  EXPECT_THAT(ListError(Window()), testing::HasSubstr("no room"));
  EXPECT_THAT(HistoryError(OneLongStep()), testing::HasSubstr("no room"));
}

TEST_F(WindowEngineTest, OneUserHasHalfOfTheRoom) {
  const Caller user{.uid = 1000};
  answer_bytes_ = 1000;
  while (ListError(Window()) != "OK" || HistoryError(OneLongStep()) != "OK") answer_bytes_ *= 2;
  const bool either = ListError(Window(), user) != "OK" || HistoryError(OneLongStep(), user) != "OK";
  EXPECT_TRUE(either) << "root has all of it";
  answer_bytes_ *= 2;
  EXPECT_EQ(ListError(Window(), user), "OK");
  EXPECT_EQ(HistoryError(OneLongStep(), user), "OK");
}

TEST(GoOn, AsksOnlyNowAndThenWhetherAnybodyListens) {
  int asked = 0;
  GoOn patient([&asked] { return ++asked == 0; }, std::chrono::hours(1));
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(patient.Ask().ok());
  EXPECT_EQ(asked, 0);
  GoOn impatient([&asked] { return ++asked == 0; }, std::chrono::seconds(-1));
  EXPECT_TRUE(absl::IsResourceExhausted(impatient.Ask()));
}

TEST(Resume, TakesOnlyItsOwnWords) {
  const ResumePoint point{.seq = 7, .wall_ns = -5, .range = {1, INT64_MAX}};
  const auto again = ParseResume(FormatResume(point));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->seq, 7u);
  EXPECT_EQ(again->wall_ns, -5);
  EXPECT_EQ(again->range.end_wall_ns, INT64_MAX);
  for (const char* text :
       {"", "7", "7.1.2", "7.1.2.3.4", "7.1.2.x", "-7.1.2.3", "7.1.2.99999999999999999999", "7.1.2.3."}) {
    EXPECT_FALSE(ParseResume(text).ok()) << text;
  }
}

std::vector<std::string> Told(GapList* gaps, const std::vector<Tick>& ticks) {
  std::vector<std::string> told;
  const auto tell = [&](const v1::Gap& gap) {
    told.push_back(gap.reason() + " " + std::to_string((gap.end_time_ns() - gap.begin_time_ns()) / kSecond));
  };
  for (const Tick& tick : ticks) gaps->Before(tick, tell);
  gaps->AtEnd(tell);
  return told;
}

TEST(Gaps, StandBeforeTheTickTheyEndWithAndAtTheEdgesOfTheQuestion) {
  const auto at = [](int64_t second) {
    return Tick{.wall_ns = second * kSecond, .elapsed_ns = static_cast<uint64_t>(kSecond)};
  };
  GapList whole({0, 100 * kSecond}, {-50 * kSecond, 100 * kSecond});
  whole.Note({storage::Gap::Reason::kNotStored, 40 * kSecond, 60 * kSecond, 20});
  EXPECT_THAT(Told(&whole, {at(31), at(61), at(80)}), testing::ElementsAre(" 30", "not stored 20", " 20"));
  GapList young({0, 100 * kSecond}, {30 * kSecond, 80 * kSecond});
  EXPECT_THAT(Told(&young, {at(31), at(61), at(80)}), testing::IsEmpty()) << "older and newer ticks there never were";
}

}  // namespace
}  // namespace taskmon::query

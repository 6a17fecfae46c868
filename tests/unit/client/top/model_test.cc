// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/client/top/small_world.h"

#include <optional>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/top/model.h"

namespace taskmon::client::top {
namespace {

using testing::HasSubstr;
using Seek = MomentQuestion::Seek;

const std::vector<TaskSpec> kTasks = {{.tid = 1, .comm = "init", .cpu = 1, .rss = 30, .ppid = 0},
                                      {.tid = 20, .comm = "web", .cpu = 9, .rss = 10, .unit = "web.service"},
                                      {.tid = 21, .comm = "helper", .cpu = 50, .rss = 20, .ppid = 20},
                                      {.tid = 30, .comm = "cron", .rss = 5}};

// A model whose questions the test answers.
class ModelTest : public testing::Test {
 protected:
  void SetUp() override {
    setenv("TZ", "UTC", 1);
    tzset();
  }

  Model& Begin(Start start = {}) {
    model_.emplace(start, kNow);
    Collect();
    return *model_;
  }
  const State& state() const { return model_->state(); }

  void Collect() {
    for (Asked& asked : model_->TakeQuestions()) asked_[asked.kind] = std::move(asked);
  }

  void Type(const std::string& text) {
    for (const char c : text) Press({.code = KeyCode::kChar, .ch = static_cast<char32_t>(c)});
  }
  void Press(Key key) {
    model_->Press(key, kNow);
    Collect();
  }
  void Press(KeyCode code) { Press(Key{.code = code}); }

  template <typename Question>
  const Question* Last(Kind kind) const {
    const auto found = asked_.find(kind);
    return found == asked_.end() ? nullptr : std::get_if<Question>(&found->second.question);
  }
  const MomentQuestion& Moment() const { return *Last<MomentQuestion>(Kind::kMoment); }

  void Answer(Kind kind, AnswerBody body) {
    model_->Take({kind, asked_[kind].number, std::move(body)}, kNow);
    Collect();
  }
  void Live(uint64_t seq = 7) {
    const auto frame = FrameOf(kTasks, seq);
    Answer(Kind::kLive, FrameAnswer{.frame = frame, .totals = TotalsOf(*frame)});
  }
  void ShowMoment(uint64_t seq) {
    Answer(Kind::kMoment, FrameAnswer{.frame = FrameOf(kTasks, seq), .totals = std::nullopt});
  }

  std::vector<std::string> Rows() const {
    std::vector<std::string> names;
    for (const ViewRow& row : state().rows) {
      names.push_back(row.is_group() ? row.group : state().frame->items[static_cast<size_t>(row.item)].info->comm());
    }
    return names;
  }

  std::optional<Model> model_;
  std::map<Kind, Asked> asked_;
};

TEST_F(ModelTest, BeginsLiveAndSortsByCpu) {
  Begin({.expression = "rss > 1"});
  ASSERT_NE(Last<LiveQuestion>(Kind::kLive), nullptr);
  EXPECT_EQ(Last<LiveQuestion>(Kind::kLive)->scope.expression, "rss > 1");
  ASSERT_NE(Last<StretchQuestion>(Kind::kBar), nullptr);
  Live();
  EXPECT_THAT(Rows(), testing::ElementsAre("helper", "web", "init", "cron"));
}

TEST_F(ModelTest, SortKeys) {
  Begin();
  Live();
  Type("M");
  EXPECT_EQ(state().sort, "rss");
  EXPECT_EQ(Rows().front(), "init");
  Type("I");
  EXPECT_EQ(Rows().front(), "cron");
  Type("P>");
  EXPECT_EQ(state().sort, "rss") << "the column right of CPU% at 80 columns";
  Type("<<");
  EXPECT_EQ(state().sort, "state");
  Type("smajflt");
  Press(KeyCode::kEnter);
  EXPECT_EQ(state().sort, "majflt");
  const auto& metrics = Last<LiveQuestion>(Kind::kLive)->scope.metrics;
  EXPECT_NE(std::find(metrics.begin(), metrics.end(), v1::TASK_MAJOR_PAGEFAULT_COUNT), metrics.end())
      << "asked for now";
}

TEST_F(ModelTest, AFilterIsCheckedBeforeItIsAsked) {
  Begin();
  Live();
  Type("/comm ==");
  Press(KeyCode::kEnter);
  EXPECT_THAT(state().prompt.error, HasSubstr("column"));
  Type(" web");
  Press(KeyCode::kEnter);
  EXPECT_EQ(state().prompt.kind(), Prompt::Kind::kNone);
  EXPECT_EQ(Last<LiveQuestion>(Kind::kLive)->scope.expression, "comm == web");
  Press({.code = KeyCode::kChar, .ch = Control('l')});
  EXPECT_EQ(Last<LiveQuestion>(Kind::kLive)->scope.expression, "");
}

TEST_F(ModelTest, KeysInAPromptAreText) {
  Begin();
  Live();
  Type("/q");
  EXPECT_FALSE(model_->quit());
  EXPECT_EQ(state().prompt.text(), "q");
  Press(KeyCode::kEscape);
  Type("q");
  EXPECT_TRUE(model_->quit());
}

TEST_F(ModelTest, StepsBackFromLiveAndForthAndLiveAgain) {
  Begin();
  Live();
  Type("T");
  EXPECT_EQ(state().mode, Mode::kPaused);
  EXPECT_NE(Last<StopQuestion>(Kind::kLive), nullptr) << "nobody watches any more";
  EXPECT_EQ(Moment().seek, Seek::kPrevious);
  EXPECT_EQ(Moment().time_ns, kNow);
  ShowMoment(6);
  EXPECT_EQ(state().shown_ns(), kNow - kSecond);
  Type("t");
  EXPECT_EQ(Moment().seek, Seek::kNext);
  ShowMoment(7);
  Type(" ");
  EXPECT_EQ(state().mode, Mode::kLive);
  EXPECT_NE(Last<LiveQuestion>(Kind::kLive), nullptr);
}

TEST_F(ModelTest, NoStepIsLostWhenKeysAreFasterThanAnswers) {
  Begin({.file = true});
  ShowMoment(7);
  Type("TTT");
  EXPECT_EQ(Moment().time_ns, kNow);
  ShowMoment(6);
  EXPECT_EQ(Moment().time_ns, kNow - kSecond);
  ShowMoment(5);
  EXPECT_EQ(Moment().time_ns, kNow - 2 * kSecond);
  ShowMoment(4);
  EXPECT_FALSE(state().waiting);
}

TEST_F(ModelTest, AnAnswerThatNobodyWaitsForIsForgotten) {
  Begin();
  Live();
  Type("T");
  const uint64_t number = asked_[Kind::kMoment].number;
  Type(" ");
  Live(9);
  model_->Take({Kind::kMoment, number, FrameAnswer{.frame = FrameOf(kTasks, 6), .totals = std::nullopt}}, kNow);
  EXPECT_EQ(state().shown_ns(), kNow + 2 * kSecond);
}

TEST_F(ModelTest, JumpsByAnAmountAndToATime) {
  Begin();
  Live();
  Type("j-10m");
  Press(KeyCode::kEnter);
  EXPECT_EQ(Moment().time_ns, kNow - 600 * kSecond);
  ShowMoment(7 - 600);
  Type("j+1m");
  Press(KeyCode::kEnter);
  EXPECT_EQ(Moment().time_ns, kNow - 540 * kSecond) << "from what is shown";
  Type("j07:30");
  Press(KeyCode::kEnter);
  EXPECT_EQ(Moment().time_ns, kNow - (45 * 60 + 30) * kSecond);
  Type("jyesterdayy");
  Press(KeyCode::kEnter);
  EXPECT_FALSE(state().prompt.error.empty());
  Press(KeyCode::kEscape);
  Type("jnow");
  Press(KeyCode::kEnter);
  EXPECT_EQ(state().mode, Mode::kLive);
}

TEST_F(ModelTest, ATimeOutsideWhatIsStoredIsSaidAndNothingElseShown) {
  Begin();
  Live();
  Type("j-10d");
  Press(KeyCode::kEnter);
  Answer(Kind::kMoment, Failure{absl::OutOfRangeError("no data; stored is 1 to 2")});
  EXPECT_THAT(state().message, HasSubstr("stored is"));
  EXPECT_EQ(state().shown_ns(), kNow);
  EXPECT_FALSE(state().waiting);
}

TEST_F(ModelTest, FirstAndLast) {
  Begin();
  Live();
  Type("r");
  EXPECT_EQ(Moment().seek, Seek::kFirst);
  Type("Z");
  EXPECT_EQ(state().mode, Mode::kLive);
}

TEST_F(ModelTest, PlaysAtSpeedOverGapsToTheEnd) {
  Begin({.file = true});
  EXPECT_EQ(Moment().seek, Seek::kLast);
  ShowMoment(7);
  Type("]]]p");
  EXPECT_EQ(state().mode, Mode::kPlaying);
  EXPECT_DOUBLE_EQ(state().speed, 10);
  model_->Advance(kNow + kSecond);
  Collect();
  EXPECT_EQ(Moment().seek, Seek::kAt);
  EXPECT_EQ(Moment().time_ns, kNow + 10 * kSecond);
  Answer(Kind::kMoment, Failure{absl::OutOfRangeError("in a gap")});
  EXPECT_EQ(Moment().seek, Seek::kNext) << "behind the gap";
  Answer(Kind::kMoment, Failure{absl::OutOfRangeError("no later tick")});
  EXPECT_EQ(state().mode, Mode::kPaused);
  EXPECT_THAT(state().message, HasSubstr("end of the file"));
}

TEST_F(ModelTest, AFileHasNoLiveView) {
  Begin({.file = true});
  EXPECT_EQ(Last<LiveQuestion>(Kind::kLive), nullptr);
  ShowMoment(7);
  Type("Z");
  EXPECT_EQ(Moment().seek, Seek::kLast);
  Type("T");
  Answer(Kind::kMoment, Failure{absl::OutOfRangeError("none")});
  EXPECT_THAT(state().message, HasSubstr("begins here"));
}

TEST_F(ModelTest, BeginsAtATime) {
  Begin({.at_ns = kNow - 5 * kSecond});
  EXPECT_EQ(state().mode, Mode::kPaused);
  EXPECT_EQ(Moment().seek, Seek::kAt);
}

TEST_F(ModelTest, TheCursorFollowsItsTaskWhenAsked) {
  Begin();
  Live();
  Press(KeyCode::kDown);
  Type("F");
  Type("M");
  EXPECT_EQ(Rows()[static_cast<size_t>(state().cursor)], "web");
  auto without = kTasks;
  without.erase(without.begin() + 1);
  Answer(Kind::kLive, FrameAnswer{.frame = FrameOf(without, 8), .totals = std::nullopt});
  EXPECT_FALSE(state().follow);
  EXPECT_THAT(state().message, HasSubstr("gone"));
}

TEST_F(ModelTest, GroupsUnfoldWithEnterAndTreesFold) {
  Begin();
  Live();
  Type("gggg");
  EXPECT_EQ(state().group, Grouping::kUnit);
  EXPECT_EQ(Rows().front(), "") << "those without a unit are busiest";
  Press(KeyCode::kEnter);
  EXPECT_EQ(Rows().size(), 5u);
  Type("-");
  EXPECT_EQ(Rows().size(), 2u);
  Type("e");
  EXPECT_TRUE(state().tree);
  EXPECT_EQ(state().group, Grouping::kNone);
  Press(KeyCode::kHome);
  Type("-");
  EXPECT_EQ(Rows().size(), 1u);
  Type("+");
  EXPECT_EQ(Rows().size(), 4u);
}

TEST_F(ModelTest, ThePaletteDoesByNameWhatKeysDo) {
  Begin();
  Live();
  const auto run = [&](const std::string& command) {
    Type(":" + command);
    Press(KeyCode::kEnter);
  };
  run("sort rss");
  EXPECT_EQ(state().sort, "rss");
  run("g unit");
  EXPECT_EQ(state().group, Grouping::kUnit);
  run("tree");
  EXPECT_TRUE(state().tree);
  EXPECT_EQ(state().group, Grouping::kNone);
  run("unfold");
  EXPECT_FALSE(state().fold_storms);
  run("filter comm == web");
  EXPECT_EQ(state().filter, "comm == web");
  run("jump -10m");
  EXPECT_EQ(Moment().time_ns, kNow - 600 * kSecond);
  run("live");
  EXPECT_EQ(state().mode, Mode::kLive);
  run("help");
  EXPECT_EQ(state().page, Page::kHelp);
  Type("x");
  run("q");
  EXPECT_TRUE(model_->quit());
}

TEST_F(ModelTest, WhatThePaletteCannotDoStaysToBeMended) {
  Begin();
  Live();
  Type(":group nobody");
  Press(KeyCode::kEnter);
  EXPECT_THAT(state().prompt.error, HasSubstr("no grouping 'nobody'"));
  Press(KeyCode::kEscape);
  EXPECT_EQ(state().prompt.kind(), Prompt::Kind::kNone);
  Type(":gro");
  Press(KeyCode::kTab);
  Type(" us");
  Press(KeyCode::kTab);
  EXPECT_EQ(state().prompt.text(), "group user");
}

TEST_F(ModelTest, ColumnsAreChosenByName) {
  Begin();
  Live();
  Type(":columns rss, majflt,app");
  Press(KeyCode::kEnter);
  std::vector<std::string> names;
  for (const Column& column : VisibleColumns(state())) names.push_back(column.name);
  EXPECT_EQ(names, (std::vector<std::string>{"tid", "rss", "majflt", "app", "command"}));
  EXPECT_EQ(state().sort, "rss") << "the order was by a column that is gone";
  EXPECT_THAT(Last<LiveQuestion>(Kind::kLive)->scope.metrics, testing::Contains(v1::TASK_MAJOR_PAGEFAULT_COUNT));
  Type(":columns rsss");
  Press(KeyCode::kEnter);
  EXPECT_THAT(state().prompt.error, HasSubstr("no field 'rsss'"));
  Press(KeyCode::kEscape);
  Type(":columns default");
  Press(KeyCode::kEnter);
  EXPECT_EQ(state().columns.size(), DefaultColumns().size());
}

TEST_F(ModelTest, EnterAsksForTheTask) {
  Begin();
  Live();
  Press(KeyCode::kEnter);
  EXPECT_EQ(state().page, Page::kDetails);
  const auto* question = Last<TaskQuestion>(Kind::kTask);
  ASSERT_NE(question, nullptr);
  EXPECT_EQ(question->id.tid, 21);
  EXPECT_LT(question->begin_ns, question->end_ns);
  Press(KeyCode::kEscape);
  EXPECT_EQ(state().page, Page::kList);
}

TEST_F(ModelTest, ClicksChooseRowsColumnsAndTimes) {
  Begin();
  Live();
  const int first = state().layout.list_y + 1;
  Press({.code = KeyCode::kClick, .x = 3, .y = first + 2});
  EXPECT_EQ(state().cursor, 2);
  Press({.code = KeyCode::kClick, .x = 1, .y = state().layout.list_y});
  EXPECT_EQ(state().sort, "tid");
  Press({.code = KeyCode::kClick, .x = 40, .y = state().layout.bar_y});
  EXPECT_EQ(state().mode, Mode::kPaused);
  EXPECT_GT(Moment().time_ns, state().bar.begin_ns);
  EXPECT_LT(Moment().time_ns, state().bar.end_ns);
  Press({.code = KeyCode::kClick, .x = 400, .y = 400});
  Press({.code = KeyCode::kWheelDown});
}

TEST_F(ModelTest, TheTimeBarOfDetailsIsWhereItIsDrawn) {
  Begin();
  Live();
  Press(KeyCode::kEnter);
  ASSERT_EQ(state().page, Page::kDetails);
  Press({.code = KeyCode::kClick, .x = 40, .y = state().layout.bar_y});
  EXPECT_EQ(state().mode, Mode::kLive) << "text is there";
  Press({.code = KeyCode::kClick, .x = 40, .y = 1});
  EXPECT_EQ(state().mode, Mode::kPaused);
}

TEST_F(ModelTest, SurvivesEverySizeAndKeysBeforeTheFirstTick) {
  Begin();
  for (const int size : {0, 1, 2, 7, 30, 500}) {
    model_->Resize(size, size);
    Type("tTrpw]+-FHIKaegX ?xZ<>PMDNO");
    Press(KeyCode::kEnter);
    Press(KeyCode::kEscape);
    Press(KeyCode::kPageDown);
  }
  model_->Resize(80, 24);
  EXPECT_FALSE(model_->quit());
}

TEST_F(ModelTest, ALostDaemonIsSaidUntilItIsBack) {
  Begin();
  Live();
  Answer(Kind::kLive, Failure{absl::UnavailableError("taskmond is not reachable")});
  EXPECT_TRUE(state().trouble);
  Press(KeyCode::kDown);
  EXPECT_THAT(state().message, HasSubstr("not reachable"));
  Live(8);
  EXPECT_FALSE(state().trouble);
}

}  // namespace
}  // namespace taskmon::client::top

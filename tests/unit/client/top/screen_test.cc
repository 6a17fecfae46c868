// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/client/top/small_world.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/output/escape.h"
#include "client/top/model.h"
#include "client/top/screen.h"

namespace taskmon::client::top {
namespace {

using testing::HasSubstr;
using testing::Not;

class ScreenTest : public testing::Test {
 protected:
  void SetUp() override {
    setenv("TZ", "UTC", 1);
    tzset();
  }

  // A paused screen of one frame.
  Model Shown(const std::vector<TaskSpec>& tasks, int width = 80, int height = 24, bool ended = false) {
    Model model({.file = true, .width = width, .height = height}, kNow);
    const auto frame = FrameOf(tasks);
    if (ended) FrameMaker(frame->metrics).AddEnded(ExitOf(42, "short", kNow - 1), frame.get());
    Answer(Kind::kMoment, FrameAnswer{.frame = frame, .totals = std::nullopt}, &model);
    return model;
  }

  static void Answer(Kind kind, AnswerBody body, Model* model) {
    for (const Asked& asked : model->TakeQuestions()) {
      if (asked.kind == kind) model->Take({kind, asked.number, body}, kNow);
    }
  }

  static std::string Text(const Model& model) { return Draw(model.state(), kNow).Text(); }
  static std::string Line(const Model& model, int y) { return Draw(model.state(), kNow).RowText(y); }
  static void Press(char c, Model* model) {
    model->Press({.code = KeyCode::kChar, .ch = static_cast<char32_t>(c)}, kNow);
  }
};

const std::vector<TaskSpec> kTasks = {
    {.tid = 1, .comm = "init", .cpu = 0, .rss = 30 << 20, .ppid = 0, .user = "root"},
    {.tid = 4711, .comm = "web", .cpu = 98.2, .rss = 3LL << 30, .unit = "web.service"}};

TEST_F(ScreenTest, TheListAt80Columns) {
  const Model model = Shown(kTasks);
  const int y = model.state().layout.list_y;
  EXPECT_EQ(Line(model, 0), " PAUSED 2026-11-22 08:15:30 UTC  2 processes");
  EXPECT_EQ(Line(model, y), "    TID USER     S  CPU%▾   RSS  DISK/s   NET/s  COMMAND");
  EXPECT_EQ(Line(model, y + 1), "   4711 www-data R  98.2█  3.0G█      -       -  web --serve");
  EXPECT_EQ(Line(model, y + 2), "      1 root     S   0.0  30.0M▄      -       -  init --serve");
  EXPECT_THAT(Line(model, 23), HasSubstr("Space play"));
}

TEST_F(ScreenTest, AmongThreadsAWholeProcessIsToldApart) {
  v1::TaskBatch batch = BatchOf(kTasks);
  batch.mutable_tasks(0)->set_thread(true);
  SetValue(v1::TASK_THREAD_COUNT, 16, batch, batch.mutable_samples(0));
  SetValue(v1::TASK_THREAD_COUNT, 16, batch, batch.mutable_samples(1));
  FrameMaker maker(MetricsFor(DefaultColumns()));
  ASSERT_TRUE(maker.Add(batch).ok());
  Model model({.threads = true, .file = true, .width = 80, .height = 24}, kNow);
  Answer(Kind::kMoment, FrameAnswer{.frame = maker.Finish(), .totals = std::nullopt}, &model);
  const int y = model.state().layout.list_y;
  EXPECT_THAT(Line(model, 0), HasSubstr("  1 thread, 1 process"));
  EXPECT_THAT(Line(model, y + 1), HasSubstr("  Σ web --serve"));
  EXPECT_THAT(Line(model, y + 2), Not(HasSubstr("Σ")));
}

TEST_F(ScreenTest, WideScreensShowMore) {
  const Model model = Shown(kTasks, 160, 50);
  const std::string header = Line(model, model.state().layout.list_y);
  for (const char* name : {"MEM%", "RUNQ/s", "OFFCPU^", "UNIT"}) EXPECT_THAT(header, HasSubstr(name));
  EXPECT_THAT(Text(model), HasSubstr("web.service"));
}

TEST_F(ScreenTest, TheEndedAreMarked) {
  const Model model = Shown(kTasks, 80, 24, /*ended=*/true);
  EXPECT_THAT(Line(model, 0), HasSubstr("+1 ended"));
  EXPECT_THAT(Text(model), HasSubstr("X  25.0▂     -       -       -  † exit 3 short"));
}

TEST_F(ScreenTest, NamesOfTasksCannotMoveTheCursor) {
  std::vector<TaskSpec> tasks = kTasks;
  tasks[1].comm = "\x1b[2J\rmalice\xe2\x80\xae";
  tasks[1].user = "\x07\xff";
  tasks[1].unit = "a\nb";
  Model model = Shown(tasks, 160, 30);
  for (const char key : {'\0', 'e', 'g', 'g', 'g', 'g'}) {
    if (key != '\0') Press(key, &model);
    const CellBuffer cells = Draw(model.state(), kNow);
    for (int y = 0; y < cells.height(); ++y) {
      EXPECT_EQ(TerminalSafe(cells.RowText(y)), cells.RowText(y));
      EXPECT_LE(DisplayWidth(cells.RowText(y)), 160u);
    }
  }
}

TEST_F(ScreenTest, GroupsShowTotals) {
  Model model = Shown(kTasks, 110, 30);
  for (int i = 0; i < 3; ++i) Press('g', &model);
  EXPECT_THAT(Line(model, 0), HasSubstr("by user"));
  EXPECT_THAT(Text(model), HasSubstr("▸ www-data  (1)"));
}

TEST_F(ScreenTest, TheTimeBarShowsActivityGapsAndMarks) {
  Model model = Shown(kTasks);
  StretchAnswer bar;
  for (const Asked& asked : model.TakeQuestions()) {
    if (asked.kind != Kind::kBar) continue;
    bar.question = std::get<StretchQuestion>(asked.question);
    const int64_t begin_ns = bar.question.begin_ns;
    const int64_t part_ns = (bar.question.end_ns - begin_ns) / 80;
    for (int cell = 0; cell < 80; ++cell) {
      if (cell >= 20 && cell < 30) continue;  // nothing recorded
      TotalsPoint point{.time_ns = begin_ns + part_ns * cell + part_ns / 2, .elapsed_ns = part_ns / 4};
      point.values[0] = cell == 50 ? 200 : 20;
      bar.points.push_back(point);
    }
    bar.marks = {{Mark::Kind::kOom, begin_ns + part_ns * 50, begin_ns + part_ns * 50, "oom"},
                 {Mark::Kind::kDegraded, begin_ns + part_ns * 54, begin_ns + part_ns * 54, "smaps"},
                 {Mark::Kind::kAnomaly, begin_ns + part_ns * 52, begin_ns + part_ns * 52, "cpu"}};
    bar.stored_begin_ns = begin_ns;
    bar.stored_end_ns = bar.question.end_ns;
    model.Take({Kind::kBar, asked.number, bar}, kNow);
  }
  const CellBuffer cells = Draw(model.state(), kNow);
  const int y = model.state().layout.bar_y;
  EXPECT_EQ(cells.at(10, y).glyph, "▁");
  EXPECT_EQ(cells.at(24, y).glyph, "░");
  EXPECT_EQ(cells.at(50, y).glyph, "█");
  EXPECT_EQ(cells.at(50, y + 1).glyph, "X");
  EXPECT_EQ(cells.at(50, y + 1).style, Style::kAlarm);
  EXPECT_EQ(cells.at(52, y + 1).glyph, "!");
  EXPECT_EQ(cells.at(54, y + 1).glyph, "~");
  EXPECT_THAT(cells.RowText(y + 1), HasSubstr("▲")) << "where the shown tick is";
}

TEST_F(ScreenTest, HelpListsEveryKeyOfTheKeysPeopleExpect) {
  Model model = Shown(kTasks, 80, 40);
  Press('?', &model);
  const std::string text = Text(model);
  for (const char* key :
       {"Space", "T t", "j J", "r Z", "/", "Ctrl-L", "P M D N O", "<", "I", "H K a", "e g", "F", "Enter"}) {
    EXPECT_THAT(text, HasSubstr(key));
  }
}

TEST_F(ScreenTest, DetailsHaveGraphsThreadsRuleAndEvents) {
  Model model = Shown(kTasks, 100, 40);
  model.Press({.code = KeyCode::kEnter}, kNow);
  TaskAnswer answer;
  for (const Asked& asked : model.TakeQuestions()) {
    if (asked.kind != Kind::kTask) continue;
    answer.question = std::get<TaskQuestion>(asked.question);
    for (int i = 0; i < 20; ++i) {
      Reading reading{.time_ns = answer.question.begin_ns + i * kSecond};
      for (size_t m = 0; m < answer.question.metrics.size(); ++m) {
        reading.values.push_back(m == 0 ? Value{Presence::kPresent, i * 1.0, false}
                                        : Value{Presence::kUnavailable, 0, false});
      }
      answer.readings.push_back(reading);
    }
    answer.events = {ExitOf(99, "\x1b[Jchild", kNow)};
    answer.threads = FrameOf({{.tid = 4711, .comm = "web", .cpu = 98}});
    model.Take({Kind::kTask, asked.number, answer}, kNow);
  }
  const std::string text = Text(model);
  for (const char* part : {"web process 4711", "cpu 19.0%", "max 19.0%", "RULE   apps", "THREADS (1)", "EVENTS (1)",
                           "exit 3", "\\x1b[Jchild"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, Not(HasSubstr("rss"))) << "what is not known of it is not drawn";
}

TEST_F(ScreenTest, EverySizeCanBeDrawn) {
  Model model = Shown(kTasks, 80, 24, true);
  for (const char page : {'\0', '?', ' '}) {
    if (page != '\0') Press(page, &model);
    for (int width = 0; width < 200; width += 7) {
      for (int height = 0; height < 60; height += 5) {
        model.Resize(width, height);
        EXPECT_EQ(Draw(model.state(), kNow).height(), height);
      }
    }
  }
  model.Resize(80, 24);
  model.Press({.code = KeyCode::kEnter}, kNow);
  model.Resize(3, 3);
  Draw(model.state(), kNow);
}

TEST(CellBuffer, WideAndCombiningCharactersKeepTheirPlaces) {
  CellBuffer cells(6, 1);
  EXPECT_EQ(cells.Put(0, 0, "日本e\xcc\x81!"), 6);
  EXPECT_EQ(cells.at(1, 0).glyph, "");
  EXPECT_EQ(cells.at(4, 0).glyph, "e\xcc\x81");
  EXPECT_EQ(cells.RowText(0), "日本e\xcc\x81!");
  std::string marks = "x";
  for (int i = 0; i < 1000; ++i) marks += "\xcc\x81";
  cells.Put(0, 0, marks);
  EXPECT_LT(cells.at(0, 0).glyph.size(), 40u);
  cells.Put(5, 0, "日");
  EXPECT_EQ(cells.at(5, 0).glyph, "!") << "half a character is none";
}

TEST_F(ScreenTest, AStormIsALineThatUnfolds) {
  std::vector<TaskSpec> tasks = {{.tid = 9, .comm = "make", .cpu = 2}};
  for (int i = 0; i < 137; ++i) tasks.push_back({.tid = 100 + i, .comm = "cc1plus", .cpu = 0.5, .ppid = 9});
  Model model = Shown(tasks);
  const int y = model.state().layout.list_y + 1;
  EXPECT_THAT(Line(model, y), HasSubstr("68.5▅"));
  EXPECT_THAT(Line(model, y), HasSubstr("▸ make/cc1plus × 137"));
  EXPECT_THAT(Line(model, y + 1), HasSubstr("make --serve"));
  Press('+', &model);
  EXPECT_THAT(Line(model, y), HasSubstr("▾ make/cc1plus × 137"));
  EXPECT_THAT(Line(model, y + 1), HasSubstr("  cc1plus --serve"));
}

TEST_F(ScreenTest, ThePaletteTellsWhatCanBeTyped) {
  Model model = Shown(kTasks);
  Press(':', &model);
  EXPECT_EQ(Line(model, 23), ":");
  EXPECT_THAT(Line(model, 22), HasSubstr("unfold"));
  EXPECT_THAT(Text(model), HasSubstr(" columns LIST   "));
  for (const char c : std::string("so")) Press(c, &model);
  EXPECT_EQ(Line(model, 23), ":so");
  EXPECT_EQ(Line(model, 22), " sort FIELD     largest first; a second time turns it round");
  EXPECT_THAT(Text(model), Not(HasSubstr("columns LIST")));
}

}  // namespace
}  // namespace taskmon::client::top

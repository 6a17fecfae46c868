// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/client/top/small_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/top/view.h"

namespace taskmon::client::top {
namespace {

using testing::ElementsAre;

std::vector<std::string> Names(const Frame& frame, const std::vector<ViewRow>& rows) {
  std::vector<std::string> names;
  for (const ViewRow& row : rows) {
    names.push_back(row.is_group() ? row.group + ":" + std::to_string(row.members)
                                   : row.lines + frame.items[static_cast<size_t>(row.item)].info->comm());
  }
  return names;
}

ViewOptions SortedBy(const std::string& name) { return {.sort = *ColumnFor(name)}; }

const std::vector<TaskSpec> kTasks = {
    {.tid = 1, .comm = "init", .cpu = 1, .rss = 30, .ppid = 0},
    {.tid = 20, .comm = "web", .cpu = 9, .rss = 10, .unit = "web.service"},
    {.tid = 21, .comm = "helper", .cpu = 50, .rss = 20, .ppid = 20, .unit = "web.service"},
    {.tid = 30, .comm = "cron", .cpu = 0, .rss = 5}};

TEST(View, MetricsFromTheLargestNamesFromAAndInverted) {
  const auto frame = FrameOf(kTasks);
  EXPECT_THAT(Names(*frame, MakeView(*frame, SortedBy("cpu"))), ElementsAre("helper", "web", "init", "cron"));
  EXPECT_THAT(Names(*frame, MakeView(*frame, SortedBy("comm"))), ElementsAre("cron", "helper", "init", "web"));
  ViewOptions inverted = SortedBy("rss");
  inverted.invert = true;
  EXPECT_THAT(Names(*frame, MakeView(*frame, inverted)), ElementsAre("cron", "web", "helper", "init"));
  EXPECT_THAT(Names(*frame, MakeView(*frame, SortedBy("tid"))), ElementsAre("init", "web", "helper", "cron"));
}

TEST(View, ATreeHasBranchesAndFolds) {
  const auto frame = FrameOf(kTasks);
  ViewOptions options = SortedBy("cpu");
  options.tree = true;
  EXPECT_THAT(Names(*frame, MakeView(*frame, options)), ElementsAre("init", "├─web", "│ └─helper", "└─cron"));
  options.folded = {frame->items[1].id};
  const auto rows = MakeView(*frame, options);
  EXPECT_THAT(Names(*frame, rows), ElementsAre("init", "├─web", "└─cron"));
  EXPECT_TRUE(rows[1].folded);
  EXPECT_DOUBLE_EQ(frame->Get(ValuesOf(rows[1], *frame), v1::TASK_CPU_PERCENT).number, 59) << "with what it hides";
}

TEST(View, ATreeBeginsWithThoseBelowWhomMostIsDone) {
  const auto frame = FrameOf({{.tid = 2, .comm = "kthreadd", .cpu = 1, .ppid = 0},
                              {.tid = 5, .comm = "shell", .cpu = 0, .ppid = 0},
                              {.tid = 6, .comm = "make", .cpu = 0, .ppid = 5},
                              {.tid = 7, .comm = "cc1plus", .cpu = 90, .ppid = 6},
                              {.tid = 8, .comm = "tail", .cpu = 3, .ppid = 5}});
  ViewOptions options = SortedBy("cpu");
  options.tree = true;
  EXPECT_THAT(Names(*frame, MakeView(*frame, options)),
              ElementsAre("shell", "├─make", "│ └─cc1plus", "└─tail", "kthreadd"));
}

TEST(View, AReusedParentNumberMakesNoRing) {
  const auto frame =
      FrameOf({{.tid = 5, .comm = "a", .ppid = 6, .start_ns = 10}, {.tid = 6, .comm = "b", .ppid = 5, .start_ns = 20}});
  ViewOptions options = SortedBy("tid");
  options.tree = true;
  EXPECT_THAT(Names(*frame, MakeView(*frame, options)), ElementsAre("a", "└─b"));
}

TEST(View, AVeryDeepTreeStaysWithinItsLines) {
  std::vector<TaskSpec> tasks;
  for (int i = 1; i <= 30000; ++i) tasks.push_back({.tid = i, .comm = "deep", .ppid = i - 1});
  const auto frame = FrameOf(tasks);
  ViewOptions options = SortedBy("tid");
  options.tree = true;
  const auto rows = MakeView(*frame, options);
  ASSERT_EQ(rows.size(), 30000u);
  EXPECT_LT(rows.back().lines.size(), 400u);
}

TEST(View, GroupsHaveTotalsAndUnfold) {
  const auto frame = FrameOf(kTasks);
  ViewOptions options = SortedBy("cpu");
  options.group = Grouping::kUnit;
  auto rows = MakeView(*frame, options);
  EXPECT_THAT(Names(*frame, rows), ElementsAre("web.service:2", ":2"));
  EXPECT_DOUBLE_EQ(frame->Get(rows[0].sums, v1::TASK_PM_SIZE).number, 30);
  options.unfolded = {"web.service"};
  EXPECT_THAT(Names(*frame, MakeView(*frame, options)), ElementsAre("web.service:2", "  helper", "  web", ":2"));
}

// make with so many compilers, the last two of which have ended.
std::shared_ptr<Frame> StormOf(int compilers) {
  std::vector<TaskSpec> tasks = {{.tid = 1, .comm = "init", .cpu = 1, .ppid = 0}, {.tid = 9, .comm = "make", .cpu = 2}};
  for (int i = 0; i < compilers - 2; ++i) tasks.push_back({.tid = 100 + i, .comm = "cc1plus", .cpu = 3, .ppid = 9});
  auto frame = FrameOf(tasks);
  for (int i = 0; i < 2; ++i) {
    v1::Event exit = ExitOf(900 + i, "cc1plus", kNow);
    exit.mutable_task()->set_ppid(9);
    FrameMaker(frame->metrics).AddEnded(exit, frame.get());
  }
  return frame;
}

TEST(View, ManySiblingsOfOneNameAreOneLineWithTheirSum) {
  const auto frame = StormOf(20);
  ViewOptions options = SortedBy("cpu");
  const auto rows = MakeView(*frame, options);
  EXPECT_THAT(Names(*frame, rows), ElementsAre("make/cc1plus:20", "make", "init"));
  EXPECT_EQ(rows[0].ended, 2);
  EXPECT_DOUBLE_EQ(frame->Get(rows[0].sums, v1::TASK_CPU_PERCENT).number, 18 * 3 + 2 * 25);
  options.sort = *ColumnFor("comm");
  EXPECT_THAT(Names(*frame, MakeView(*frame, options)), ElementsAre("make/cc1plus:20", "init", "make"));
  options.fold_storms = false;
  EXPECT_EQ(MakeView(*frame, options).size(), 22u);
}

TEST(View, AStormUnfolds) {
  const auto frame = StormOf(20);
  ViewOptions options = SortedBy("cpu");
  options.unfolded = {MakeView(*frame, options)[0].key()};
  const auto rows = MakeView(*frame, options);
  EXPECT_EQ(rows.size(), 23u);
  EXPECT_FALSE(rows[0].folded);
  EXPECT_EQ(rows[1].lines, "  ");
}

TEST(View, AStormIsOneBranchOfATree) {
  const auto frame = StormOf(20);
  ViewOptions options = SortedBy("cpu");
  options.tree = true;
  const auto rows = MakeView(*frame, options);
  EXPECT_THAT(Names(*frame, rows), ElementsAre("init", "└─make", "make/cc1plus:20"));
  EXPECT_EQ(rows[2].lines, "  └─");
  options.unfolded = {rows[2].key()};
  const auto unfolded = MakeView(*frame, options);
  ASSERT_EQ(unfolded.size(), 23u);
  EXPECT_EQ(unfolded[3].lines, "    ├─");
  EXPECT_EQ(unfolded[22].lines, "    └─");
}

TEST(View, FewSiblingsAreNoStorm) {
  const auto frame = StormOf(19);
  EXPECT_EQ(MakeView(*frame, SortedBy("cpu")).size(), 21u);
}

TEST(View, LeavesOutWhatIsNotWanted) {
  auto frame = FrameOf(kTasks);
  FrameMaker(frame->metrics).AddEnded(ExitOf(42, "short", kNow), frame.get());
  ViewOptions options = SortedBy("tid");
  options.active_only = true;
  EXPECT_THAT(Names(*frame, MakeView(*frame, options)), ElementsAre("init", "web", "helper", "short"));
  options.ended = false;
  EXPECT_THAT(Names(*frame, MakeView(*frame, options)), ElementsAre("init", "web", "helper"));
}

TEST(Columns, AnyFieldCanBeSortedBy) {
  EXPECT_EQ(ColumnFor("majflt")->header, "MAJFLT/s");
  EXPECT_EQ(ColumnFor("task_pm_size")->name, "rss");
  EXPECT_EQ(ColumnFor("app")->attribute, Attribute::kApp);
  const auto wrong = ColumnFor("majfl");
  EXPECT_THAT(std::string(wrong.status().message()), testing::HasSubstr("did you mean 'majflt'"));
  for (const std::string& name : ColumnNames()) EXPECT_TRUE(ColumnFor(name).ok()) << name;
}

}  // namespace
}  // namespace taskmon::client::top

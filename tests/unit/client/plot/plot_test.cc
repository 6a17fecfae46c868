// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/output/escape.h"
#include "client/plot/dots.h"
#include "client/plot/graph.h"
#include "client/plot/series.h"
#include "client/plot/spark.h"

namespace taskmon::client::plot {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsNan;

TEST(Dots, EveryDotHasItsBit) {
  Dots dots(1, 1);
  dots.Set(0, 0);
  EXPECT_EQ(dots.Row(0), "⠁");
  dots.Set(1, 3);
  EXPECT_EQ(dots.Row(0), "⢁");
  dots.Column(0, 0, 3);
  dots.Column(1, 3, 0);
  EXPECT_EQ(dots.Row(0), "⣿");
}

TEST(Dots, WhatLiesOutsideIsLeftOut) {
  Dots dots(2, 1);
  dots.Set(-1, 0);
  dots.Set(4, 0);
  dots.Set(0, 4);
  dots.Line(-5, -5, 9, 9);
  EXPECT_EQ(DisplayWidth(dots.Row(0)), 2u);
  EXPECT_EQ(Dots(0, 0).width(), 0);
}

TEST(Dots, ALineLeavesNoHole) {
  for (const int to : {0, 5, 11}) {
    Dots dots(8, 3);
    dots.Line(0, 11, 15, to);
    for (int cell = 0; cell < 8; ++cell) {
      EXPECT_NE(dots.Cell(cell, 0) + dots.Cell(cell, 1) + dots.Cell(cell, 2), "   ");
    }
  }
}

TEST(Spark, NewestAtTheRightAndFilledFromBelow) {
  EXPECT_THAT(Spark({1, 2, 3, 4}, 3, 1, 4), ElementsAre(" ⣠⣾"));
  EXPECT_THAT(Spark({4}, 1, 2, 4), ElementsAre("⢸", "⢸"));
}

TEST(Spark, ALittleIsNotNothingAndUnknownIs) {
  EXPECT_THAT(Spark({0.001, std::nan("")}, 1, 1, 100), ElementsAre("⡀"));
  EXPECT_THAT(Spark({0, 0}, 1, 1, 0), ElementsAre(" "));
}

TEST(Meters, FromEmptyToFull) {
  EXPECT_EQ(Block(0), " ");
  EXPECT_EQ(Block(0.0001), "▁");
  EXPECT_EQ(Block(0.5), "▄");
  EXPECT_EQ(Block(1), "█");
  EXPECT_EQ(Block(7), "█");
  EXPECT_EQ(Block(std::nan("")), " ");
  EXPECT_EQ(Bar(0.5, 4), "██  ");
  EXPECT_EQ(Bar(0.01, 2), "▏ ");
}

TEST(NiceTop, IsARoundNumberAtOrAbove) {
  EXPECT_EQ(NiceTop(0), 1);
  EXPECT_EQ(NiceTop(1), 1);
  EXPECT_DOUBLE_EQ(NiceTop(137), 200);
  EXPECT_DOUBLE_EQ(NiceTop(0.03), 0.05);
  EXPECT_EQ(NiceTopBytes(3.0 * 1024 * 1024), 5.0 * 1024 * 1024);
}

TEST(Columns, TheLargestOfEachPart) {
  EXPECT_THAT(Columns({{0, 1}, {1, 5}, {2, 2}, {3, 3}}, 0, 4, 2), ElementsAre(5, 3));
}

TEST(Columns, BetweenReadingsTheLaterOneStandsAndGapsStayUnknown) {
  const std::vector<double> columns = Columns({{0, 1}, {2, 2}, {4, 3}, {14, 4}}, 0, 16, 16);
  EXPECT_EQ(columns[1], 2);
  EXPECT_EQ(columns[3], 3);
  EXPECT_THAT(columns[8], IsNan());
  EXPECT_EQ(columns[14], 4);
  EXPECT_THAT(Columns({}, 0, 0, 1)[0], IsNan());
}

TEST(Columns, ReadingsOutsideDoNotShow) {
  EXPECT_THAT(Columns({{-100, 9}}, 0, 10, 2), ElementsAre(IsNan(), IsNan()));
  EXPECT_THAT(Columns({{500, 9}}, 0, 10, 2), ElementsAre(IsNan(), IsNan()));
}

TEST(NiceStep, IsWhatCoarseTicksDivide) {
  EXPECT_EQ(NiceStep(1), 1'000'000'000u);
  EXPECT_EQ(NiceStep(7'700'000'000), 10'000'000'000u);
  EXPECT_EQ(NiceStep(INT64_MAX / 2), 86'400'000'000'000u);
}

GraphOptions Options(int width) {
  return {.width = width,
          .rows = 4,
          .begin_ns = 0,
          .end_ns = 100,
          .label = [](double value) { return std::to_string(static_cast<int>(value)); },
          .time = [](int64_t time_ns) { return "t" + std::to_string(100 + time_ns); }};
}

TEST(Graph, HasAxesLabelsAndTimes) {
  std::vector<Point> points;
  for (int i = 0; i < 100; ++i) points.push_back({i, i * 1.0});
  const std::vector<std::string> lines = Graph(points, Options(60));
  ASSERT_EQ(lines.size(), 6u);
  EXPECT_THAT(lines[0], HasSubstr("100┤"));
  EXPECT_THAT(lines[2], HasSubstr("50┤"));
  EXPECT_THAT(lines[4], HasSubstr("0┼┬"));
  EXPECT_THAT(lines[5], HasSubstr("t100"));
  for (const std::string& line : lines) EXPECT_LE(DisplayWidth(line), 60u) << line;
}

TEST(Graph, SurvivesNothingAndNarrowScreens) {
  EXPECT_EQ(Graph({}, Options(5)).size(), 6u);
  EXPECT_EQ(Graph({{1, std::nan("")}}, Options(30)).size(), 6u);
}

TEST(BlockColumns, SomethingIsNeverNothing) {
  EXPECT_THAT(BlockColumns({0, 0.01, 8}, 2, 8), ElementsAre("  █", " ▁█"));
}

TEST(BlockColumns, NothingKnownIsNotNothing) {
  EXPECT_THAT(BlockColumns({0, std::nan(""), 8}, 2, 8), ElementsAre("  █", " ░█"));
}

}  // namespace
}  // namespace taskmon::client::plot

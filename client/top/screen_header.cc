// SPDX-License-Identifier: Apache-2.0
//
// The top of the screen: graphs of what all tasks do together, and the time bar.
#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>

#include <fmt/format.h>

#include "client/output/escape.h"
#include "client/plot/spark.h"
#include "client/top/screen.h"

namespace taskmon::client::top {
namespace {

constexpr int kLabel = 14;  // "RUNQ 99.9ms/s"
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

// The newest points up to what is shown.
std::vector<double> Shown(const State& state, Total total) {
  std::vector<double> values;
  for (const TotalsPoint& point : state.totals) {
    if (state.mode == Mode::kLive || point.time_ns <= state.shown_ns()) values.push_back(point.get(total));
  }
  return values;
}

bool Partial(const State& state, Total total) {
  return !state.totals.empty() && state.totals.back().partial[static_cast<size_t>(total)];
}

double Highest(const std::vector<double>& values, size_t newest) {
  double top = 0;
  for (size_t i = values.size() - std::min(values.size(), newest); i < values.size(); ++i)
    top = values[i] > top ? values[i] : top;
  return top;
}

void DrawGraph(const State& state, Total total, int x, int y, int room, CellBuffer* cells) {
  const std::vector<double> values = Shown(state, total);
  const double now = values.empty() ? kNothing : values.back();
  const bool beside = state.layout.graph_rows == 1;
  const int wide = std::max(0, beside ? room - kLabel - 1 : room - 1);
  const double highest = Highest(values, static_cast<size_t>(wide) * 2);
  const bool bytes = total == Total::kMemory || total == Total::kDisk || total == Total::kNet;
  const double top = bytes ? plot::NiceTopBytes(highest) : plot::NiceTop(highest);
  const int after = cells->Put(x, y, TotalName(total), Style::kStrong);
  const std::string text = TotalText(total, now) + (Partial(state, total) ? "*" : "");
  if (beside) {
    cells->PutRight(after + 1, y, text, Style::kNormal, kLabel - 1 - (after - x) - 1);
  } else {
    cells->Put(after + 1, y, text, Style::kNormal);
    if (Highest(values, values.size()) > 0) cells->PutRight(x, y, TotalText(total, top), Style::kDim, room - 1);
  }
  const std::vector<std::string> rows = plot::Spark(values, wide, state.layout.graph_rows, top);
  for (size_t i = 0; i < rows.size(); ++i) {
    const double level =
        rows.size() == 1 ? now / top : 1 - (static_cast<double>(i) + 0.5) / static_cast<double>(rows.size());
    const Style style = total == Total::kMemory || std::isnan(level) ? Style::kLow : LevelStyle(level);
    cells->Put(beside ? x + kLabel : x, y + (beside ? 0 : 1) + static_cast<int>(i), rows[i], style);
  }
}

class Bar {
 public:
  Bar(const TimeBar& bar, int cells) : bar_(bar), cells_(cells) {}

  // -1 and `cells` for what lies outside.
  int CellOf(int64_t time_ns) const {
    const double share = static_cast<double>(time_ns - bar_.begin_ns) /
                         static_cast<double>(std::max<int64_t>(1, bar_.end_ns - bar_.begin_ns));
    return static_cast<int>(std::floor(std::clamp(share * cells_, -1.0, static_cast<double>(cells_))));
  }
  int64_t TimeOf(int cell) const { return bar_.begin_ns + (bar_.end_ns - bar_.begin_ns) / cells_ * cell; }

  // The busiest of each cell; NaN: nothing recorded.
  std::vector<double> Activity() const {
    std::vector<double> levels(static_cast<size_t>(cells_), kNothing);
    for (const TotalsPoint& point : bar_.points) {
      const int first = std::max(0, CellOf(point.time_ns - point.elapsed_ns + 1));
      const int last = std::min(cells_ - 1, CellOf(point.time_ns));
      for (int cell = first; cell <= last; ++cell) {
        double& level = levels[static_cast<size_t>(cell)];
        const double cpu = point.get(Total::kCpu);
        if (std::isnan(level) || cpu > level) level = std::isnan(cpu) ? 0 : cpu;
      }
    }
    return levels;
  }

 private:
  const TimeBar& bar_;
  const int cells_;
};

void DrawActivity(const State& state, const Bar& bar, int64_t now_ns, int y, CellBuffer* cells) {
  const std::vector<double> levels = bar.Activity();
  double top = 100;
  for (const double level : levels) top = level > top ? level : top;
  // Known to be missing: inside what is stored, and not the tick that is still to come.
  const int64_t newest_ns = std::min(now_ns, state.stored_end_ns);
  for (int x = 0; x < static_cast<int>(levels.size()); ++x) {
    const double level = levels[static_cast<size_t>(x)];
    const bool inside =
        state.stored_begin_ns != 0 && bar.TimeOf(x) >= state.stored_begin_ns && bar.TimeOf(x + 1) < newest_ns;
    if (!std::isnan(level)) {
      cells->Put(x, y, plot::Block(std::max(level / top, 0.01)), LevelStyle(level / top));
    } else if (inside && state.bar.known) {
      cells->Put(x, y, "░", Style::kDim);
    }
  }
}

void DrawTimes(const State& state, const Bar& bar, int y, CellBuffer* cells) {
  const int64_t span_ns = state.bar.end_ns - state.bar.begin_ns;
  const bool seconds = span_ns < 300'000'000'000;
  const int width = cells->width();
  for (int x = 0; x + 12 < width; x += 20) {
    cells->Put(x, y, "╵" + ClockText(bar.TimeOf(x), state.bar.end_ns, seconds), Style::kDim);
  }
  const std::string end = state.mode == Mode::kLive ? "now" : ClockText(state.bar.end_ns, state.bar.end_ns, seconds);
  cells->PutRight(0, y, end, Style::kDim, width);
}

void DrawMarks(const State& state, const Bar& bar, std::initializer_list<Mark::Kind> kinds, int y, CellBuffer* cells) {
  for (const Mark::Kind kind : kinds) {
    for (const Mark& mark : state.bar.marks) {
      if (mark.kind != kind || mark.end_ns < state.bar.begin_ns || mark.begin_ns > state.bar.end_ns) continue;
      const int last = std::min(bar.CellOf(mark.end_ns), cells->width() - 1);
      for (int x = std::max(0, bar.CellOf(mark.begin_ns)); x <= last; ++x) {
        if (kind == Mark::Kind::kGap) cells->Put(x, y, "░", Style::kDim);
        if (kind == Mark::Kind::kDegraded) cells->Put(x, y + 1, "~", Style::kMark);
        if (kind == Mark::Kind::kAnomaly) cells->Put(x, y + 1, "!", Style::kMark);
        if (kind == Mark::Kind::kOom) cells->Put(x, y + 1, "X", Style::kAlarm);
      }
    }
  }
}

}  // namespace

void DrawGraphs(const State& state, CellBuffer* cells) {
  const Layout& layout = state.layout;
  if (layout.graph_bands == 0) return;
  const int room = layout.width / layout.graphs_across;
  const int band = layout.graphs_height() / layout.graph_bands;
  for (int i = 0; i < static_cast<int>(kTotals); ++i) {
    const int x = i % layout.graphs_across * room;
    const int y = layout.graphs_y + i / layout.graphs_across * (layout.graph_rows > 1 ? layout.graph_rows + 1 : 1);
    if (i / layout.graphs_across < layout.graph_bands && band > 0)
      DrawGraph(state, static_cast<Total>(i), x, y, room, cells);
  }
}

void DrawTimeBar(const State& state, int64_t now_ns, int y, CellBuffer* cells) {
  if (state.bar.end_ns <= state.bar.begin_ns) return;
  const Bar bar(state.bar, cells->width());
  DrawActivity(state, bar, now_ns, y, cells);
  // On a bar full of anomalies the times must stay readable; an OOM kill must be seen even so.
  DrawMarks(state, bar, {Mark::Kind::kGap, Mark::Kind::kDegraded, Mark::Kind::kAnomaly}, y, cells);
  DrawTimes(state, bar, y + 1, cells);
  DrawMarks(state, bar, {Mark::Kind::kOom}, y, cells);
  if (state.mode == Mode::kLive) return;
  const int64_t shown_ns = state.shown_ns();
  if (shown_ns < state.bar.begin_ns || shown_ns > state.bar.end_ns) return;
  const int x = std::clamp(bar.CellOf(shown_ns), 0, cells->width() - 1);
  cells->Select(x, y, 1);
  cells->Put(x, y + 1, "▲", Style::kAccent);
}

}  // namespace taskmon::client::top

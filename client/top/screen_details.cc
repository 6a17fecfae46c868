// SPDX-License-Identifier: Apache-2.0
//
// All about one task: who it is, its metrics over the stretch of the time bar, its threads, its rule, its events. What
// does not fit is reached by scrolling.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "client/output/cell.h"
#include "client/output/event_text.h"
#include "client/output/units.h"
#include "client/plot/series.h"
#include "client/plot/spark.h"
#include "client/top/screen.h"

namespace taskmon::client::top {
namespace {

constexpr int kTallest = 600;
constexpr size_t kThreadsShown = 200;
constexpr size_t kEventsShown = 200;
constexpr size_t kGraphsFirst = 6;  // before threads and events; the others after them

// Lines put below each other on a sheet that may be longer than the screen.
class Sheet {
 public:
  Sheet(const State& state, int64_t now_ns)
      : state_(state), details_(state.details), now_ns_(now_ns), cells_(state.layout.width, kTallest) {}

  const CellBuffer& cells() const { return cells_; }
  int height() const { return y_; }

  void Make() {
    Who();
    if (!details_.answer || details_.answer->question.id != details_.id) return Line("reading…", Style::kDim);
    Graphs(0, kGraphsFirst);
    Rule();
    Threads();
    Events();
    Graphs(kGraphsFirst, 1000);
    if (!details_.answer->trouble.empty()) Line(details_.answer->trouble, Style::kAlarm);
  }

 private:
  void Line(const std::string& text, Style style = Style::kNormal) {
    cells_.Put(1, y_++, text, style, cells_.width() - 2);
  }
  void Heading(const std::string& text) { Line(text, Style::kStrong); }
  int width() const { return cells_.width(); }

  // The task as the shown tick has it, if it does.
  const Item* Current() const {
    if (state_.frame == nullptr) return nullptr;
    for (const Item& item : state_.frame->items) {
      if (item.id == details_.id) return &item;
    }
    return nullptr;
  }

  void Labelled(const char* label, const std::string& text, int* x) {
    if (text.empty()) return;
    const int needed = static_cast<int>(std::string_view(label).size()) + 1;
    if (*x > 1 && *x + needed + static_cast<int>(text.size()) > width() - 1) {
      ++y_;
      *x = 1;
    }
    *x = cells_.Put(*x, y_, label, Style::kDim);
    *x = cells_.Put(*x + 1, y_, text, Style::kNormal, width() - *x - 2) + 2;
  }

  void Who() {
    const Item* item = Current();
    const v1::TaskInfo& info = item == nullptr ? *details_.info : *item->info;
    int x = cells_.Put(1, y_, fmt::format("{} ", info.comm()), Style::kStrong);
    x = cells_.Put(x, y_, fmt::format("{} {}  ", info.thread() ? "thread" : "process", info.tid()));
    if (item != nullptr && item->ended_time_ns != 0) {
      const std::string how = item->exit_signal != 0 ? "killed by " + SignalName(item->exit_signal)
                                                     : fmt::format("exit {}", item->exit_code);
      x = cells_.Put(x, y_, "† " + how + "  ", Style::kAlarm);
    } else if (item == nullptr) {
      x = cells_.Put(x, y_, "not there at this time  ", Style::kMark);
    } else {
      Labelled("state", ValueText(Describe(v1::TASK_STATE), state_.frame->Get(item->values, v1::TASK_STATE)), &x);
    }
    Labelled("user", info.user().empty() ? std::to_string(info.uid()) : info.user(), &x);
    Labelled("parent", std::to_string(info.ppid()), &x);
    Labelled("started", LocalTime(info.start_time_ns(), false), &x);
    Labelled("app", info.app(), &x);
    Labelled("unit", info.unit(), &x);
    Labelled("container", info.container(), &x);
    if (info.unit().empty()) Labelled("cgroup", info.cgroup(), &x);
    ++y_;
    const std::string command = info.cmdline_redacted() ? "* (not for this user)" : info.cmdline();
    if (!command.empty()) Line(command, Style::kDim);
    ++y_;
  }

  void Graphs(size_t from, size_t to) {
    const TaskAnswer& answer = *details_.answer;
    const int across = width() >= 140 ? 4 : width() >= 100 ? 3 : 2;
    const int rows = state_.layout.height >= 40 ? 3 : 2;
    const int room = width() / across;
    const std::vector<size_t> known = KnownMetrics(answer);
    if (from == 0 && known.empty()) Line("nothing of it is stored in this stretch of time", Style::kDim), ++y_;
    if (from >= known.size()) return;
    if (from > 0) ++y_;
    const TaskQuestion& asked = answer.question;
    if (from == 0) {
      Heading(fmt::format("GRAPHS  {} to {} ({})", ClockText(asked.begin_ns, now_ns_, true),
                          ClockText(asked.end_ns, now_ns_, true),
                          HumanDuration(static_cast<double>(asked.end_ns - asked.begin_ns))));
    }
    for (size_t i = from; i < std::min(to, known.size()); ++i) {
      const int column = static_cast<int>(i - from) % across;
      if (column == 0 && i > from) y_ += rows + 1;
      Graph(known[i], column * room + 1, room - 2, rows);
    }
    y_ += rows + 2;
  }

  // Those that it has, and first those that are not 0 all the time.
  static std::vector<size_t> KnownMetrics(const TaskAnswer& answer) {
    std::vector<size_t> moving;
    std::vector<size_t> still;
    for (size_t m = 0; m < answer.question.metrics.size(); ++m) {
      bool known = false;
      bool moves = false;
      for (const Reading& reading : answer.readings) {
        known = known || reading.values[m].known();
        moves = moves || (reading.values[m].known() && reading.values[m].number != 0);
      }
      if (known) (moves ? moving : still).push_back(m);
    }
    moving.insert(moving.end(), still.begin(), still.end());
    return moving;
  }

  void Graph(size_t m, int x, int room, int rows) {
    const TaskQuestion& question = details_.answer->question;
    const MetricDesc& metric = Describe(question.metrics[m]);
    std::vector<plot::Point> points;
    double top = 0;
    for (const Reading& reading : details_.answer->readings) {
      const Value& value = reading.values[m];
      points.push_back({reading.time_ns, value.known() ? value.number : std::nan("")});
      if (value.known()) top = std::max(top, value.number);
    }
    const std::string rate = metric.kind == v1::COUNTER ? "/s" : metric.unit == v1::PERCENT ? "%" : "";
    const auto text = [&](double number) {
      return ValueText(metric, {.presence = Presence::kPresent, .number = number}) + rate;
    };
    const double now = points.empty() ? std::nan("") : points.back().value;
    int at = cells_.Put(x, y_, metric.short_name, Style::kAccent);
    at = cells_.Put(at + 1, y_, std::isnan(now) ? "-" : text(now), Style::kNormal);
    cells_.PutRight(at + 1, y_, "max " + text(top), Style::kDim, x + room - at - 1);
    const std::vector<double> columns =
        plot::Columns(points, question.begin_ns, question.end_ns, static_cast<size_t>(room) * 2);
    const std::vector<std::string> lines = plot::Spark(columns, room, rows, top > 0 ? top : 1);
    for (int row = 0; row < rows; ++row) cells_.Put(x, y_ + 1 + row, lines[static_cast<size_t>(row)], Style::kLow);
  }

  void Rule() {
    const Item* item = Current();
    const v1::TaskInfo& info = item == nullptr ? *details_.info : *item->info;
    std::string text = "RULE   ";
    for (const std::string& rule : info.rules()) text += rule + " ";
    if (info.rules().empty()) text += info.tracked() ? "decision pending" : "none: baseline";
    Line(text, Style::kStrong);
    if (!details_.answer->explanation) return;
    const v1::Decision& now = details_.answer->explanation->now();
    if (now.time_ns() == 0) return;
    Line(fmt::format("  decided {} at {}{}", ClockText(now.time_ns(), now_ns_, true), now.occasion(),
                     now.detail().empty() ? "" : ": " + HumanDetail(now.detail())),
         Style::kDim);
  }

  void Threads() {
    const Frame* frame = details_.answer->threads.get();
    if (frame == nullptr || frame->items.empty()) return;
    const auto stands = [&](const Item& item) { return frame->StandsForThreads(item); };
    if (std::any_of(frame->items.begin(), frame->items.end(), stands)) return Heading("THREADS (not stored)");
    Heading(fmt::format("THREADS ({})", frame->items.size() - frame->ended));
    static const std::vector<const char*> kNames = {"tid", "state", "cpu", "cpu_id", "runq", "offcpu_max"};
    std::vector<Column> columns;
    for (const char* name : kNames) columns.push_back(*ColumnFor(name));
    const std::vector<ViewRow> rows = MakeView(*frame, {.sort = columns[2]});
    int x = 1;
    for (const Column& column : columns) {
      cells_.PutRight(x, y_, column.header, Style::kDim, column.width);
      x += column.width + 1;
    }
    cells_.Put(x, y_++, "COMM", Style::kDim);
    for (size_t i = 0; i < std::min(rows.size(), kThreadsShown); ++i) {
      const Item& item = frame->items[static_cast<size_t>(rows[i].item)];
      const Style style = item.ended_time_ns != 0 ? Style::kEnded : Style::kNormal;
      x = 1;
      for (const Column& column : columns) {
        const std::string text = column.is_metric() ? TextOf(column, ValueOf(column, *frame, item.values))
                                 : column.attribute == Attribute::kState
                                     ? ValueText(Describe(v1::TASK_STATE), frame->Get(item.values, v1::TASK_STATE))
                                     : TextOf(column, item);
        cells_.PutRight(x, y_, text, style, column.width);
        x += column.width + 1;
      }
      cells_.Put(x, y_++, (item.ended_time_ns != 0 ? "† " : "") + item.info->comm(), style, width() - x - 1);
    }
    if (rows.size() > kThreadsShown) Line(fmt::format("… and {} more", rows.size() - kThreadsShown), Style::kDim);
  }

  void Events() {
    const std::vector<v1::Event>& events = details_.answer->events;
    Heading(fmt::format("EVENTS ({})", events.size()));
    if (events.empty()) Line("none in this stretch of time", Style::kDim);
    size_t shown = 0;
    for (auto event = events.rbegin(); event != events.rend() && shown < kEventsShown; ++event, ++shown) {
      int x = cells_.Put(1, y_, ClockText(event->time_ns(), now_ns_, true), Style::kDim);
      const bool bad = event->type() == v1::OOM_KILL || (event->type() == v1::EXIT && event->exit_signal() != 0);
      x = cells_.Put(x + 1, y_, EventTypeName(event->type()), bad ? Style::kAlarm : Style::kAccent);
      if (event->task().tid() != details_.id.tid)
        x = cells_.Put(x + 1, y_, fmt::format("{} ({})", event->task().comm(), event->task().tid()));
      cells_.Put(x + 1, y_++, EventDetail(*event, false), Style::kNormal, width() - x - 2);
    }
  }

  const State& state_;
  const Details& details_;
  const int64_t now_ns_;
  CellBuffer cells_;
  int y_ = 0;
};

}  // namespace

void DrawDetails(const State& state, int64_t now_ns, CellBuffer* cells) {
  int y = state.bar_y();
  if (state.layout.has_bar) {
    DrawTimeBar(state, now_ns, y, cells);
    y += 2;
  }
  Sheet sheet(state, now_ns);
  sheet.Make();
  const int room = std::max(1, state.layout.foot_y - y);
  const int scroll = std::clamp(state.details.scroll, 0, std::max(0, sheet.height() - room));
  for (int row = 0; row < room && scroll + row < sheet.height(); ++row)
    cells->CopyRow(sheet.cells(), scroll + row, y + row);
}

}  // namespace taskmon::client::top

// SPDX-License-Identifier: Apache-2.0
#include "client/top/screen.h"

#include <algorithm>

#include <fmt/format.h>

#include "client/output/cell.h"
#include "client/output/escape.h"
#include "client/output/units.h"

namespace taskmon::client::top {
namespace {

std::string ModeText(const State& state, int64_t now_ns) {
  const int64_t shown_ns = state.shown_ns();
  const std::string when = shown_ns == 0 ? "" : " " + LocalTime(shown_ns, false) + " " + LocalZone(shown_ns);
  switch (state.mode) {
    case Mode::kLive: return "LIVE" + when;
    case Mode::kPlaying: return fmt::format("PLAY {}x{}", state.speed, when);
    case Mode::kPaused: break;
  }
  const bool old = shown_ns != 0 && now_ns > shown_ns && !state.file;
  return "PAUSED" + when + (old ? fmt::format(" ({} ago)", HumanDuration(static_cast<double>(now_ns - shown_ns))) : "");
}

std::string Counted(size_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", Thousands(count), count == 1 ? one : many);
}

// Among threads there may be whole processes, whose threads are not stored.
std::string CountText(const State& state) {
  if (state.frame == nullptr) return "";
  const std::vector<Item>& items = state.frame->items;
  const size_t alive = items.size() - state.frame->ended;
  const auto stands = [&](const Item& item) { return !state.threads || state.frame->StandsForThreads(item); };
  const auto processes = static_cast<size_t>(std::count_if(items.begin(), items.begin() + alive, stands));
  const size_t threads = alive - processes;
  const bool both = threads > 0 && processes > 0;
  std::string text;
  if (state.threads && (both || processes == 0)) text = Counted(threads, "thread", "threads");
  if (both) text += ", ";
  if (!state.threads || processes > 0) text += Counted(processes, "process", "processes");
  if (state.frame->ended > 0) text += fmt::format(" +{} ended", state.frame->ended);
  return text;
}

std::string SettingsText(const State& state) {
  std::string text;
  if (state.group != Grouping::kNone) text += fmt::format(" by {}", GroupingName(state.group));
  if (state.tree) text += " tree";
  if (state.active_only) text += " active";
  if (!state.kernel_threads) text += " no-kernel";
  if (state.follow) text += " follow";
  return text;
}

struct HelpLine {
  const char* keys;
  const char* what;
};

constexpr HelpLine kHelp[] = {
    {"", "TIME"},
    {"Space z", "pause; again: live (a file: play)"},
    {"T t  ← →", "previous, next tick"},
    {"j J b", "jump: 14:30, -10m, +1h, \"yesterday 03:12\", now"},
    {"n N", "next, previous hit on the bar (N: when time stands still)"},
    {"r Z", "first tick; last tick or live"},
    {"p  [ ]", "play from here; slower, faster"},
    {"w W", "longer, shorter time bar; click it to go there"},
    {"", "WHICH TASKS"},
    {"/", "filter by an expression, Tab completes; Ctrl-L or Esc clears"},
    {"H K a X", "threads; kernel threads; active ones only; ended ones"},
    {"e g", "tree; group by program, app, user, unit, container"},
    {"+ - f", "unfold, fold; f: many siblings of one name as one line, or not"},
    {"", "ORDER"},
    {"P M D N O", "by CPU, memory, disk, network, longest time off the CPU"},
    {"< >  s", "by the column beside; by any field, Tab completes"},
    {"I", "turn the order round"},
    {"", "ELSE"},
    {"↑ ↓ PgUp PgDn", "move; F: the cursor follows its task"},
    {"Enter", "all about the task, or unfold the group; Esc back"},
    {":", "all of it by name, Tab completes"},
    {"? h F1   q", "this text; quit"},
    {"", "MARKS"},
    {"X ! ░", "on the bar: OOM kill, anomaly or threshold, no record"},
    {"† - * ~", "ended in this tick; unavailable; not for this user; stale"},
    {"Σ", "among threads: a whole process, whose threads are not stored"},
    {"^", "the longest single one within the tick"},
};

}  // namespace

Style LevelStyle(double share) { return share < 0.5 ? Style::kLow : share < 0.85 ? Style::kMiddle : Style::kHigh; }

std::string ClockText(int64_t wall_ns, int64_t near_ns, bool seconds) {
  const std::string text = LocalTime(wall_ns, false);  // "2026-11-22 08:15:30"
  const std::string clock = seconds ? text.substr(11) : text.substr(11, 5);
  return text.substr(0, 10) == LocalTime(near_ns, false).substr(0, 10) ? clock : text.substr(5, 6) + clock;
}

void DrawTitle(const State& state, int64_t now_ns, CellBuffer* cells) {
  cells->Fill(0, 0, cells->width(), Style::kTitle);
  int x = cells->Put(1, 0, ModeText(state, now_ns), Style::kTitle);
  x = cells->Put(x + 2, 0, CountText(state), Style::kTitle, cells->width() - x - 2);
  const std::string settings = SettingsText(state);
  x = cells->Put(x + 1, 0, settings, Style::kTitle, cells->width() - x - 1);
  if (state.waiting) x = cells->Put(x + 1, 0, "…", Style::kTitle);
  if (!state.filter.empty()) cells->Put(x + 2, 0, "filter: " + state.filter, Style::kTitle, cells->width() - x - 2);
}

void DrawHelp(const State& state, CellBuffer* cells) {
  const int height = state.layout.foot_y - 1;
  const int count = static_cast<int>(std::size(kHelp));
  const bool two = count > height && state.layout.width >= 120;
  const int room = two ? state.layout.width / 2 : state.layout.width;
  // On a small screen without its headings.
  const bool headings = count <= height * (two ? 2 : 1);
  int line = 0;
  for (const HelpLine& help : kHelp) {
    const bool heading = *help.keys == '\0';
    if (heading && !headings) continue;
    const int x = two && line >= height ? room : 0;
    const int y = 1 + (two ? line % height : line);
    if (y > height + 1) break;
    ++line;
    if (heading) {
      cells->Put(x + 1, y, help.what, Style::kStrong, room - 1);
    } else {
      cells->Put(x + 2, y, help.keys, Style::kAccent, 14);
      cells->Put(x + 17, y, help.what, Style::kNormal, room - 18);
    }
  }
}

CellBuffer Draw(const State& state, int64_t now_ns) {
  CellBuffer cells(state.layout.width, state.layout.height);
  switch (state.page) {
    case Page::kHelp: DrawHelp(state, &cells); break;
    case Page::kDetails: DrawDetails(state, now_ns, &cells); break;
    case Page::kList:
      DrawGraphs(state, &cells);
      if (state.layout.has_bar) DrawTimeBar(state, now_ns, state.bar_y(), &cells);
      DrawList(state, &cells);
      break;
  }
  DrawTitle(state, now_ns, &cells);
  DrawFoot(state, &cells);
  return cells;
}

}  // namespace taskmon::client::top

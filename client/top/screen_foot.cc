// SPDX-License-Identifier: Apache-2.0
//
// The foot of the screen: the keys, a message, or what is being typed with what may be typed above it.
#include <algorithm>

#include "client/output/escape.h"
#include "client/top/palette.h"
#include "client/top/screen.h"

namespace taskmon::client::top {
namespace {

constexpr size_t kMostCandidates = 400;  // bytes of them

const char* LabelOf(Prompt::Kind kind) {
  switch (kind) {
    case Prompt::Kind::kFilter: return "filter: ";
    case Prompt::Kind::kJump: return "go to: ";
    case Prompt::Kind::kSort: return "sort by: ";
    case Prompt::Kind::kCommand: return ":";
    case Prompt::Kind::kNone: break;
  }
  return "";
}

const char* HintOf(Prompt::Kind kind) {
  switch (kind) {
    case Prompt::Kind::kFilter: return "comm == nginx && cpu > 50%   user =~ \"^www\"   rss > 1GiB    Tab: names";
    case Prompt::Kind::kJump: return "14:30   -10m   +1h   yesterday 03:12   now";
    case Prompt::Kind::kSort: return "any metric or attribute    Tab: names";
    default: return "";
  }
}

// From the one chosen on, which stands in brackets.
std::string CandidatesText(const Prompt& prompt) {
  const std::vector<std::string>& candidates = prompt.candidates();
  std::string text;
  for (size_t i = prompt.chosen() < candidates.size() ? prompt.chosen() : 0;
       i < candidates.size() && text.size() < kMostCandidates; ++i) {
    text += i == prompt.chosen() ? "[" + candidates[i] + "] " : candidates[i] + " ";
  }
  return text;
}

// What the commands that the text may become take and do, each on a line of its own above `y`.
void DrawPalette(const State& state, int y, CellBuffer* cells) {
  const auto matches = PaletteMatches(state.prompt.text());
  int line = std::max(1, y - static_cast<int>(matches.size()));
  for (const PaletteEntry* entry : matches) {
    if (line >= y) break;
    cells->Fill(0, line, cells->width(), Style::kNormal);
    const int x = cells->Put(1, line, entry->name, Style::kAccent);
    cells->Put(x + 1, line, entry->argument, Style::kStrong);
    cells->Put(16, line, entry->help, Style::kDim, cells->width() - 16);
    ++line;
  }
}

void DrawTypedLine(const Prompt& prompt, int y, CellBuffer* cells) {
  const int width = cells->width();
  cells->Fill(0, y, width, Style::kNormal);
  const int x = cells->Put(0, y, LabelOf(prompt.kind()), Style::kAccent);
  // A line longer than the screen is shown from where the cursor can be seen.
  std::string before = TerminalSafe(prompt.text().substr(0, prompt.cursor()));
  while (static_cast<int>(DisplayWidth(before)) >= width - x - 1 && !before.empty()) {
    size_t first = 0;
    NextCodePoint(before, &first);
    before.erase(0, first);
  }
  const int cursor_x = cells->Put(x, y, before);
  cells->Put(cursor_x, y, prompt.text().substr(prompt.cursor()) + " ", Style::kNormal, width - cursor_x);
  cells->Select(cursor_x, y, 1);
}

void DrawPrompt(const State& state, int y, CellBuffer* cells) {
  const Prompt& prompt = state.prompt;
  DrawTypedLine(prompt, y, cells);
  const bool told = !prompt.error.empty() || !prompt.candidates().empty();
  if (prompt.kind() == Prompt::Kind::kCommand) {
    DrawPalette(state, told ? y - 1 : y, cells);
    if (!told) return;
  }
  const Style style = !prompt.error.empty() ? Style::kAlarm : told ? Style::kAccent : Style::kDim;
  cells->Fill(0, y - 1, cells->width(), Style::kNormal);
  cells->Put(0, y - 1,
             !prompt.error.empty() ? prompt.error
             : told                ? CandidatesText(prompt)
                                   : HintOf(prompt.kind()),
             style, cells->width());
}

struct KeyText {
  const char* key;
  const char* what;
};

void DrawKeys(const State& state, int y, CellBuffer* cells) {
  const char* space = state.mode != Mode::kPaused ? "pause" : state.file ? "play" : "live";
  const KeyText keys[] = {
      {"?", "help"},    {"Space", space},     {"T", "back"},     {state.mode == Mode::kLive ? nullptr : "t", "next"},
      {"j", "jump"},    {"/", "filter"},      {"e", "tree"},     {"g", "group"},
      {"H", "threads"}, {"Enter", "details"}, {":", "commands"}, {"w", "time bar"},
      {"s", "sort"},    {"a", "active"},      {"K", "kernel"},   {"p", "play"},
      {"X", "ended"},   {"q", "quit"}};
  int x = 0;
  for (const KeyText& key : keys) {
    if (key.key == nullptr) continue;
    const int needed = static_cast<int>(DisplayWidth(key.key) + DisplayWidth(key.what)) + 3;
    if (x + needed > cells->width()) break;
    x = cells->Put(x, y, key.key, Style::kAccent);
    x = cells->Put(x + 1, y, key.what, Style::kDim) + 2;
  }
}

}  // namespace

void DrawFoot(const State& state, CellBuffer* cells) {
  const int y = state.layout.foot_y;
  if (state.prompt.kind() != Prompt::Kind::kNone) return DrawPrompt(state, y, cells);
  if (state.message.empty()) return DrawKeys(state, y, cells);
  cells->Put(0, y, state.message, state.trouble ? Style::kAlarm : Style::kStrong, cells->width());
}

}  // namespace taskmon::client::top

// SPDX-License-Identifier: Apache-2.0
#include "client/top/curses_terminal.h"

#include <algorithm>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define NCURSES_WIDECHAR 1
#include <curses.h>

#include "client/top/prompt.h"

// From <term.h>, which takes names such as "lines" and "columns" away from everybody.
struct term;
extern "C" int setupterm(const char* term, int fd, int* error);
extern "C" struct term* set_curterm(struct term* terminal);
extern "C" int del_curterm(struct term* terminal);

namespace taskmon::client::top {
namespace {

bool g_color = false;  // as curses itself: one terminal at a time

// Glyphs are UTF-8; where the locale says nothing of it (as under "C"), the terminal is trusted to show it.
void SpeakUtf8() {
  std::setlocale(LC_CTYPE, "");
  if (std::strcmp(nl_langinfo(CODESET), "UTF-8") != 0) std::setlocale(LC_CTYPE, "C.UTF-8");
}

struct Look {
  short many;  // colour where there are 256: of middle brightness, so that it can be read on dark and on light
  short few;   // … where there are 8
  attr_t color_attributes;
  attr_t plain_attributes;  // without colour
};

Look LookOf(Style style) {
  switch (style) {
    case Style::kNormal: return {-1, -1, A_NORMAL, A_NORMAL};
    case Style::kDim: return {244, -1, A_NORMAL, A_DIM};
    case Style::kTitle: return {-1, -1, A_REVERSE, A_REVERSE};
    case Style::kHeader: return {-1, -1, A_BOLD | A_UNDERLINE, A_BOLD | A_UNDERLINE};
    case Style::kStrong: return {-1, -1, A_BOLD, A_BOLD};
    case Style::kAccent: return {32, -1, A_BOLD, A_BOLD | A_UNDERLINE};
    case Style::kLow: return {35, COLOR_GREEN, A_NORMAL, A_NORMAL};
    case Style::kMiddle: return {172, COLOR_MAGENTA, A_NORMAL, A_NORMAL};
    case Style::kHigh: return {167, COLOR_RED, A_NORMAL, A_BOLD};
    case Style::kMark: return {172, COLOR_MAGENTA, A_BOLD, A_BOLD};
    case Style::kAlarm: return {167, COLOR_RED, A_BOLD, A_BOLD | A_REVERSE};
    case Style::kEnded: return {133, COLOR_MAGENTA, A_NORMAL, A_DIM};
  }
  return {-1, -1, A_NORMAL, A_NORMAL};
}

constexpr int kStyles = static_cast<int>(Style::kEnded) + 1;

void MakePairs() {
  for (int style = 0; style < kStyles; ++style) {
    const Look look = LookOf(static_cast<Style>(style));
    init_pair(static_cast<short>(style + 1), COLORS >= 256 ? look.many : look.few, -1);
  }
}

void SetLook(const Cell& cell) {
  // Grey on the reverse of the background is hard to read.
  const Style style = cell.selected && cell.style == Style::kDim ? Style::kNormal : cell.style;
  const Look look = LookOf(style);
  // Of 8 colours those for text are too bright for a light background or too dark for a dark one.
  const bool no_color = !g_color || (COLORS < 256 && look.few < 0);
  attr_t attributes = no_color ? look.plain_attributes : look.color_attributes;
  if (cell.selected) attributes ^= A_REVERSE;
  attr_set(attributes, g_color ? static_cast<short>(static_cast<int>(style) + 1) : static_cast<short>(0), nullptr);
}

std::optional<Key> MouseKey() {
  MEVENT event;
  if (getmouse(&event) != OK) return std::nullopt;
  Key key{.code = KeyCode::kClick, .x = event.x, .y = event.y};
  if ((event.bstate & BUTTON4_PRESSED) != 0)
    key.code = KeyCode::kWheelUp;
  else if ((event.bstate & BUTTON5_PRESSED) != 0)
    key.code = KeyCode::kWheelDown;
  else if ((event.bstate & BUTTON1_DOUBLE_CLICKED) != 0)
    key.code = KeyCode::kDoubleClick;
  else if ((event.bstate & (BUTTON1_PRESSED | BUTTON1_CLICKED)) == 0)
    return std::nullopt;
  return key;
}

std::optional<Key> FunctionKey(wint_t code) {
  switch (code) {
    case KEY_UP: return Key{KeyCode::kUp};
    case KEY_DOWN: return Key{KeyCode::kDown};
    case KEY_LEFT: return Key{KeyCode::kLeft};
    case KEY_RIGHT: return Key{KeyCode::kRight};
    case KEY_PPAGE: return Key{KeyCode::kPageUp};
    case KEY_NPAGE: return Key{KeyCode::kPageDown};
    case KEY_HOME: return Key{KeyCode::kHome};
    case KEY_END: return Key{KeyCode::kEnd};
    case KEY_ENTER: return Key{KeyCode::kEnter};
    case KEY_BTAB: return Key{KeyCode::kBackTab};
    case KEY_BACKSPACE: return Key{KeyCode::kBackspace};
    case KEY_DC: return Key{KeyCode::kDelete};
    case KEY_F(1): return Key{KeyCode::kF1};
    case KEY_MOUSE: return MouseKey();
    default: return std::nullopt;
  }
}

Key PlainKey(wint_t ch) {
  switch (ch) {
    case '\r':
    case '\n': return {KeyCode::kEnter};
    case '\t': return {KeyCode::kTab};
    case 27: return {KeyCode::kEscape};
    case 8:
    case 127: return {KeyCode::kBackspace};
    default: return {KeyCode::kChar, static_cast<char32_t>(ch)};
  }
}

void PutRow(const CellBuffer& cells, int y) {
  const Cell* before = nullptr;
  bool aligned = false;  // curses' cursor is where the next cell is
  for (int x = 0; x < cells.width(); ++x) {
    const Cell& cell = cells.at(x, y);
    if (cell.glyph.empty()) continue;
    if (!aligned) move(y, x);
    if (before == nullptr || before->style != cell.style || before->selected != cell.selected) SetLook(cell);
    addstr(cell.glyph.c_str());
    // How wide other characters are is a matter of opinion.
    aligned = cell.glyph.size() == 1;
    before = &cell;
  }
}

}  // namespace

bool CursesTerminal::Usable() {
  int error = 0;
  const char* term = std::getenv("TERM");
  if (term == nullptr || std::strcmp(term, "dumb") == 0 || setupterm(term, STDOUT_FILENO, &error) != OK) return false;
  del_curterm(set_curterm(nullptr));  // curses makes its own
  return true;
}

CursesTerminal::CursesTerminal(bool color) {
  SpeakUtf8();
  initscr();
  set_escdelay(25);
  // Ctrl-C and Ctrl-Z stay signals; whoever owns the loop waits for them.
  cbreak();
  noecho();
  nonl();
  keypad(stdscr, TRUE);
  nodelay(stdscr, TRUE);
  curs_set(0);
  g_color = color && has_colors() && start_color() == OK && use_default_colors() == OK;
  if (g_color) MakePairs();
  mouseinterval(0);
  mousemask(BUTTON1_PRESSED | BUTTON1_CLICKED | BUTTON1_DOUBLE_CLICKED | BUTTON4_PRESSED | BUTTON5_PRESSED, nullptr);
}

CursesTerminal::~CursesTerminal() {
  mousemask(0, nullptr);
  endwin();
}

int CursesTerminal::width() const { return getmaxx(stdscr); }
int CursesTerminal::height() const { return getmaxy(stdscr); }

void CursesTerminal::Measure() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return;
  resizeterm(size.ws_row, size.ws_col);
  clearok(stdscr, TRUE);
}

void CursesTerminal::Show(const CellBuffer& cells) {
  erase();
  for (int y = 0; y < std::min(cells.height(), height()); ++y) PutRow(cells, y);
  refresh();
}

std::optional<Key> CursesTerminal::ReadKey() {
  while (true) {
    wint_t ch = 0;
    const int kind = get_wch(&ch);
    if (kind == ERR) return std::nullopt;
    if (kind != KEY_CODE_YES) return PlainKey(ch);
    if (std::optional<Key> key = FunctionKey(ch)) return key;
  }
}

void CursesTerminal::Suspend() { endwin(); }

void CursesTerminal::Resume() {
  Measure();
  refresh();
}

}  // namespace taskmon::client::top

// SPDX-License-Identifier: Apache-2.0
//
// What a person does: the part of Model that turns keys and clicks into changes.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "client/output/cell.h"
#include "client/top/hits.h"
#include "client/top/model.h"
#include "client/top/palette.h"
#include "daemon/query/expression.h"
#include "daemon/query/time_spec.h"

namespace taskmon::client::top {
namespace {

constexpr double kSpeeds[] = {0.5, 1, 2, 5, 10, 30, 60, 300, 1800};

std::string Trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(' ');
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

}  // namespace

void Model::Press(const Key& key, int64_t now_ns) {
  now_ns_ = now_ns;
  if (key.code == KeyCode::kChar && key.ch == Control('c')) {
    quit_ = true;
    return;
  }
  if (state_.prompt.kind() != Prompt::Kind::kNone) return PressInPrompt(key);
  if (!state_.trouble) Advise("");
  if (state_.page == Page::kHelp) {
    state_.page = state_.page_before;
    return;
  }
  const bool help = key.code == KeyCode::kF1 || (key.code == KeyCode::kChar && (key.ch == '?' || key.ch == 'h'));
  if (help) return OpenHelp();
  if (key.code == KeyCode::kChar && key.ch == ':') return OpenPrompt(Prompt::Kind::kCommand);
  if (key.code == KeyCode::kChar && PressTime(key.ch)) return;
  if (state_.page == Page::kDetails) return PressInDetails(key);
  PressInList(key);
}

void Model::OpenHelp() { state_.page_before = std::exchange(state_.page, Page::kHelp); }

// Keys that move in time, on every page.
bool Model::PressTime(char32_t ch) {
  using Seek = MomentQuestion::Seek;
  const bool live = state_.mode == Mode::kLive;
  if (ch == ' ' || ch == 'z') {
    if (live) {
      Pause();
    } else if (state_.mode == Mode::kPlaying) {
      Pause();
    } else if (state_.file) {
      Play();
    } else {
      GoLive();
    }
    return true;
  }
  switch (ch) {
    case 't':
      if (live) {
        Advise("this is the newest tick; T steps back");
      } else {
        Step(Seek::kNext);
      }
      return true;
    case 'T':
      if (state_.frame != nullptr) Step(Seek::kPrevious);
      return true;
    case 'r': Pause(), this->Seek(Seek::kFirst, 0); return true;
    case 'Z':
      if (!state_.file) GoLive();
      if (state_.file) Pause(), this->Seek(Seek::kLast, 0);
      return true;
    case 'n': SeekHit(1); return true;
    case 'N':
      if (live) return false;  // sorts by network
      SeekHit(-1);
      return true;
    case 'j':
    case 'J':
    case 'b': OpenPrompt(Prompt::Kind::kJump); return true;
    case 'p':
      if (state_.mode == Mode::kPlaying) {
        Pause();
      } else {
        Play();
      }
      return true;
    case '[':
    case ']': {
      const auto* at = std::find(std::begin(kSpeeds), std::end(kSpeeds), state_.speed);
      const auto index = at - std::begin(kSpeeds) + (ch == ']' ? 1 : -1);
      state_.speed = kSpeeds[std::clamp<std::ptrdiff_t>(index, 0, std::size(kSpeeds) - 1)];
      Advise(fmt::format("plays at {}x", state_.speed));
      return true;
    }
    case 'w':
    case 'W':
      state_.span = (state_.span + (ch == 'w' ? 1 : Spans().size() - 1)) % Spans().size();
      if (state_.mode == Mode::kLive || state_.frame != nullptr) AskBar(true);
      if (state_.page == Page::kDetails) AskDetails();
      return true;
    default: return false;
  }
}

// To the next or previous thing on the bar: an OOM kill, an anomaly, a gap's end, or where the CPUs begin to be busy.
void Model::SeekHit(int direction) {
  if (state_.frame == nullptr) return;
  const int64_t from_ns = direction > 0 ? state_.shown_ns() : state_.frame->begin_ns();
  const std::optional<int64_t> hit = NextHit(state_.bar.points, state_.bar.marks, from_ns, direction);
  if (!hit) {
    Advise(fmt::format("nothing {} on the bar; w shows a longer time", direction > 0 ? "later" : "earlier"));
    return;
  }
  Pause();
  Seek(MomentQuestion::Seek::kNext, *hit - 1);  // the tick in which it was
}

void Model::PressInList(const Key& key) {
  switch (key.code) {
    case KeyCode::kUp: return MoveCursor(-1);
    case KeyCode::kDown: return MoveCursor(1);
    case KeyCode::kPageUp: return MoveCursor(-std::max(1, state_.layout.list_rows - 1));
    case KeyCode::kPageDown: return MoveCursor(std::max(1, state_.layout.list_rows - 1));
    case KeyCode::kHome: return MoveCursor(-static_cast<int>(state_.rows.size()));
    case KeyCode::kEnd: return MoveCursor(static_cast<int>(state_.rows.size()));
    case KeyCode::kWheelUp: return MoveCursor(-3);
    case KeyCode::kWheelDown: return MoveCursor(3);
    case KeyCode::kLeft: return PressTime('T'), void();
    case KeyCode::kRight: return PressTime('t'), void();
    case KeyCode::kClick:
    case KeyCode::kDoubleClick: return MouseAt(key);
    case KeyCode::kEnter: return OpenDetails();
    case KeyCode::kEscape:
      if (!state_.filter.empty()) EnterFilter("");
      return;
    case KeyCode::kChar: return PressChar(key.ch);
    default: return;
  }
}

void Model::PressChar(char32_t ch) {
  switch (ch) {
    case 'q': quit_ = true; return;
    case '/': return OpenPrompt(Prompt::Kind::kFilter);
    case Control('l'): EnterFilter(""); return;
    case 's': return OpenPrompt(Prompt::Kind::kSort);
    case 'P': return SortBy("cpu");
    case 'M': return SortBy("rss");
    case 'D': return SortBy("disk");
    case 'N': return SortBy("net");
    case 'O': return SortBy("offcpu_max");
    case '<': return MoveSort(-1);
    case '>': return MoveSort(1);
    case Control('f'): return MoveCursor(std::max(1, state_.layout.list_rows - 1));
    case Control('b'): return MoveCursor(-std::max(1, state_.layout.list_rows - 1));
    case '+': return Fold(false);
    case '-': return Fold(true);
    case 'F':
      state_.follow = !state_.follow;
      return Advise(state_.follow ? "the cursor follows its task" : "the cursor stays where it is");
    case 'H': state_.threads = !state_.threads; return AskAgain();
    case 'I': state_.invert = !state_.invert; break;
    case 'K': state_.kernel_threads = !state_.kernel_threads; break;
    case 'a': state_.active_only = !state_.active_only; break;
    case 'X': state_.ended = !state_.ended; break;
    case 'f':
      state_.fold_storms = !state_.fold_storms;
      Advise(state_.fold_storms ? "many siblings of one name are one line" : "every task has a line");
      break;
    case 'e':
      state_.tree = !state_.tree;
      state_.group = Grouping::kNone;
      break;
    case 'g': return GroupBy(NextGrouping(state_.group));
    default: return;
  }
  Rebuild(true);
}

void Model::PressInDetails(const Key& key) {
  Details& details = state_.details;
  const bool leave = key.code == KeyCode::kEscape || key.code == KeyCode::kEnter || key.code == KeyCode::kBackspace ||
                     (key.code == KeyCode::kChar && key.ch == 'q');
  if (leave) {
    state_.page = Page::kList;
    return;
  }
  int by = 0;
  switch (key.code) {
    case KeyCode::kUp: by = -1; break;
    case KeyCode::kDown: by = 1; break;
    case KeyCode::kPageUp: by = -state_.layout.height / 2; break;
    case KeyCode::kPageDown: by = state_.layout.height / 2; break;
    case KeyCode::kWheelUp: by = -3; break;
    case KeyCode::kWheelDown: by = 3; break;
    case KeyCode::kHome: by = -details.scroll; break;
    case KeyCode::kLeft: return PressTime('T'), void();
    case KeyCode::kRight: return PressTime('t'), void();
    case KeyCode::kClick: return MouseAt(key);
    default: break;
  }
  details.scroll = std::clamp(details.scroll + by, 0, 10000);
}

void Model::OpenPrompt(Prompt::Kind kind) {
  if (kind == Prompt::Kind::kFilter) state_.prompt = Prompt(kind, state_.filter, FilterWords());
  if (kind == Prompt::Kind::kSort) state_.prompt = Prompt(kind, "", ColumnNames());
  if (kind == Prompt::Kind::kJump) state_.prompt = Prompt(kind, "", {"now", "yesterday"});
  if (kind == Prompt::Kind::kCommand) state_.prompt = Prompt(kind, "", PaletteWords(""));
  jump_from_ns_ = state_.shown_ns();
}

void Model::PressInPrompt(const Key& key) {
  const Prompt::Outcome outcome = state_.prompt.Press(key);
  if (state_.prompt.kind() == Prompt::Kind::kCommand) state_.prompt.Offer(PaletteWords(state_.prompt.text()));
  if (outcome == Prompt::Outcome::kEntered && !Enter(Trimmed(state_.prompt.text()))) return;
  if (outcome != Prompt::Outcome::kOpen) state_.prompt = Prompt();
}

bool Model::Enter(const std::string& text) {
  switch (state_.prompt.kind()) {
    case Prompt::Kind::kFilter: return EnterFilter(text);
    case Prompt::Kind::kJump: return EnterJump(text);
    case Prompt::Kind::kSort: return EnterSort(text);
    case Prompt::Kind::kCommand: return EnterCommand(text);
    case Prompt::Kind::kNone: break;
  }
  return true;
}

bool Model::EnterFilter(const std::string& text) {
  const absl::StatusOr<query::Expression> parsed = query::Expression::Parse(text);
  if (!parsed.ok()) {
    state_.prompt.error = std::string(parsed.status().message());
    return false;
  }
  if (text == state_.filter) return true;
  state_.filter = text;
  state_.cursor = 0;
  AskAgain();
  return true;
}

// "+10m" and "-10m" from what is shown; everything else as --at has it.
bool Model::EnterJump(const std::string& text) {
  if (text.empty()) return true;
  const int64_t newest_ns = state_.file && state_.stored_end_ns != 0 ? state_.stored_end_ns : now_ns_;
  const bool relative = text.front() == '+' || text.front() == '-';
  const absl::StatusOr<int64_t> time =
      relative ? query::ParseDuration(Trimmed(text.substr(1))) : query::ParseTime(text, newest_ns);
  if (!time.ok()) {
    state_.prompt.error = std::string(time.status().message());
    return false;
  }
  int64_t to_ns = *time;
  if (relative) to_ns = (jump_from_ns_ == 0 ? newest_ns : jump_from_ns_) + (text.front() == '+' ? *time : -*time);
  if (to_ns >= newest_ns && !state_.file) {
    GoLive();
  } else {
    Pause();
    Seek(to_ns >= newest_ns ? MomentQuestion::Seek::kLast : MomentQuestion::Seek::kAt, to_ns);
  }
  return true;
}

bool Model::EnterSort(const std::string& text) {
  if (text.empty()) return true;
  const absl::StatusOr<Column> column = ColumnFor(text);
  if (!column.ok()) {
    state_.prompt.error = std::string(column.status().message());
    return false;
  }
  const bool there = std::any_of(state_.columns.begin(), state_.columns.end(),
                                 [&](const Column& each) { return each.name == column->name; });
  if (!there) {
    state_.columns.insert(state_.columns.end() - 1, *column);
    AskAgain();
  }
  SortBy(column->name);
  return true;
}

void Model::GroupBy(Grouping group) {
  state_.group = group;
  state_.tree = false;
  state_.unfolded.clear();
  state_.cursor = 0;
  Rebuild(false);
}

void Model::SortBy(const std::string& name) {
  if (state_.sort == name) {
    state_.invert = !state_.invert;
  } else {
    state_.invert = false;
  }
  state_.sort = name;
  state_.cursor = state_.follow ? state_.cursor : 0;
  Rebuild(state_.follow);
}

void Model::MoveSort(int by) {
  const std::vector<Column> visible = VisibleColumns(state_);
  const auto at =
      std::find_if(visible.begin(), visible.end(), [&](const Column& column) { return column.name == state_.sort; });
  const auto count = static_cast<std::ptrdiff_t>(visible.size());
  const std::ptrdiff_t index = (at - visible.begin() + by + count) % count;
  state_.invert = false;
  SortBy(visible[static_cast<size_t>(index)].name);
}

void Model::MoveCursor(int by) {
  const int last = std::max(0, static_cast<int>(state_.rows.size()) - 1);
  state_.cursor = std::clamp(state_.cursor + by, 0, last);
  KeepCursorVisible();
}

void Model::Fold(bool folded) {
  if (const std::optional<TaskId> task = SelectedTask()) {
    folded ? (void)state_.folded.insert(*task) : (void)state_.folded.erase(*task);
  } else if (!state_.rows.empty()) {
    const std::string group = state_.rows[static_cast<size_t>(state_.cursor)].key();
    folded ? (void)state_.unfolded.erase(group) : (void)state_.unfolded.insert(group);
  }
  Rebuild(true);
}

void Model::OpenDetails() {
  if (state_.rows.empty() || state_.frame == nullptr) return;
  const ViewRow& row = state_.rows[static_cast<size_t>(state_.cursor)];
  if (row.is_group()) return Fold(!row.folded);
  const Item& item = state_.frame->items[static_cast<size_t>(row.item)];
  state_.details = {.id = item.id, .tgid = item.info->tgid(), .info = item.info};
  state_.page = Page::kDetails;
  AskDetails();
}

void Model::MouseAt(const Key& key) {
  const Layout& layout = state_.layout;
  if (layout.has_bar && (key.y == state_.bar_y() || key.y == state_.bar_y() + 1)) {
    const TimeBar& bar = state_.bar;
    const double share = (key.x + 0.5) / std::max(1, layout.width);
    Pause();
    return Seek(MomentQuestion::Seek::kAt,
                bar.begin_ns + static_cast<int64_t>(share * static_cast<double>(bar.end_ns - bar.begin_ns)));
  }
  if (state_.page != Page::kList) return;
  if (key.y == layout.list_y) return ClickHeader(key.x);
  const int row = state_.scroll + key.y - layout.list_y - 1;
  if (key.y <= layout.list_y || key.y >= layout.foot_y || row >= static_cast<int>(state_.rows.size())) return;
  const bool again = state_.cursor == row;
  state_.cursor = row;
  if (key.code == KeyCode::kDoubleClick || again) OpenDetails();
}

void Model::ClickHeader(int x) {
  int end = 0;
  for (const Column& column : VisibleColumns(state_)) {
    end += column.width + 1 + (column.meter ? 1 : 0);
    if (x < end || column.width == 0) return SortBy(column.name);
  }
}

std::optional<TaskId> Model::SelectedTask() const {
  if (state_.frame == nullptr || state_.cursor >= static_cast<int>(state_.rows.size())) return std::nullopt;
  const ViewRow& row = state_.rows[static_cast<size_t>(state_.cursor)];
  if (row.is_group()) return std::nullopt;
  return state_.frame->items[static_cast<size_t>(row.item)].id;
}

void Model::KeepCursorVisible() {
  const int rows = state_.layout.list_rows;
  const int last = std::max(0, static_cast<int>(state_.rows.size()) - 1);
  state_.cursor = std::clamp(state_.cursor, 0, last);
  if (state_.cursor < state_.scroll) state_.scroll = state_.cursor;
  if (rows > 0 && state_.cursor >= state_.scroll + rows) state_.scroll = state_.cursor - rows + 1;
  state_.scroll = std::clamp(state_.scroll, 0, std::max(0, last + 1 - std::max(1, rows)));
}

}  // namespace taskmon::client::top

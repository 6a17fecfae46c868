// SPDX-License-Identifier: Apache-2.0
//
// What `top` shows and does, without a terminal and without a daemon: keys, answers and the clock go in, a State to
// draw and questions to ask come out. Belongs to one thread.
//
//            Space, T, j, r                p
//   live  ───────────────────►  paused  ──────►  playing
//         ◄───────────────────          ◄──────           at the record's end: live, or with a file paused
//            Space, Z                      Space
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/top/column.h"
#include "client/top/key.h"
#include "client/top/layout.h"
#include "client/top/prompt.h"
#include "client/top/question.h"
#include "client/top/view.h"

namespace taskmon::client::top {

enum class Mode { kLive, kPaused, kPlaying };
enum class Page { kList, kDetails, kHelp };

// The stretch of time at the top of the screen.
struct TimeBar {
  int64_t begin_ns = 0;
  int64_t end_ns = 0;
  bool known = false;  // points and marks are of this stretch
  uint64_t step_ns = 0;
  std::vector<TotalsPoint> points;  // oldest first
  std::vector<Mark> marks;
};

struct Details {
  TaskId id;
  int32_t tgid = 0;
  std::shared_ptr<const v1::TaskInfo> info;
  std::optional<TaskAnswer> answer;
  int64_t asked_ns = 0;
  int scroll = 0;
};

struct State {
  Layout layout;
  Mode mode = Mode::kLive;
  Page page = Page::kList;
  Page page_before = Page::kList;  // where help leads back to
  bool file = false;
  std::shared_ptr<const Frame> frame;  // null: none yet
  std::vector<ViewRow> rows;
  std::vector<Column> columns;
  std::string sort = "cpu";  // a column's name
  bool invert = false;
  bool threads = false;
  bool kernel_threads = true;
  bool active_only = false;
  bool ended = true;  // list those that ended in the tick
  bool tree = false;
  bool fold_storms = true;
  bool follow = false;
  Grouping group = Grouping::kNone;
  std::string filter;
  int cursor = 0;  // into rows
  int scroll = 0;
  std::set<TaskId> folded;
  std::set<std::string> unfolded;
  Prompt prompt;
  Details details;
  std::vector<TotalsPoint> totals;  // by time, for the graphs at the top
  TimeBar bar;
  size_t span = 0;  // of the bar: index into Spans()
  double speed = 1;
  std::string message;
  bool trouble = false;         // the message tells of one
  bool waiting = false;         // for a moment that was asked for
  int64_t stored_begin_ns = 0;  // 0: not known
  int64_t stored_end_ns = 0;

  // The page of details has no graphs above the time bar.
  int bar_y() const { return page == Page::kDetails ? layout.graphs_y : layout.bar_y; }
  int64_t shown_ns() const { return frame == nullptr ? 0 : frame->tick.time_ns(); }
};

// Which columns fit, the one sorted by always.
std::vector<Column> VisibleColumns(const State& state);
const Column& SortColumn(const State& state);

// Lengths of the bar, shortest first; the last stands for all that is stored.
const std::vector<int64_t>& Spans();

struct Start {
  std::string expression;
  bool threads = false;
  bool file = false;
  std::optional<int64_t> at_ns;
  int width = 80;
  int height = 24;
};

class Model {
 public:
  Model(const Start& start, int64_t now_ns);

  const State& state() const { return state_; }
  bool quit() const { return quit_; }

  void Resize(int width, int height);
  void Press(const Key& key, int64_t now_ns);
  void Take(Answer answer, int64_t now_ns);
  // The clock went on: plays, and renews what is shown for a while.
  void Advance(int64_t now_ns);
  // When Advance has something to do next.
  int64_t next_ns() const { return next_ns_; }

  // What is to be asked since the last call.
  std::vector<Asked> TakeQuestions();

 private:
  // model.cc: time and answers
  void Ask(Kind kind, Question question);
  bool IsCurrent(const Answer& answer) const;
  Scope CurrentScope() const;
  void AskAgain();
  void GoLive();
  void Pause();
  void Play();
  void Seek(MomentQuestion::Seek seek, int64_t time_ns);
  void Step(MomentQuestion::Seek seek);
  void TakeFrame(const FrameAnswer& answer);
  void TakeTotals(const TotalsPoint& point);
  void TakeStretch(StretchAnswer answer);
  void TakeFailure(Kind kind, const absl::Status& status);
  void EndOfRecord();
  void AskGraphs();
  void AskBar(bool renew);
  void AskDetails();
  void Advise(std::string message, bool trouble = false);

  // model_view.cc
  void Rebuild(bool keep_task);

  // model_keys.cc: what a person does
  void PressInList(const Key& key);
  void PressChar(char32_t ch);
  bool PressTime(char32_t ch);
  void SeekHit(int direction);
  void PressInDetails(const Key& key);
  void PressInPrompt(const Key& key);
  bool Enter(const std::string& text);
  bool EnterFilter(const std::string& text);
  bool EnterJump(const std::string& text);
  bool EnterSort(const std::string& text);
  void OpenHelp();
  void OpenPrompt(Prompt::Kind kind);
  void MouseAt(const Key& key);
  void ClickHeader(int x);
  void GroupBy(Grouping group);
  void SortBy(const std::string& name);
  void MoveSort(int by);
  void MoveCursor(int by);
  void Fold(bool folded);
  void OpenDetails();
  void KeepCursorVisible();
  std::optional<TaskId> SelectedTask() const;

  // model_palette.cc
  bool EnterCommand(const std::string& text);
  bool EnterGroup(const std::string& text);
  bool EnterColumns(const std::string& text);

  // What a row is about, whatever frame it is of.
  struct RowName {
    TaskId id;
    std::string group;
    bool operator==(const RowName&) const = default;
  };

  State state_;
  std::vector<RowName> names_;  // parallel to State::rows
  int64_t now_ns_ = 0;
  bool quit_ = false;
  std::vector<Asked> asked_;
  uint64_t numbers_[5] = {};  // of the newest question of each kind
  uint64_t last_number_ = 0;
  MomentQuestion moment_;  // asked last
  int64_t play_ns_ = 0;    // where playing has got to
  int64_t advanced_ns_ = 0;
  int64_t bar_asked_ns_ = 0;
  int64_t next_ns_ = 0;
  int64_t jump_from_ns_ = 0;
  int steps_ = 0;  // of moment_.seek's kind, to be asked after the one asked now
};

}  // namespace taskmon::client::top

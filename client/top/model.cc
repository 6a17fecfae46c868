// SPDX-License-Identifier: Apache-2.0
#include "client/top/model.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "client/plot/series.h"

namespace taskmon::client::top {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kPlayEvery = kSecond / 10;
constexpr int64_t kDetailsEvery = 3 * kSecond;
constexpr int64_t kBarEvery = 15 * kSecond;  // while live; ticks that come are added meanwhile
constexpr int64_t kGraphSamples = 160;
constexpr size_t kMostTotals = 2000;
constexpr size_t kMostMarks = 20000;

const std::vector<v1::Metric>& DetailMetrics() {
  static const std::vector<v1::Metric> kMetrics = {v1::TASK_CPU_PERCENT,
                                                   v1::TASK_PM_SIZE,
                                                   v1::TASK_READ_BYTES,
                                                   v1::TASK_WRITE_BYTES,
                                                   v1::TASK_NET_RX_BYTES,
                                                   v1::TASK_NET_TX_BYTES,
                                                   v1::TASK_RUNQ_WAIT_TIME,
                                                   v1::TASK_SWITCH_OFFCPU_TIME_MAX,
                                                   v1::TASK_IO_WAIT_TIME_MAX,
                                                   v1::TASK_THREAD_COUNT,
                                                   v1::TASK_FD_COUNT,
                                                   v1::TASK_MINOR_PAGEFAULT_COUNT,
                                                   v1::TASK_MAJOR_PAGEFAULT_COUNT,
                                                   v1::TASK_VOLUNTARY_SWITCH_COUNT};
  return kMetrics;
}

}  // namespace

const std::vector<int64_t>& Spans() {
  static const std::vector<int64_t> kSpans = {10 * kMinute, 60 * kMinute, 6 * 60 * kMinute, 24 * 60 * kMinute, 0};
  return kSpans;
}

const Column& SortColumn(const State& state) {
  const auto found = std::find_if(state.columns.begin(), state.columns.end(),
                                  [&](const Column& column) { return column.name == state.sort; });
  return found == state.columns.end() ? state.columns.front() : *found;
}

std::vector<Column> VisibleColumns(const State& state) {
  // Without systemd nobody has a unit.
  const bool units = state.frame != nullptr && std::any_of(state.frame->items.begin(), state.frame->items.end(),
                                                           [](const Item& item) { return !item.info->unit().empty(); });
  std::vector<Column> visible;
  for (const Column& column : state.columns) {
    const bool empty = column.attribute == Attribute::kUnit && !units;
    if ((column.narrowest <= state.layout.width && !empty) || column.name == state.sort) visible.push_back(column);
  }
  return visible;
}

Model::Model(const Start& start, int64_t now_ns) : now_ns_(now_ns) {
  state_.columns = DefaultColumns();
  state_.filter = start.expression;
  state_.threads = start.threads;
  state_.file = start.file;
  state_.span = start.file ? Spans().size() - 1 : 0;
  Resize(start.width, start.height);
  next_ns_ = now_ns + kSecond;
  if (!start.file && !start.at_ns) {
    GoLive();
    return;
  }
  state_.mode = Mode::kPaused;
  Seek(start.at_ns ? MomentQuestion::Seek::kAt : MomentQuestion::Seek::kLast, start.at_ns.value_or(0));
}

void Model::Resize(int width, int height) {
  state_.layout = LayoutOf(width, height);
  KeepCursorVisible();
}

std::vector<Asked> Model::TakeQuestions() { return std::exchange(asked_, {}); }

void Model::Ask(Kind kind, Question question) {
  const uint64_t number = ++last_number_;
  numbers_[static_cast<size_t>(kind)] = number;
  asked_.push_back({kind, number, std::move(question)});
}

bool Model::IsCurrent(const Answer& answer) const {
  return numbers_[static_cast<size_t>(answer.kind)] == answer.number;
}

Scope Model::CurrentScope() const {
  return {.expression = state_.filter, .threads = state_.threads, .metrics = MetricsFor(state_.columns)};
}

void Model::AskAgain() {
  if (state_.mode == Mode::kLive) return Ask(Kind::kLive, LiveQuestion{CurrentScope()});
  if (state_.frame != nullptr) {
    Seek(MomentQuestion::Seek::kAt, state_.shown_ns());
  } else {
    Seek(moment_.seek, moment_.time_ns);
  }
}

void Model::GoLive() {
  state_.mode = Mode::kLive;
  state_.waiting = false;
  state_.totals.clear();
  ++numbers_[static_cast<size_t>(Kind::kMoment)];  // nobody waits for a moment any more
  Ask(Kind::kLive, LiveQuestion{CurrentScope()});
  AskGraphs();
  AskBar(true);
}

void Model::Pause() {
  if (state_.mode == Mode::kLive) Ask(Kind::kLive, StopQuestion{});
  state_.mode = Mode::kPaused;
}

void Model::Play() {
  if (state_.frame == nullptr) return;
  if (state_.mode == Mode::kLive) return Advise("the live view plays already; T or j goes back in time");
  state_.mode = Mode::kPlaying;
  play_ns_ = state_.shown_ns();
  advanced_ns_ = now_ns_;
}

void Model::Seek(MomentQuestion::Seek seek, int64_t time_ns) {
  if (state_.mode == Mode::kLive) Pause();
  moment_ = {.seek = seek, .time_ns = time_ns, .scope = CurrentScope()};
  state_.waiting = true;
  Ask(Kind::kMoment, moment_);
}

void Model::Take(Answer answer, int64_t now_ns) {
  now_ns_ = now_ns;
  if (!IsCurrent(answer)) return;
  if (auto* frame = std::get_if<FrameAnswer>(&answer.body)) {
    if (answer.kind == Kind::kMoment) state_.waiting = false;
    TakeFrame(*frame);
  } else if (auto* totals = std::get_if<LiveTotals>(&answer.body)) {
    TakeTotals(totals->point);
  } else if (auto* events = std::get_if<LiveEvents>(&answer.body)) {
    for (const v1::Event& event : events->events) {
      const std::optional<Mark> mark = MarkOf(event);
      const bool there =
          mark && std::find(state_.bar.marks.begin(), state_.bar.marks.end(), *mark) != state_.bar.marks.end();
      if (mark && !there && state_.bar.marks.size() < kMostMarks) state_.bar.marks.push_back(*mark);
    }
  } else if (auto* stretch = std::get_if<StretchAnswer>(&answer.body)) {
    TakeStretch(std::move(*stretch));
  } else if (auto* task = std::get_if<TaskAnswer>(&answer.body)) {
    state_.details.answer = std::move(*task);
  } else {
    TakeFailure(answer.kind, std::get<Failure>(answer.body).status);
  }
}

void Model::TakeFrame(const FrameAnswer& answer) {
  const bool first = state_.frame == nullptr;
  state_.frame = answer.frame;
  if (state_.trouble) Advise("");
  if (answer.totals) TakeTotals(*answer.totals);
  // At the top of the list a person looks at whoever is first, elsewhere at the task that the cursor is on.
  Rebuild(/*keep_task=*/state_.follow || (state_.cursor > 0 && (state_.mode != Mode::kLive || state_.tree)));
  if (state_.mode == Mode::kLive) return;
  if (state_.mode == Mode::kPaused) play_ns_ = state_.shown_ns();
  AskGraphs();
  AskBar(first);
  if (state_.page == Page::kDetails) AskDetails();
}

void Model::TakeTotals(const TotalsPoint& point) {
  const auto append = [&](std::vector<TotalsPoint>* points) {
    if (!points->empty() && points->back().time_ns >= point.time_ns) return;
    points->push_back(point);
    if (points->size() > kMostTotals) points->erase(points->begin());
  };
  append(&state_.totals);
  append(&state_.bar.points);
  state_.stored_end_ns = std::max(state_.stored_end_ns, point.time_ns);
}

void Model::TakeStretch(StretchAnswer answer) {
  if (answer.stored_end_ns != 0) {
    const bool learnt = state_.stored_begin_ns == 0;
    state_.stored_begin_ns = answer.stored_begin_ns;
    state_.stored_end_ns = std::max(answer.stored_end_ns, state_.mode == Mode::kLive ? state_.stored_end_ns : 0);
    // "All that is stored" was a guess until now.
    if (learnt && Spans()[state_.span] == 0) AskBar(true);
  }
  const bool bar = answer.question.purpose == StretchQuestion::Purpose::kBar;
  std::vector<TotalsPoint>& points = bar ? state_.bar.points : state_.totals;
  std::vector<TotalsPoint> newer;
  const int64_t last_ns = answer.points.empty() ? 0 : answer.points.back().time_ns;
  for (const TotalsPoint& point : points) {
    if (state_.mode == Mode::kLive && point.time_ns > last_ns) newer.push_back(point);
  }
  points = std::move(answer.points);
  points.insert(points.end(), newer.begin(), newer.end());
  if (!bar) return;
  state_.bar.known = true;
  state_.bar.step_ns = answer.question.step_ns;
  state_.bar.marks = std::move(answer.marks);
  if (!answer.marks_complete) Advise("not all marks of this long stretch are shown; w shortens it");
}

void Model::TakeFailure(Kind kind, const absl::Status& status) {
  const bool nothing_there = absl::IsOutOfRange(status) || absl::IsNotFound(status);
  if (kind != Kind::kMoment) {
    if (!absl::IsCancelled(status)) Advise(std::string(status.message()), true);
    return;
  }
  state_.waiting = false;
  using Seek = MomentQuestion::Seek;
  if (state_.mode == Mode::kPlaying && nothing_there) {
    if (moment_.seek == Seek::kAt) return this->Seek(Seek::kNext, state_.shown_ns());
    return EndOfRecord();
  }
  if (nothing_there && moment_.seek == Seek::kNext) {
    return Advise(state_.file ? "this is the last tick of the file" : "this is the newest tick; Space goes live");
  }
  if (nothing_there && moment_.seek == Seek::kPrevious) return Advise("the record begins here");
  Advise(std::string(status.message()), true);
}

void Model::EndOfRecord() {
  if (!state_.file) return GoLive();
  state_.mode = Mode::kPaused;
  Advise("the end of the file");
}

// The graphs end at what is shown; a stretch on both sides is read, so that steps need no other.
void Model::AskGraphs() {
  if (state_.mode == Mode::kLive) {
    return Ask(Kind::kGraphs, StretchQuestion{.begin_ns = now_ns_ - kGraphSamples * kSecond, .end_ns = now_ns_});
  }
  const int64_t shown_ns = state_.shown_ns();
  const int64_t elapsed_ns = std::max<int64_t>(kSecond / 10, static_cast<int64_t>(state_.frame->tick.elapsed_ns()));
  const bool there = !state_.totals.empty() && state_.totals.back().time_ns >= shown_ns &&
                     state_.totals.front().time_ns <=
                         std::max(shown_ns - kGraphSamples / 2 * elapsed_ns, state_.stored_begin_ns + elapsed_ns);
  if (there) return;
  Ask(Kind::kGraphs, StretchQuestion{.begin_ns = shown_ns - kGraphSamples * elapsed_ns,
                                     .end_ns = shown_ns + kGraphSamples / 2 * elapsed_ns});
}

void Model::AskBar(bool renew) {
  const int64_t now_ns =
      state_.file || state_.mode != Mode::kLive ? std::max(state_.stored_end_ns, state_.shown_ns()) : now_ns_;
  int64_t span_ns = Spans()[state_.span];
  TimeBar& bar = state_.bar;
  const int64_t begin_ns = bar.begin_ns;
  if (span_ns == 0) {
    span_ns = state_.stored_begin_ns == 0 ? 3600 * kSecond : std::max(kSecond, now_ns - state_.stored_begin_ns);
    bar.begin_ns = now_ns - span_ns;
  } else if (state_.mode == Mode::kLive) {
    bar.begin_ns = now_ns - span_ns;
  } else {
    const int64_t shown_ns = state_.shown_ns();
    const bool inside = bar.end_ns - bar.begin_ns == span_ns && bar.begin_ns <= shown_ns && shown_ns <= bar.end_ns;
    if (!inside) bar.begin_ns = shown_ns - span_ns / 2;
    if (!inside && now_ns > 0) bar.begin_ns = std::min(bar.begin_ns, now_ns - span_ns);
  }
  bar.end_ns = bar.begin_ns + span_ns;
  if (!renew && begin_ns == bar.begin_ns) return;
  bar_asked_ns_ = now_ns_;
  const int cells = std::max(20, state_.layout.width);
  Ask(Kind::kBar, StretchQuestion{.purpose = StretchQuestion::Purpose::kBar,
                                  .begin_ns = bar.begin_ns,
                                  .end_ns = bar.end_ns,
                                  .step_ns = plot::NiceStep(span_ns / cells)});
}

void Model::AskDetails() {
  Details& details = state_.details;
  const int64_t end_ns = state_.mode == Mode::kLive
                             ? now_ns_
                             : std::min(state_.bar.end_ns, std::max(state_.stored_end_ns, state_.shown_ns()));
  details.asked_ns = now_ns_;
  // Of the bar's stretch what the task lived in, and what is stored.
  const int64_t lived_ns = std::max(details.info->start_time_ns() - kSecond, state_.stored_begin_ns);
  const int64_t begin_ns = std::min(std::max(state_.bar.begin_ns, lived_ns), end_ns - 10 * kSecond);
  const int64_t step_ns = (end_ns - begin_ns) / std::max(40, state_.layout.width);
  Ask(Kind::kTask, TaskQuestion{.id = details.id,
                                .tgid = details.tgid,
                                .at_ns = state_.mode == Mode::kLive ? 0 : state_.shown_ns(),
                                .begin_ns = begin_ns,
                                .end_ns = end_ns,
                                .step_ns = step_ns < 2 * kSecond ? 0 : plot::NiceStep(step_ns),
                                .metrics = DetailMetrics()});
}

void Model::Advance(int64_t now_ns) {
  now_ns_ = now_ns;
  next_ns_ = now_ns + kSecond;
  if (state_.mode == Mode::kLive) {
    const int64_t span_ns = state_.bar.end_ns - state_.bar.begin_ns;
    state_.bar.end_ns = now_ns;
    if (Spans()[state_.span] != 0) state_.bar.begin_ns = now_ns - span_ns;
    if (now_ns - bar_asked_ns_ >= std::max(kBarEvery, span_ns / 100)) AskBar(true);
    if (state_.page == Page::kDetails && now_ns - state_.details.asked_ns >= kDetailsEvery) AskDetails();
  }
  if (state_.mode != Mode::kPlaying) return;
  next_ns_ = now_ns + kPlayEvery;
  play_ns_ += static_cast<int64_t>(static_cast<double>(now_ns - advanced_ns_) * state_.speed);
  advanced_ns_ = now_ns;
  if (state_.waiting) return;
  const int64_t shown_ns = state_.shown_ns();
  const int64_t elapsed_ns = std::max<int64_t>(1, static_cast<int64_t>(state_.frame->tick.elapsed_ns()));
  if (play_ns_ < shown_ns + elapsed_ns) return;
  const bool next = play_ns_ < shown_ns + 2 * elapsed_ns;
  Seek(next ? MomentQuestion::Seek::kNext : MomentQuestion::Seek::kAt, next ? shown_ns : play_ns_);
}

void Model::Advise(std::string message, bool trouble) {
  state_.message = std::move(message);
  state_.trouble = trouble;
}

}  // namespace taskmon::client::top

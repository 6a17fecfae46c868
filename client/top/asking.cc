// SPDX-License-Identifier: Apache-2.0
#include "client/top/asking.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace taskmon::client::top {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kFarAhead = 7'000'000'000 * kSecond;  // in 2191
constexpr size_t kMostEnded = 5000;                     // of one tick
constexpr size_t kMostMarks = 20000;                    // of one bar
constexpr size_t kMostEvents = 500;                     // of one task
// How far back the tick before a gap is looked for, and how finely.
constexpr std::pair<int64_t, int64_t> kLookBack[] = {{600 * kSecond, 10 * kSecond},
                                                     {7200 * kSecond, 60 * kSecond},
                                                     {86400 * kSecond, 600 * kSecond},
                                                     {30 * 86400 * kSecond, 3600 * kSecond}};

// The tick current at a time ("": the newest), put into the maker.
absl::Status ReadTick(const std::string& at, const Scope& scope, Backend* backend, FrameMaker* maker) {
  v1::ListTasksRequest request;
  *request.mutable_selection() = SelectionOf(scope);
  request.set_at(at);
  absl::Status broken;
  absl::Status status = backend->ListTasks(request, [&](const v1::TaskBatch& batch) {
    broken = maker->Add(batch);
    return broken.ok();
  });
  status.Update(broken);
  return status;
}

// Any tick's time, and its length.
absl::StatusOr<v1::Tick> TickAt(const std::string& at, Backend* backend) {
  v1::ListTasksRequest request;
  request.mutable_selection()->add_metrics(v1::TASK_STATE);
  request.set_at(at);
  request.set_top(1);
  v1::Tick tick;
  const absl::Status status = backend->ListTasks(request, [&](const v1::TaskBatch& batch) {
    if (batch.ticks_size() > 0) tick = batch.ticks(0);
    return true;
  });
  if (!status.ok()) return status;
  return tick;
}

// Stops reading at the first batch.
absl::StatusOr<int64_t> FirstTickFrom(int64_t begin_ns, Backend* backend) {
  v1::HistoryRequest request;
  request.mutable_selection()->add_metrics(v1::TASK_STATE);
  request.set_begin(EpochText(begin_ns));
  request.set_end(EpochText(kFarAhead));  // "now" may be before it
  int64_t first = 0;
  const absl::Status status = backend->ReadHistory(request, [&](const v1::TaskBatch& batch) {
    for (const v1::Tick& tick : batch.ticks()) first = first == 0 ? tick.time_ns() : std::min(first, tick.time_ns());
    return first == 0;
  });
  if (!status.ok()) return status;
  if (first == 0) return absl::OutOfRangeError("there is no later tick");
  return first;
}

absl::StatusOr<int64_t> LastTickBefore(int64_t end_ns, Backend* backend) {
  const absl::StatusOr<v1::Tick> tick = TickAt(EpochText(end_ns - 1), backend);
  if (tick.ok()) return tick->time_ns();
  for (const auto& [window_ns, step_ns] : kLookBack) {
    v1::TotalsRequest request;
    request.mutable_selection()->add_metrics(v1::TASK_THREAD_COUNT);
    request.set_begin(EpochText(std::max<int64_t>(0, end_ns - window_ns)));
    request.set_end(EpochText(end_ns - 1));
    request.set_step_ns(static_cast<uint64_t>(step_ns));
    int64_t last = 0;
    const absl::Status status = backend->ReadTotals(request, [&](const v1::Totals& totals) {
      for (const v1::TotalsPoint& point : totals.points()) last = std::max(last, point.tick().time_ns());
      return true;
    });
    if (status.ok() && last > 0) return last;
  }
  return absl::OutOfRangeError("there is no earlier tick");
}

absl::StatusOr<std::string> Find(const MomentQuestion& question, Backend* backend) {
  absl::StatusOr<int64_t> time = question.time_ns;
  switch (question.seek) {
    case MomentQuestion::Seek::kLast: return std::string();
    case MomentQuestion::Seek::kAt: break;
    case MomentQuestion::Seek::kNext: time = FirstTickFrom(question.time_ns + 1, backend); break;
    case MomentQuestion::Seek::kPrevious: time = LastTickBefore(question.time_ns, backend); break;
    case MomentQuestion::Seek::kFirst: time = FirstTickFrom(0, backend); break;
  }
  if (!time.ok()) return time.status();
  return EpochText(*time);
}

void AddEnded(const Scope& scope, Backend* backend, const FrameMaker& maker, Frame* frame) {
  v1::EventsRequest request;
  request.set_expression(scope.expression);
  request.set_threads(scope.threads);
  request.add_types(v1::EXIT);
  request.set_begin(EpochText(frame->begin_ns() + 1));
  request.set_end(EpochText(frame->tick.time_ns()));
  // Without them the tick is still worth showing.
  const absl::Status ignored = backend->ReadEvents(request, [&](const v1::EventBatch& batch) {
    for (const v1::Event& event : batch.events()) {
      if (maker.HasRowOfItsOwn(event, scope.threads)) maker.AddEnded(event, frame);
    }
    return frame->ended < kMostEnded;
  });
  (void)ignored;
}

// What was counted in the tick is the difference to the one before; a gap in between tells nothing.
absl::StatusOr<std::shared_ptr<Frame>> FrameAt(const std::string& at, const Scope& scope, Backend* backend) {
  const absl::StatusOr<v1::Tick> tick = TickAt(at, backend);
  if (!tick.ok()) return tick.status();
  const auto elapsed_ns = static_cast<int64_t>(tick->elapsed_ns());
  FrameMaker maker(scope.metrics);
  if (elapsed_ns > 0) {
    FrameMaker trial(scope.metrics);
    const absl::Status before =
        ReadTick(EpochText(tick->time_ns() - elapsed_ns + elapsed_ns / 100), scope, backend, &trial);
    if (before.ok()) {
      const std::shared_ptr<const Frame> frame = trial.Finish();
      if (frame->tick.time_ns() >= tick->time_ns() - elapsed_ns * 3 / 2 && frame->tick.seq() != tick->seq())
        maker = std::move(trial);
    }
  }
  // By its time, lest another has become the newest meanwhile.
  const absl::Status status = ReadTick(EpochText(tick->time_ns()), scope, backend, &maker);
  if (!status.ok()) return status;
  std::shared_ptr<Frame> frame = maker.Finish();
  AddEnded(scope, backend, maker, frame.get());
  return frame;
}

absl::Status ReadTotals(const StretchQuestion& question, Backend* backend, StretchAnswer* answer) {
  v1::TotalsRequest request;
  for (const v1::Metric metric : TotalsMetrics()) request.mutable_selection()->add_metrics(metric);
  request.set_begin(EpochText(question.begin_ns));
  request.set_end(EpochText(question.end_ns));
  request.set_step_ns(question.step_ns);
  return backend->ReadTotals(request, [&](const v1::Totals& totals) {
    for (const v1::TotalsPoint& point : totals.points()) answer->points.push_back(TotalsOf(totals, point));
    answer->stored_begin_ns = totals.stored_begin_ns();
    answer->stored_end_ns = totals.stored_end_ns();
    return true;
  });
}

absl::Status ReadMarks(const StretchQuestion& question, Backend* backend, StretchAnswer* answer) {
  v1::EventsRequest request;
  for (const v1::EventType type : MarkTypes()) request.add_types(type);
  request.set_begin(EpochText(question.begin_ns));
  request.set_end(EpochText(question.end_ns));
  return backend->ReadEvents(request, [&](const v1::EventBatch& batch) {
    for (const v1::Event& event : batch.events()) {
      if (const std::optional<Mark> mark = MarkOf(event)) answer->marks.push_back(*mark);
    }
    answer->marks_complete = answer->marks.size() < kMostMarks;
    return answer->marks_complete;
  });
}

bool NothingThere(const absl::Status& status) { return absl::IsOutOfRange(status) || absl::IsNotFound(status); }

Value ReadingOf(const TaskRow& row, v1::Metric metric, const std::map<v1::Metric, int64_t>& before,
                uint64_t elapsed_ns) {
  const MetricDesc& desc = Describe(metric);
  const MetricCell cell = row.Get(metric);
  Value value{.presence = cell.presence, .number = static_cast<double>(cell.value) / static_cast<double>(desc.scale)};
  if (desc.kind != v1::COUNTER || !value.known()) return value;
  const auto earlier = before.find(metric);
  if (earlier == before.end() || elapsed_ns == 0) return {.presence = Presence::kUnavailable};
  const double increase = static_cast<double>(std::max<int64_t>(0, cell.value - earlier->second));
  value.number = increase / static_cast<double>(desc.scale) / (static_cast<double>(elapsed_ns) / 1e9);
  return value;
}

absl::Status ReadGraphs(const TaskQuestion& question, Backend* backend, TaskAnswer* answer) {
  v1::HistoryRequest request;
  *request.mutable_selection() =
      SelectionOf({.expression = "", .threads = question.id.thread, .metrics = question.metrics});
  request.mutable_selection()->set_tid(question.id.tid);
  request.set_begin(EpochText(question.begin_ns));
  request.set_end(EpochText(question.end_ns));
  request.set_step_ns(question.step_ns);
  std::map<v1::Metric, int64_t> before;
  uint64_t before_boot_ns = 0;
  absl::Status broken;
  absl::Status status = backend->ReadHistory(request, [&](const v1::TaskBatch& batch) {
    broken = ForEachRow(batch, [&](const TaskRow& row) {
      if (row.info->start_ns() != question.id.start_ns) return;  // another task of that number
      Reading reading{.time_ns = row.tick->time_ns()};
      const uint64_t elapsed_ns = row.tick->boot_ns() > before_boot_ns ? row.tick->boot_ns() - before_boot_ns : 0;
      for (const v1::Metric metric : question.metrics)
        reading.values.push_back(ReadingOf(row, metric, before, elapsed_ns));
      before.clear();
      for (const v1::Metric metric : question.metrics) {
        const MetricCell cell = row.Get(metric);
        if (cell.presence == Presence::kPresent) before[metric] = cell.value;
      }
      before_boot_ns = row.tick->boot_ns();
      answer->readings.push_back(std::move(reading));
    });
    return broken.ok();
  });
  status.Update(broken);
  return status;
}

// A life that ended long before the stretch does is worth a closer look.
bool LivedBriefly(const TaskAnswer& answer) {
  const TaskQuestion& question = answer.question;
  if (answer.readings.empty()) return false;
  return answer.readings.back().time_ns - question.begin_ns < (question.end_ns - question.begin_ns) / 4;
}

void Narrow(TaskAnswer* answer) {
  TaskQuestion& question = answer->question;
  const auto margin_ns = static_cast<int64_t>(std::max<uint64_t>(question.step_ns, kSecond));
  question.end_ns = std::min(question.end_ns, answer->readings.back().time_ns + 2 * margin_ns);
  question.step_ns = question.end_ns - question.begin_ns < 120 * kSecond ? 0 : question.step_ns / 4;
  answer->readings.clear();
}

absl::Status ReadTaskEvents(const TaskQuestion& question, Backend* backend, TaskAnswer* answer) {
  v1::EventsRequest request;
  request.set_expression(question.id.thread ? fmt::format("tid == {}", question.id.tid)
                                            : fmt::format("tgid == {} || ppid == {}", question.tgid, question.tgid));
  request.set_threads(question.id.thread);
  request.set_begin(EpochText(question.begin_ns));
  request.set_end(EpochText(question.end_ns));
  return backend->ReadEvents(request, [&](const v1::EventBatch& batch) {
    answer->events.insert(answer->events.end(), batch.events().begin(), batch.events().end());
    if (answer->events.size() > kMostEvents) {
      answer->events.erase(answer->events.begin(), answer->events.end() - kMostEvents);
    }
    return true;
  });
}

}  // namespace

std::string EpochText(int64_t wall_ns) {
  const int64_t ns = std::max<int64_t>(0, wall_ns);
  return fmt::format("@{}.{:09}", ns / kSecond, ns % kSecond);
}

v1::Selection SelectionOf(const Scope& scope) {
  v1::Selection selection;
  selection.set_expression(scope.expression);
  selection.set_threads(scope.threads);
  for (const v1::Metric metric : scope.metrics) selection.add_metrics(metric);
  return selection;
}

absl::StatusOr<std::shared_ptr<const Frame>> AskMoment(const MomentQuestion& question, Backend* backend) {
  const absl::StatusOr<std::string> at = Find(question, backend);
  if (!at.ok()) return at.status();
  absl::StatusOr<std::shared_ptr<Frame>> frame = FrameAt(*at, question.scope, backend);
  if (!frame.ok()) return frame.status();
  return std::shared_ptr<const Frame>(*std::move(frame));
}

absl::StatusOr<StretchAnswer> AskStretch(const StretchQuestion& question, Backend* backend) {
  StretchAnswer answer{.question = question};
  absl::Status status = ReadTotals(question, backend, &answer);
  if (status.ok() && question.purpose == StretchQuestion::Purpose::kBar) status = ReadMarks(question, backend, &answer);
  if (!status.ok() && !NothingThere(status)) return status;
  return answer;
}

TaskAnswer AskTask(const TaskQuestion& question, Backend* backend) {
  TaskAnswer answer{.question = question};
  const auto note = [&](const absl::Status& status) {
    if (!status.ok() && answer.trouble.empty() && !NothingThere(status)) answer.trouble = std::string(status.message());
  };
  note(ReadGraphs(question, backend, &answer));
  if (LivedBriefly(answer)) {
    Narrow(&answer);
    note(ReadGraphs(answer.question, backend, &answer));
  }
  note(ReadTaskEvents(question, backend, &answer));
  const Scope scope{.expression = fmt::format("tgid == {}", question.tgid),
                    .threads = true,
                    .metrics = {v1::TASK_STATE, v1::TASK_CPU_PERCENT, v1::TASK_RUNQ_WAIT_TIME, v1::TASK_RUNTIME_NS,
                                v1::TASK_SWITCH_OFFCPU_TIME_MAX, v1::TASK_CPU_ID, v1::TASK_THREAD_COUNT}};
  absl::StatusOr<std::shared_ptr<Frame>> threads =
      FrameAt(question.at_ns == 0 ? "" : EpochText(question.at_ns), scope, backend);
  note(threads.status());
  if (threads.ok()) answer.threads = *std::move(threads);
  if (question.at_ns != 0) return answer;
  v1::ExplainTaskRequest request;
  request.set_tid(question.id.tid);
  absl::StatusOr<v1::TaskExplanation> explanation = backend->ExplainTask(request);
  if (explanation.ok()) answer.explanation = *std::move(explanation);
  return answer;
}

}  // namespace taskmon::client::top

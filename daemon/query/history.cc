// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "daemon/query/encode.h"
#include "daemon/query/end_feed.h"
#include "daemon/query/engine.h"
#include "daemon/query/gap_list.h"
#include "daemon/query/go_on.h"
#include "daemon/query/look_back.h"
#include "daemon/query/range.h"
#include "daemon/query/resume.h"
#include "daemon/query/step.h"
#include "daemon/query/time_spec.h"
#include "daemon/query/window.h"

namespace taskmon::query {
namespace {

constexpr uint64_t kMaxRows = 1'000'000;         // of one call; more are had by resuming
constexpr uint64_t kRowsBetweenSigns = 100'000;  // rows looked at in vain before we ask whether anybody listens
constexpr std::chrono::seconds kMaxTime{20};     // of one call

// What one call may send and how long it may take. Ends the call between two ticks, never within one.
class Allowance {
 public:
  explicit Allowance(uint64_t max_rows_untrusted)
      : rows_(max_rows_untrusted == 0 ? kMaxRows : std::min(max_rows_untrusted, kMaxRows)) {}
  void Sent(uint64_t rows) { sent_ += rows; }
  bool spent() const { return sent_ >= rows_ || std::chrono::steady_clock::now() - began_ > kMaxTime; }

 private:
  const uint64_t rows_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  uint64_t sent_ = 0;
};

// Rows and gaps on their way out, in pages.
class HistoryAnswer {
 public:
  HistoryAnswer(const Plan& plan, const ResumePoint& from, uint64_t max_rows_untrusted,
                const storage::TimeRange& stored, GoOn go_on, const Engine::TaskSink& sink)
      : range_(from.range),
        gaps_({from.seq == 0 ? from.range.begin_wall_ns : from.wall_ns, from.range.end_wall_ns}, stored),
        allowance_(max_rows_untrusted),
        go_on_(std::move(go_on)),
        sink_(sink),
        builder_(plan.metrics()) {}

  GapList* gaps() { return &gaps_; }

  // Before the rows of a tick.
  void BeginTick(const Tick& tick) {
    gaps_.Before(tick, [this](const v1::Gap& gap) { builder_.AddGap(gap); });
  }
  // False: stop; Finish tells why.
  bool Send(const Row& row, int64_t ended_wall_ns, uint32_t group_tasks = 0) {
    allowance_.Sent(1);
    builder_.Add(row, ended_wall_ns, group_tasks);
    return !builder_.full() || Flush();
  }
  // After the rows of a tick, `examined` having been looked at for them.
  bool EndTick(const Tick& tick, size_t examined) {
    ended_ = {.seq = tick.seq, .wall_ns = tick.wall_ns, .range = range_};
    examined_ += examined + 1;
    if (examined_ >= kRowsBetweenSigns && !Flush()) return false;
    go_on_.Restart();
    if (!allowance_.spent()) return true;
    resume_ = FormatResume(ended_);
    return false;
  }
  // Within a step that is being folded. A step that takes too long is an error only where it is the first of the call.
  bool MayGoOn() {
    absl::Status status = go_on_.Ask();
    if (status.ok()) return true;
    if (absl::IsResourceExhausted(status) && ended_.seq != 0) {
      resume_ = FormatResume(ended_);
    } else {
      status_ = std::move(status);
    }
    return false;
  }

  absl::Status Finish() {
    if (!status_.ok()) return status_;
    if (resume_.empty()) gaps_.AtEnd([this](const v1::Gap& gap) { builder_.AddGap(gap); });
    v1::TaskBatch last = builder_.Take(true);
    last.set_resume(resume_);
    return sink_(last) ? absl::OkStatus() : absl::CancelledError("the receiver is gone");
  }

 private:
  bool Flush() {
    examined_ = 0;
    if (sink_(builder_.Take(false))) return true;
    status_ = absl::CancelledError("the receiver is gone");
    return false;
  }

  const storage::TimeRange range_;
  GapList gaps_;
  Allowance allowance_;
  GoOn go_on_;
  const Engine::TaskSink& sink_;
  BatchBuilder builder_;
  absl::Status status_;
  ResumePoint ended_;  // the last tick of which all is sent; seq 0: none yet
  std::string resume_;
  uint64_t examined_ = 0;
};

// What a question about stored ticks comes to.
struct Question {
  Plan plan;
  ResumePoint from;  // seq 0: from the beginning
  int64_t step_ns = 0;
  storage::TimeRange stored;
  std::shared_ptr<MemoryBudget> bytes;

  storage::ScanFilter filter(HistoryAnswer* answer) const {
    storage::ScanFilter filter = plan.filter();
    filter.after_seq = from.seq;
    filter.on_gap = [answer](const storage::Gap& gap) { answer->gaps()->Note(gap); };
    return filter;
  }
  int64_t begin_wall_ns() const { return from.seq == 0 ? from.range.begin_wall_ns : from.wall_ns; }
};

absl::Status ReadTasks(const Question& question, const Caller& caller, TestMemory* memory, storage::RingReader* reader,
                       HistoryAnswer* answer) {
  const Plan& plan = question.plan;
  const StepLimits limits{.bytes = question.bytes, .go_on = [answer] { return answer->MayGoOn(); }};
  return ScanSteps(reader, question.from.range, question.filter(answer), question.step_ns, limits,
                   [&](const Snapshot& snapshot, const std::vector<int64_t>& ended_wall_ns) {
                     answer->BeginTick(snapshot.tick);
                     for (size_t i = 0; i < snapshot.tasks.size(); ++i) {
                       if (!plan.Includes(snapshot, i)) continue;
                       const Row row = MakeRow(snapshot, *snapshot.tasks[i], caller);
                       if (!plan.expression().Matches(row, memory)) continue;
                       if (!answer->Send(row, ended_wall_ns.empty() ? 0 : ended_wall_ns[i])) return false;
                     }
                     return answer->EndTick(snapshot.tick, snapshot.tasks.size());
                   });
}

// Groups, a window for each step.
absl::Status ReadGroups(const Question& question, GroupBy by, const Caller& caller, TestMemory* memory,
                        storage::RingReader* reader, EndFeed* ends, HistoryAnswer* answer) {
  WindowFolder folder(question.plan, caller, by, question.bytes);
  absl::Status status;
  if (const auto before = reader->At(question.begin_wall_ns()); before.ok()) status = folder.Seed(**before);
  if (!status.ok()) return status;
  Snapshot last;
  const auto send = [&] {
    status = ends->Feed(last.tick.wall_ns, &folder);
    if (!status.ok()) return false;
    const WindowResult result = folder.Take();
    answer->BeginTick(result.moment.tick);
    for (const WindowRow& row : result.rows) {
      if (!answer->Send(RowOf(row, result.moment), row.ended_wall_ns, row.tasks)) return false;
    }
    return answer->EndTick(result.moment.tick, result.rows.size());
  };
  bool more = true;
  storage::ScanFilter filter = question.filter(answer);
  filter.step_ns = question.step_ns;
  filter.metrics.set(WindowFolder::kReadsToo);
  absl::Status scanned = reader->Scan(
      question.from.range.begin_wall_ns, question.from.range.end_wall_ns, filter, [&](const Snapshot& snapshot) {
        const bool same_step = question.step_ns > 0 && snapshot.boot_id == last.boot_id &&
                               snapshot.tick.wall_ns / question.step_ns == last.tick.wall_ns / question.step_ns;
        more = answer->MayGoOn() && (!folder.any() || same_step || send());
        if (!more) return false;
        last.tick = snapshot.tick;
        last.boot_id = snapshot.boot_id;
        status = folder.AddTick(snapshot, memory);
        return more = status.ok();
      });
  if (status.ok() && scanned.ok() && more && folder.any()) send();
  return status.ok() ? scanned : status;
}

}  // namespace

absl::Status CheckStored(const storage::TimeRange& wanted, storage::RingReader* reader) {
  absl::StatusOr<std::optional<storage::TimeRange>> stored = reader->Range();
  if (!stored.ok()) return stored.status();
  if (!stored->has_value()) return absl::OutOfRangeError("nothing is stored yet");
  const storage::TimeRange& have = **stored;
  if (wanted.end_wall_ns >= have.begin_wall_ns && wanted.begin_wall_ns <= have.end_wall_ns) return absl::OkStatus();
  return absl::OutOfRangeError(fmt::format("no data from {} to {}; stored is {} to {}",
                                           FormatLocal(wanted.begin_wall_ns), FormatLocal(wanted.end_wall_ns),
                                           FormatLocal(have.begin_wall_ns), FormatLocal(have.end_wall_ns)));
}

absl::Status Engine::ReadHistory(const v1::HistoryRequest& request_untrusted, const Caller& caller,
                                 const TaskSink& sink) const {
  absl::StatusOr<Plan> plan = Plan::Make(request_untrusted.selection());
  if (!plan.ok()) return plan.status();
  absl::StatusOr<GroupBy> by = ParseGroupBy(request_untrusted.by());
  if (!by.ok()) return by.status();
  if (request_untrusted.step_ns() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return absl::InvalidArgumentError("step too long");
  }
  absl::StatusOr<std::unique_ptr<storage::RingReader>> reader = OpenRing();
  if (!reader.ok()) return reader.status();
  const Budgets budgets = budgets_->Of(caller);
  Question question{
      .plan = *plan, .step_ns = static_cast<int64_t>(request_untrusted.step_ns()), .bytes = budgets.bytes};
  if (!request_untrusted.resume().empty()) {
    absl::StatusOr<ResumePoint> point = ParseResume(request_untrusted.resume());
    if (!point.ok()) return point.status();
    question.from = *point;
  } else {
    absl::StatusOr<storage::TimeRange> range =
        StoredRange(request_untrusted.begin(), request_untrusted.end(), reader->get());
    if (!range.ok()) return range.status();
    question.from.range = *range;
  }
  absl::StatusOr<std::optional<storage::TimeRange>> stored = (*reader)->Range();
  if (!stored.ok()) return stored.status();
  question.stored = stored->value_or(storage::TimeRange());
  const int64_t begin = question.begin_wall_ns();
  const LookBack before{
      .from_wall_ns = begin, .until_wall_ns = begin, .step_ns = question.step_ns, .bytes = budgets.bytes};
  TestMemory memory(plan->expression(), {.budget = budgets.tests});
  absl::Status status = Recall(*plan, caller, before, reader->get(), GoOnWhile(sink), &memory);
  if (!status.ok()) return status;
  TestMemory* remembered = plan->expression().needs_memory() ? &memory : nullptr;
  HistoryAnswer answer(*plan, question.from, request_untrusted.max_rows(), question.stored, GoOnWhile(sink), sink);
  if (*by == GroupBy::kTask) {
    status = ReadTasks(question, caller, remembered, reader->get(), &answer);
  } else {
    absl::StatusOr<std::unique_ptr<storage::RingReader>> events = OpenRing();
    if (!events.ok()) return events.status();
    EndFeed ends(events->get(), {begin, question.from.range.end_wall_ns});
    status = ReadGroups(question, *by, caller, remembered, reader->get(), &ends, &answer);
  }
  return status.ok() ? answer.Finish() : status;
}

}  // namespace taskmon::query

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "daemon/query/engine.h"
#include "daemon/query/encode.h"
#include "daemon/query/go_on.h"
#include "daemon/query/look_back.h"
#include "daemon/query/step.h"

namespace taskmon::query {
namespace {

constexpr int kPointsPerMessage = 500;
constexpr uint64_t kRowsBetweenSigns = 100'000;  // rows added up before we ask whether anybody listens

// What one metric of all tasks comes to.
class Sum {
 public:
  // What has `ended` holds nothing any more; what it did is as good as others'.
  void Add(const Row& row, v1::Metric metric, bool ended) {
    if (ended && IsHeld(metric)) return;
    if (IsRedacted(row, metric)) {
      redacted_ = true;
      return;
    }
    const MetricDesc& desc = Describe(metric);
    if (desc.kind == v1::COUNTER) return Take(ResolveRate(row, metric), false);
    const std::optional<int64_t> held = ResolveValue(row, metric);
    if (held) Take(static_cast<double>(*held) / static_cast<double>(desc.scale), desc.kind == v1::WINDOW_MAX);
  }

  void Encode(v1::Metric metric, v1::TotalsPoint* out) const {
    out->add_values(value_);
    if (redacted_) out->add_redacted(metric);
    if (!known_) out->add_unavailable(metric);
  }

 private:
  void Take(std::optional<double> value, bool largest) {
    if (!value) return;
    value_ = largest ? std::max(value_, *value) : value_ + *value;
    known_ = true;
  }

  // CPU and hits are of the time, as counters are.
  static bool IsHeld(v1::Metric metric) {
    return Describe(metric).kind == v1::GAUGE && metric != v1::TASK_CPU_PERCENT &&
           metric != v1::TASK_PAGE_CACHE_HIT_PERCENT;
  }

  double value_ = 0;
  bool known_ = false;
  bool redacted_ = false;
};

class TotalsAnswer {
 public:
  TotalsAnswer(const Plan& plan, const Caller& caller, TestMemory* memory, GoOn go_on, const Engine::TotalsSink& sink)
      : plan_(plan), caller_(caller), memory_(memory), go_on_(std::move(go_on)), sink_(sink) {
    for (const v1::Metric metric : plan.metrics()) message_.add_metrics(metric);
  }

  void Stored(const storage::TimeRange& stored) {
    message_.set_stored_begin_ns(stored.begin_wall_ns);
    message_.set_stored_end_ns(stored.end_wall_ns);
  }

  // `ended_wall_ns` as StepFolder has it. Tasks that ended in a step are no part of how many there are at its end.
  bool Take(const Snapshot& snapshot, const std::vector<int64_t>& ended_wall_ns) {
    std::vector<Sum> sums(plan_.metrics().size());
    uint32_t tasks = 0;
    for (size_t i = 0; i < snapshot.tasks.size(); ++i) {
      if (!plan_.Includes(snapshot, i)) continue;
      const Row row = MakeRow(snapshot, *snapshot.tasks[i], caller_);
      if (!plan_.expression().Matches(row, memory_)) continue;
      const bool ended = !ended_wall_ns.empty() && ended_wall_ns[i] != 0;
      tasks += !ended;
      for (size_t m = 0; m < sums.size(); ++m) sums[m].Add(row, plan_.metrics()[m], ended);
    }
    v1::TotalsPoint* point = message_.add_points();
    EncodeTick(snapshot.tick, point->mutable_tick());
    point->set_tasks(tasks);
    for (size_t m = 0; m < sums.size(); ++m) sums[m].Encode(plan_.metrics()[m], point);
    examined_ += snapshot.tasks.size();
    const bool more = (message_.points_size() < kPointsPerMessage && examined_ < kRowsBetweenSigns) || Flush();
    go_on_.Restart();
    return more;
  }

  // Within a step that is being folded.
  bool MayGoOn() { return (may_go_on_ = go_on_.Ask()).ok(); }

  absl::Status Finish() {
    if (!may_go_on_.ok()) return may_go_on_;
    if (listening_) Flush();
    return listening_ ? absl::OkStatus() : absl::CancelledError("the receiver is gone");
  }

 private:
  bool Flush() {
    examined_ = 0;
    listening_ = sink_(message_);
    message_.clear_points();
    return listening_;
  }

  const Plan& plan_;
  const Caller& caller_;
  TestMemory* const memory_;
  GoOn go_on_;
  absl::Status may_go_on_;
  const Engine::TotalsSink& sink_;
  v1::Totals message_;
  bool listening_ = true;
  uint64_t examined_ = 0;
};

}  // namespace

absl::Status Engine::ReadTotals(const v1::TotalsRequest& request_untrusted, const Caller& caller,
                                const TotalsSink& sink) const {
  absl::StatusOr<Plan> plan = Plan::Make(request_untrusted.selection());
  if (!plan.ok()) return plan.status();
  if (request_untrusted.step_ns() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return absl::InvalidArgumentError("step too long");
  }
  absl::StatusOr<std::unique_ptr<storage::RingReader>> reader = OpenRing();
  if (!reader.ok()) return reader.status();
  absl::StatusOr<storage::TimeRange> range =
      StoredRange(request_untrusted.begin(), request_untrusted.end(), reader->get());
  if (!range.ok()) return range.status();
  const auto step_ns = static_cast<int64_t>(request_untrusted.step_ns());
  const Budgets budgets = budgets_->Of(caller);
  const LookBack before{.from_wall_ns = range->begin_wall_ns,
                        .until_wall_ns = range->begin_wall_ns,
                        .step_ns = step_ns,
                        .bytes = budgets.bytes};
  TestMemory memory(plan->expression(), {.budget = budgets.tests});
  absl::Status status = Recall(*plan, caller, before, reader->get(), GoOnWhile(sink), &memory);
  if (!status.ok()) return status;
  TotalsAnswer answer(*plan, caller, plan->expression().needs_memory() ? &memory : nullptr, GoOnWhile(sink), sink);
  absl::StatusOr<std::optional<storage::TimeRange>> stored = (*reader)->Range();
  if (!stored.ok()) return stored.status();
  if (stored->has_value()) answer.Stored(**stored);
  const StepLimits limits{.bytes = budgets.bytes, .go_on = [&answer] { return answer.MayGoOn(); }};
  status = ScanSteps(reader->get(), *range, plan->filter(), step_ns, limits,
                     [&](const Snapshot& snapshot, const std::vector<int64_t>& ended_wall_ns) {
                       return answer.Take(snapshot, ended_wall_ns);
                     });
  return status.ok() ? answer.Finish() : status;
}

}  // namespace taskmon::query

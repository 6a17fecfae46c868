// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "daemon/query/encode.h"
#include "daemon/query/engine.h"
#include "daemon/query/look_back.h"
#include "daemon/query/range.h"
#include "daemon/query/step.h"
#include "daemon/query/time_spec.h"

namespace taskmon::query {
namespace {

constexpr uint64_t kMaxSamples = 10'000'000;     // rows of one answer
constexpr uint64_t kRowsBetweenSigns = 100'000;  // rows looked at in vain before we ask whether anybody listens

// Takes the ticks of a scan, keeps the rows that match and sends them in pages.
class HistoryAnswer {
 public:
  // `memory` is null when the expression needs none, and outlives the answer.
  HistoryAnswer(const Plan& plan, const Caller& caller, TestMemory* memory, const Engine::TaskSink& sink)
      : plan_(plan), caller_(caller), memory_(memory), sink_(sink), builder_(plan.metrics()) {}

  // `ended_wall_ns` may be empty: all live. False: stop; Finish tells why.
  bool Take(const Snapshot& snapshot, const std::vector<int64_t>& ended_wall_ns) {
    for (size_t i = 0; i < snapshot.tasks.size(); ++i) {
      if (!plan_.Includes(snapshot, i)) continue;
      const Row row = MakeRow(snapshot, *snapshot.tasks[i], caller_);
      if (!plan_.expression().Matches(row, memory_)) continue;
      if (!Send(row, ended_wall_ns.empty() ? 0 : ended_wall_ns[i])) return false;
    }
    examined_ += snapshot.tasks.size() + 1;
    return examined_ < kRowsBetweenSigns || Flush();
  }

  absl::Status Finish() {
    if (status_.ok() && !sink_(builder_.Take(true))) Gone();
    return status_;
  }

 private:
  bool Send(const Row& row, int64_t ended_wall_ns) {
    if (++sent_ > kMaxSamples) {
      status_ = absl::ResourceExhaustedError(
          fmt::format("more than {} rows; choose a longer step, a shorter range or fewer tasks", kMaxSamples));
      return false;
    }
    builder_.Add(row, ended_wall_ns);
    return !builder_.full() || Flush();
  }

  bool Flush() {
    examined_ = 0;
    return sink_(builder_.Take(false)) || Gone();
  }

  bool Gone() {
    status_ = absl::CancelledError("the receiver is gone");
    return false;
  }

  const Plan& plan_;
  const Caller& caller_;
  TestMemory* const memory_;
  const Engine::TaskSink& sink_;
  BatchBuilder builder_;
  absl::Status status_;
  uint64_t sent_ = 0;
  uint64_t examined_ = 0;
};

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
  if (request_untrusted.step_ns() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return absl::InvalidArgumentError("step too long");
  }
  absl::StatusOr<std::unique_ptr<storage::RingReader>> reader = OpenRing();
  if (!reader.ok()) return reader.status();
  absl::StatusOr<storage::TimeRange> range =
      ParseRange(request_untrusted.begin(), request_untrusted.end(), reader->get());
  if (!range.ok()) return range.status();
  if (absl::Status status = CheckStored(*range, reader->get()); !status.ok()) return status;
  const auto step_ns = static_cast<int64_t>(request_untrusted.step_ns());
  const LookBack before{
      .from_wall_ns = range->begin_wall_ns,
      .until_wall_ns = range->begin_wall_ns,
      .tick_ns = plan->expression().needs_memory() ? TickLengthAt(range->begin_wall_ns, reader->get()) : 0,
      .step_ns = step_ns};
  TestMemory memory(plan->expression(), {.budget = budget_});
  absl::Status status = Recall(*plan, caller, before, reader->get(), &memory);
  if (!status.ok()) return status;
  HistoryAnswer answer(*plan, caller, plan->expression().needs_memory() ? &memory : nullptr, sink);
  status = ScanSteps(reader->get(), *range, plan->filter(), step_ns,
                     [&](const Snapshot& snapshot, const std::vector<int64_t>& ended_wall_ns) {
                       return answer.Take(snapshot, ended_wall_ns);
                     });
  return status.ok() ? answer.Finish() : status;
}

}  // namespace taskmon::query

// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>

#include <utility>

#include <fmt/format.h>

#include "daemon/query/encode.h"
#include "daemon/query/engine.h"
#include "daemon/query/event_follower.h"
#include "daemon/query/event_selector.h"
#include "daemon/query/look_back.h"
#include "daemon/query/range.h"
#include "daemon/query/verdict_log.h"

namespace taskmon::query {
namespace {

constexpr uint64_t kMaxEvents = 1'000'000;  // of one answer
constexpr uint64_t kEventsBetweenSigns = 100'000;

// An event as a row: the task as it was, and for an exit its totals as the increase over its life, so that rates are
// means over that life. Not to be moved: `row` points into it.
struct EventRow {
  EventRow(const Event& event, const Caller& caller) {
    if (event.final_sample != nullptr) sample = *event.final_sample;
    sample.info = event.task;
    sample.deltas = sample.values;
    // The dead wait for nothing.
    sample.valid.reset(v1::TASK_OFFCPU_SINCE).reset(v1::TASK_IOWAIT_SINCE);
    snapshot.tick.seq = sample.tick_seq;
    snapshot.tick.wall_ns = event.wall_ns;
    snapshot.tick.boot_ns = event.boot_ns;
    snapshot.tick.elapsed_ns = event.type == EventType::kExit ? event.duration_ns : 0;
    row = MakeRow(snapshot, sample, caller);
  }
  EventRow(const EventRow&) = delete;
  EventRow& operator=(const EventRow&) = delete;

  Snapshot snapshot;
  TaskSample sample;
  Row row;
};

// Counters always, so that a missing one is seen to be missing; of the others what the sample has. Whether it has what
// the caller may not see is not for him to know: that is listed always, too.
std::vector<v1::Metric> FinalMetrics(const Row& row) {
  std::vector<v1::Metric> metrics;
  for (const MetricDesc& metric : AllMetrics()) {
    if (metric.kind != v1::COUNTER && IsDerived(metric.id)) continue;
    const bool known = row.sample->valid[metric.id];
    if (metric.kind == v1::COUNTER || known || IsRedacted(row, metric.id)) metrics.push_back(metric.id);
  }
  return metrics;
}

void EncodeExit(const Event& event, const EventRow& life, v1::Event* out) {
  const int status = event.wait_status;
  if (WIFEXITED(status)) out->set_exit_code(WEXITSTATUS(status));
  if (WIFSIGNALED(status)) {
    out->set_exit_signal(WTERMSIG(status));
    out->set_core_dumped(WCOREDUMP(status));
  }
  if (event.final_sample == nullptr) return;
  const std::vector<v1::Metric> metrics = FinalMetrics(life.row);
  for (v1::Metric metric : metrics) out->add_metrics(metric);
  EncodeValues(life.row, metrics, out);
}

void EncodeRule(const Event& event, const Row& row, v1::Event* out) {
  out->set_ends(!event.begins);
  if (event.type != EventType::kThreshold || !IsMetric(event.metric)) return;
  out->set_metric(event.metric);
  if (IsRedacted(row, static_cast<v1::Metric>(event.metric))) {
    out->set_value_redacted(true);
    return;
  }
  out->set_value(event.value);
  out->set_baseline(event.baseline);
}

absl::StatusOr<uint32_t> TypeMask(const v1::EventsRequest& request_untrusted) {
  uint32_t mask = 0;
  for (int type : request_untrusted.types()) {
    if (type == v1::EVENT_TYPE_UNSPECIFIED || !v1::EventType_IsValid(type)) {
      return absl::InvalidArgumentError(fmt::format("there is no event type {}", type));
    }
    mask |= 1u << type;
  }
  return mask == 0 ? ~0u : mask;
}

bool IsThreadLife(const Event& event) {
  const bool life =
      event.type == EventType::kFork || event.type == EventType::kExit || event.type == EventType::kRename;
  return life && (event.task->key.thread || event.task->key.tid != event.task->tgid);
}

class EventAnswer {
 public:
  // `log` is of the ticks in the range and before; it outlives the answer.
  EventAnswer(const EventSelector& selector, const Caller& caller, const VerdictLog& log, const Engine::EventSink& sink)
      : selector_(selector), caller_(caller), log_(log), sink_(sink) {}

  // False: stop; Finish tells why.
  bool Take(const Event& event) {
    if (selector_.Matches(event, caller_, log_.Of(event)) && !Send(event)) return false;
    return ++examined_ < kEventsBetweenSigns || Flush();
  }

  absl::Status Finish() {
    if (status_.ok() && batch_.events_size() > 0) Flush();
    return status_;
  }

 private:
  bool Send(const Event& event) {
    if (++sent_ > kMaxEvents) {
      status_ = absl::ResourceExhaustedError(
          fmt::format("more than {} events; choose a shorter range, types or an expression", kMaxEvents));
      return false;
    }
    *batch_.add_events() = EncodeEvent(event, caller_);
    return batch_.events_size() < kEventsPerBatch || Flush();
  }

  bool Flush() {
    examined_ = 0;
    const bool listening = sink_(batch_);
    batch_.Clear();
    if (!listening) status_ = absl::CancelledError("the receiver is gone");
    return listening;
  }

  const EventSelector& selector_;
  const Caller& caller_;
  const VerdictLog& log_;
  const Engine::EventSink& sink_;
  v1::EventBatch batch_;
  absl::Status status_;
  uint64_t sent_ = 0;
  uint64_t examined_ = 0;
};

// What is to be known at any time of the range.
absl::Status FillLog(const Expression& expression, const storage::TimeRange& range, storage::RingReader* reader,
                     GoOn go_on, VerdictLog* log) {
  if (!expression.needs_memory()) return absl::OkStatus();
  const LookBack where{.from_wall_ns = range.begin_wall_ns, .until_wall_ns = range.end_wall_ns + 1};
  bool kept = true;
  absl::Status status = Replay(expression, where, reader, std::move(go_on),
                               [&](const Snapshot& snapshot) { return kept = log->Observe(snapshot); });
  if (!status.ok() || kept) return status;
  return absl::ResourceExhaustedError(
      "too many tasks change too often in that range, or no room beside other answers; choose a shorter one");
}

}  // namespace

absl::StatusOr<EventSelector> EventSelector::Make(const v1::EventsRequest& request_untrusted) {
  absl::StatusOr<Expression> expression = Expression::Parse(request_untrusted.expression());
  if (!expression.ok()) return expression.status();
  absl::StatusOr<uint32_t> types = TypeMask(request_untrusted);
  if (!types.ok()) return types.status();
  EventSelector selector;
  selector.expression_ = *std::move(expression);
  selector.types_ = *types;
  selector.threads_ = request_untrusted.threads();
  return selector;
}

bool EventSelector::Matches(const Event& event, const Caller& caller, const Verdicts& verdicts) const {
  if ((types_ & 1u << static_cast<uint32_t>(event.type)) == 0) return false;
  // A gap without a task has nothing to match on: it shows when asked for by type, or when all is asked for.
  if (event.task == nullptr) return expression_.matches_everything() || types_ != ~0u;
  if (!threads_ && IsThreadLife(event)) return false;
  if (expression_.matches_everything()) return true;
  return expression_.Evaluate(EventRow(event, caller).row, verdicts) == Truth::kTrue;
}

EventFollower::EventFollower(EventSelector selector, const Caller& caller, std::shared_ptr<MemoryBudget> budget)
    : selector_(std::move(selector)), caller_(caller) {
  if (selector_.expression().needs_memory())
    memory_.emplace(selector_.expression(), TestMemory::Options{.budget = std::move(budget), .remember_all = true});
}

void EventFollower::Observe(const Snapshot& snapshot) {
  newest_ = snapshot.tick;
  if (!memory_) return;
  for (const auto& sample : snapshot.tasks) memory_->Evaluate(MakeRow(snapshot, *sample, caller_));
}

bool EventFollower::Matches(const Event& event) const {
  if (!memory_ || event.task == nullptr) return selector_.Matches(event, caller_);
  const TaskKey& key = event.task->key;
  const bool last = event.type == EventType::kExit;
  return selector_.Matches(event, caller_, last ? memory_->LastKnownOf(key) : memory_->VerdictsOf(key));
}

absl::StatusOr<EventFollower> Engine::Follow(const v1::EventsRequest& request_untrusted, const Caller& caller,
                                             const Snapshot* newest, GoOn go_on) const {
  absl::StatusOr<EventSelector> selector = EventSelector::Make(request_untrusted);
  if (!selector.ok()) return selector.status();
  const Expression expression = selector->expression();
  EventFollower follower(*std::move(selector), caller, budgets_->Of(caller).tests);
  if (newest == nullptr || !expression.needs_memory()) return follower;
  absl::StatusOr<std::unique_ptr<storage::RingReader>> reader = OpenRing();
  if (reader.ok()) {
    const Tick& tick = newest->tick;
    const LookBack before{.from_wall_ns = tick.wall_ns, .until_wall_ns = tick.wall_ns};
    absl::Status status = Replay(expression, before, reader->get(), std::move(go_on), [&](const Snapshot& snapshot) {
      follower.Observe(snapshot);
      return true;
    });
    if (!status.ok()) return status;
  }
  follower.Observe(*newest);
  return follower;
}

absl::Status Engine::CatchUp(const Snapshot& snapshot, GoOn go_on, EventFollower* follower,
                             const std::function<void(const Tick&)>& observed) const {
  const Tick last = follower->newest();
  return ReadBetween(last, snapshot, follower->expression(), {}, std::move(go_on), [&](const Snapshot& missed) {
    follower->Observe(missed);
    observed(missed.tick);
  });
}

absl::StatusOr<std::optional<storage::StoredEnd>> Engine::EndOfHistory() const {
  absl::StatusOr<std::unique_ptr<storage::RingReader>> reader = OpenRing();
  if (absl::IsNotFound(reader.status())) return std::optional<storage::StoredEnd>();
  if (!reader.ok()) return reader.status();
  return (*reader)->End();
}

v1::Event EncodeEvent(const Event& event, const Caller& caller) {
  v1::Event out;
  out.set_type(static_cast<v1::EventType>(event.type));
  out.set_time_ns(event.wall_ns);
  out.set_id(event.id);
  out.set_duration_ns(event.duration_ns);
  out.set_detail(MendUtf8(event.detail));
  out.set_lost(event.lost);
  out.set_rule(MendUtf8(event.rule));
  if (event.type == EventType::kDegraded) out.set_ends(!event.begins);
  if (event.task == nullptr) return out;
  const EventRow life(event, caller);
  EncodeTaskInfo(*event.task, "", life.row.names_visible(), out.mutable_task());
  if (event.type == EventType::kExit) EncodeExit(event, life, &out);
  const bool of_rule = event.type == EventType::kThreshold || event.type == EventType::kRule;
  if (of_rule && !event.rule.empty()) EncodeRule(event, life.row, &out);
  // What a rule's detail says of a metric is for those who may see it.
  if (event.type == EventType::kRule && !life.row.guarded_visible) out.clear_detail();
  return out;
}

absl::Status Engine::ReadEvents(const v1::EventsRequest& request_untrusted, const Caller& caller, const EventSink& sink,
                                const std::optional<storage::StoredEnd>& until) const {
  absl::StatusOr<EventSelector> selector = EventSelector::Make(request_untrusted);
  if (!selector.ok()) return selector.status();
  absl::StatusOr<std::unique_ptr<storage::RingReader>> reader = OpenRing();
  absl::StatusOr<storage::TimeRange> range =
      ParseRange(request_untrusted.begin(), request_untrusted.end(), reader.ok() ? reader->get() : nullptr);
  if (!range.ok()) return range.status();
  const bool may_be_empty = request_untrusted.follow();
  if (!reader.ok()) return may_be_empty && absl::IsNotFound(reader.status()) ? absl::OkStatus() : reader.status();
  if (absl::Status status = CheckStored(*range, reader->get()); !status.ok()) {
    return may_be_empty && absl::IsOutOfRange(status) ? absl::OkStatus() : status;
  }
  VerdictLog log(selector->expression(), caller, budgets_->Of(caller));
  absl::Status status = FillLog(selector->expression(), *range, reader->get(), GoOnWhile(sink), &log);
  if (!status.ok()) return status;
  storage::EventFilter filter{.types = selector->types()};
  if (until.has_value()) filter.until_id = until->event_id;
  EventAnswer answer(*selector, caller, log, sink);
  status = (*reader)->ScanEvents(range->begin_wall_ns, range->end_wall_ns, filter,
                                 [&](const Event& event) { return answer.Take(event); });
  return status.ok() ? answer.Finish() : status;
}

}  // namespace taskmon::query

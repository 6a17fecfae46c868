// SPDX-License-Identifier: Apache-2.0
#include "daemon/service.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <absl/time/clock.h>
#include <fmt/format.h>

#include "daemon/clocks.h"
#include "daemon/grpc_status.h"
#include "daemon/query/event_follower.h"
#include "daemon/query/plan.h"

namespace taskmon::daemon {
namespace {

// How soon a stream notices that its client has gone.
constexpr absl::Duration kPoll = absl::Milliseconds(200);

// The metrics that a selection names, as columns or in its expression. "Everything" names none: it takes what is there.
MetricSet NamedMetrics(const v1::Selection& selection, const query::Plan& plan) {
  return selection.metrics().empty() ? plan.expression().metrics() : plan.needed();
}

// A page that all share, and what one of them missed: messages one after the other are one with the fields of both.
grpc::ByteBuffer WithMissed(const grpc::Slice& page, uint64_t missed_ticks) {
  if (missed_ticks == 0) return grpc::ByteBuffer(&page, 1);
  v1::TaskBatch tail;
  tail.set_missed_ticks(missed_ticks);
  const grpc::Slice parts[] = {page, grpc::Slice(tail.SerializeAsString())};
  return grpc::ByteBuffer(parts, 2);
}

// False: nobody listens any more.
bool SendMatches(const std::vector<Event>& events, const query::EventFollower& follower, const query::Caller& caller,
                 v1::EventBatch* batch, EarlyCall<v1::EventsRequest, v1::EventBatch>* stream) {
  for (const Event& event : events) {
    if (follower.Matches(event)) *batch->add_events() = query::EncodeEvent(event, caller);
    if (batch->events_size() < query::kEventsPerBatch) continue;
    if (!stream->Write(*batch)) return false;
    batch->Clear();
  }
  return true;
}

}  // namespace

Service::Service(Sources sources) : sources_(std::move(sources)), streams_(sources_.max_streams) {
  Handle("GetStatus", nullptr, &Service::AnswerGetStatus);
  Handle("GetDoctor", nullptr, &Service::AnswerGetDoctor);
  Handle("ListTasks", &streams_, &Service::AnswerListTasks);
  Handle("GetLife", &streams_, &Service::AnswerGetLife);
  Handle("ReadHistory", &streams_, &Service::AnswerReadHistory);
  Handle("ReadTotals", &streams_, &Service::AnswerReadTotals);
  Handle("WatchTasks", &streams_, &Service::AnswerWatchTasks);
  Handle("ReadEvents", &streams_, &Service::AnswerReadEvents);
  Handle("CutSnapshot", &cuts_, &Service::AnswerCutSnapshot);
}

template <typename Request, typename Reply>
void Service::Handle(const char* method, Shares* shares,
                     Status (Service::*answer)(const Call&, const Request&, EarlyCall<Request, Reply>*)) {
  const auto handle = [this, shares, answer](grpc::ServerContext* context, EarlyCall<Request, Reply>* stream) {
    const auto caller = sources_.peers->Find(context->peer());
    if (!caller) return NoCredentials();
    std::optional<Shares::Share> share;
    if (shares != nullptr && !share.emplace(shares->Take(*caller)).granted()) return TooMany(*shares);
    Request request;
    if (!stream->Read(&request)) return NoRequest();
    return (this->*answer)({.context = context, .caller = *caller}, request, stream);
  };
  MarkMethodStreamed(MethodIndex<Request>("Taskmon", method), EarlyHandler<Request, Reply>(handle));
}

grpc::Status Service::TooMany(const Shares& shares) const {
  if (&shares == &cuts_) {
    return {grpc::StatusCode::RESOURCE_EXHAUSTED,
            fmt::format(
                "too many snapshots are being cut already ({} in all, {} of one user); try again when they are done",
                shares.limit(), shares.of_one_user())};
  }
  return {grpc::StatusCode::RESOURCE_EXHAUSTED,
          fmt::format("too many streams are open already ({} in all, {} of one user); end some, or raise "
                      "access.max_subscriptions in taskmond.toml",
                      shares.limit(), shares.of_one_user())};
}

grpc::Status Service::AnswerGetStatus(const Call&, const v1::StatusRequest&,
                                      EarlyCall<v1::StatusRequest, v1::Status>* stream) {
  stream->Write(sources_.status());
  return grpc::Status::OK;
}

grpc::Status Service::AnswerGetDoctor(const Call&, const v1::DoctorRequest&,
                                      EarlyCall<v1::DoctorRequest, v1::Doctor>* stream) {
  stream->Write(sources_.doctor());
  return grpc::Status::OK;
}

grpc::Status Service::AnswerListTasks(const Call& call, const v1::ListTasksRequest& request,
                                      EarlyCall<v1::ListTasksRequest, v1::TaskBatch>* stream) {
  return ToGrpc(sources_.engine->ListTasks(request, call.caller, [&](const v1::TaskBatch& batch) {
    if (request.at().empty()) sources_.smaps_wanted->MarkAnswer(request.selection(), batch, BootNowNs());
    return stream->Write(batch);
  }));
}

grpc::Status Service::AnswerGetLife(const Call& call, const v1::LifeRequest& request,
                                    EarlyCall<v1::LifeRequest, v1::Life>* stream) {
  auto life = sources_.engine->GetLife(request, call.caller);
  if (!life.ok()) return ToGrpc(life.status());
  stream->Write(*life);
  return grpc::Status::OK;
}

grpc::Status Service::AnswerReadHistory(const Call& call, const v1::HistoryRequest& request,
                                        EarlyCall<v1::HistoryRequest, v1::TaskBatch>* stream) {
  return ToGrpc(sources_.engine->ReadHistory(request, call.caller,
                                             [&](const v1::TaskBatch& batch) { return stream->Write(batch); }));
}

grpc::Status Service::AnswerReadTotals(const Call& call, const v1::TotalsRequest& request,
                                       EarlyCall<v1::TotalsRequest, v1::Totals>* stream) {
  return ToGrpc(sources_.engine->ReadTotals(request, call.caller,
                                            [&](const v1::Totals& totals) { return stream->Write(totals); }));
}

grpc::Status Service::AnswerWatchTasks(const Call& call, const v1::WatchTasksRequest& request,
                                       EarlyCall<v1::WatchTasksRequest, grpc::ByteBuffer>* stream) {
  const auto plan = query::Plan::Make(request.selection());
  if (!plan.ok()) return ToGrpc(plan.status());
  const HookDemand::Claim claim = sources_.demand->Watch(NamedMetrics(request.selection(), *plan));
  WatchAnswers::Watcher watcher = answers_.Join(request.selection(), call.caller, plan->expression().needs_memory());
  std::optional<query::TestMemory> memory;
  Tick last;
  uint64_t due_boot_ns = 0;
  uint64_t missed = 0;
  for (uint32_t sent = 0; request.count() == 0 || sent < request.count();) {
    if (call.context->IsCancelled() || sources_.hub->closed()) break;
    const Publication publication = sources_.hub->WaitAfter(last.seq, kPoll);
    if (publication.snapshot == nullptr) continue;
    const Tick& tick = publication.snapshot->tick;
    if (last.seq == 0) {
      auto remembered = sources_.engine->Remember(*publication.snapshot, *plan, call.caller, GoOnFor(*call.context));
      if (!remembered.ok()) return ToGrpc(remembered.status());
      memory = *std::move(remembered);
    } else {
      missed += tick.seq - last.seq - 1;
      const absl::Status caught_up = sources_.engine->CatchUp(last, *publication.snapshot, *plan, call.caller,
                                                              GoOnFor(*call.context), memory ? &*memory : nullptr);
      if (!caught_up.ok()) return ToGrpc(caught_up);
    }
    last = tick;
    // Half a tick of slack: ticks are never exactly an interval apart.
    if (request.interval_ns() != 0 && tick.boot_ns + tick.elapsed_ns / 2 < due_boot_ns) {
      if (memory) plan->Rows(*publication.snapshot, call.caller, &*memory);
      continue;
    }
    due_boot_ns = tick.boot_ns + request.interval_ns();
    const auto pages = watcher.Take(tick.seq, [&] {
      auto batches = query::Engine::SelectPages(*publication.snapshot, *plan, call.caller, memory ? &*memory : nullptr);
      for (const v1::TaskBatch& page : batches) {
        sources_.smaps_wanted->MarkAnswer(request.selection(), page, BootNowNs());
      }
      return batches;
    });
    for (const grpc::Slice& page : *pages) {
      if (!stream->Write(WithMissed(page, std::exchange(missed, 0)))) return grpc::Status::OK;  // the client has gone
    }
    ++sent;
  }
  if (sources_.hub->closed()) return {grpc::StatusCode::UNAVAILABLE, "taskmond is stopping"};
  return grpc::Status::OK;
}

grpc::Status Service::AnswerReadEvents(const Call& call, const v1::EventsRequest& request,
                                       EarlyCall<v1::EventsRequest, v1::EventBatch>* stream) {
  const auto write = [stream](const v1::EventBatch& batch) { return stream->Write(batch); };
  if (!request.follow()) return ToGrpc(sources_.engine->ReadEvents(request, call.caller, write));
  // Stored events up to a tick, then those of the ticks after it: nothing falls between, nothing comes twice.
  const auto newest = sources_.hub->Newest();
  if (newest != nullptr) WaitUntilStored(call.context, newest->tick.wall_ns);
  const auto end = sources_.engine->EndOfHistory();
  if (!end.ok()) return ToGrpc(end.status());
  const absl::Status status = sources_.engine->ReadEvents(request, call.caller, write, *end);
  const bool nothing_yet = absl::IsNotFound(status) || absl::IsOutOfRange(status);
  if (!status.ok() && !nothing_yet) return ToGrpc(status);
  uint64_t after_seq = newest == nullptr ? 0 : newest->tick.seq;
  if (end->has_value()) after_seq = (*end)->tick_seq;
  return FollowEvents(call, request, newest.get(), after_seq, stream);
}

grpc::Status Service::AnswerCutSnapshot(const Call& call, const v1::SnapshotRequest& request,
                                        EarlyCall<v1::SnapshotRequest, v1::SnapshotPiece>* stream) {
  // Who waits for the newest tick gets it.
  if (const auto newest = sources_.hub->Newest(); newest != nullptr)
    WaitUntilStored(call.context, newest->tick.wall_ns);
  query::CutPlace place{.directory = sources_.state_dir};
  // The ring may still grow to its cap, and each other cut to about what is stored.
  const v1::Status status = sources_.status();
  place.keep_free_bytes += (cuts_.taken() - 1) * status.db_bytes();
  if (status.db_cap_bytes() > status.db_bytes()) place.keep_free_bytes += status.db_cap_bytes() - status.db_bytes();
  return ToGrpc(sources_.engine->CutSnapshot(request, call.caller, place,
                                             [&](const v1::SnapshotPiece& piece) { return stream->Write(piece); }));
}

bool Service::IsWanted(const grpc::ServerContext& context) const {
  return !context.IsCancelled() && !sources_.hub->closed();
}

query::GoOn Service::GoOnFor(const grpc::ServerContext& context) const {
  return sources_.engine->GoOnWhile([this, &context] { return IsWanted(context); });
}

// The writer runs a moment behind the sampler; a failing disk is not waited for.
void Service::WaitUntilStored(grpc::ServerContext* context, int64_t wall_ns) const {
  for (int attempt = 0; attempt < 20 && sources_.stored_until_wall_ns() < wall_ns; ++attempt) {
    if (context->IsCancelled()) return;
    absl::SleepFor(absl::Milliseconds(50));
  }
}

grpc::Status Service::FollowEvents(const Call& call, const v1::EventsRequest& request, const Snapshot* newest,
                                   uint64_t after_seq, EarlyCall<v1::EventsRequest, v1::EventBatch>* stream) const {
  auto follower = sources_.engine->Follow(request, call.caller, newest, GoOnFor(*call.context));
  if (!follower.ok()) return ToGrpc(follower.status());
  while (IsWanted(*call.context)) {
    const Publication current = sources_.hub->WaitAfter(after_seq, kPoll);
    if (current.snapshot == nullptr) continue;
    uint64_t missed_ticks = 0;
    const std::vector<EventsOfTick> ticks = sources_.hub->EventsAfter(&after_seq, &missed_ticks);
    v1::EventBatch batch;
    batch.set_missed(missed_ticks);
    auto next = ticks.begin();
    bool listening = true;
    const auto take_until = [&](uint64_t seq) {
      for (; listening && next != ticks.end() && next->seq <= seq; ++next)
        listening = SendMatches(*next->events, *follower, call.caller, &batch, stream);
    };
    const absl::Status caught_up = sources_.engine->CatchUp(*current.snapshot, GoOnFor(*call.context), &*follower,
                                                            [&](const Tick& tick) { take_until(tick.seq); });
    if (!caught_up.ok()) return ToGrpc(caught_up);
    follower->Observe(*current.snapshot);
    take_until(UINT64_MAX);
    if (listening && (batch.events_size() != 0 || batch.missed() != 0)) listening = stream->Write(batch);
    if (!listening) break;
  }
  return grpc::Status::OK;
}

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
#include "client/commands/commands.h"

#include <optional>

#include <fmt/format.h>

#include "client/commands/answer.h"
#include "client/output/event_printer.h"
#include "client/waiting.h"

namespace taskmon::client {
namespace {

absl::StatusOr<v1::EventsRequest> MakeRequest(const Options& options, Context* context) {
  v1::EventsRequest request;
  request.set_expression(options.expression);
  if (absl::Status status = SetRange(options, context, &request); !status.ok()) return status;
  for (const v1::EventType type : options.types) request.add_types(type);
  request.set_follow(options.follow);
  request.set_threads(options.threads);
  return request;
}

void Count(const v1::EventBatch& batch, Tally* tally, Context* context) {
  tally->rows += batch.events_size();
  tally->missed += batch.missed();
  for (const v1::Event& event : batch.events()) {
    tally->gap |= event.type() == v1::GAP;
    tally->redacted |= event.redacted_size() > 0 || event.task().cmdline_redacted() || event.task().exe_redacted();
  }
  if (batch.missed() > 0) Note(fmt::format("{} events missed: this reader is too slow", batch.missed()), context);
}

}  // namespace

int RunEvents(const Options& options, Context* context) {
  if (!options.schema_of.empty()) return PrintSchema({EventSchema()}, options, context);
  const absl::StatusOr<v1::EventsRequest> request = MakeRequest(options, context);
  if (!request.ok()) return Fail(request.status(), context);
  const absl::StatusOr<std::unique_ptr<Backend>> backend = context->open_backend(options);
  if (!backend.ok()) return Fail(backend.status(), context);
  if (options.histogram) return CountEvents(options, *request, backend->get(), context);

  const EventLayout layout{.format = options.format,
                           .header = options.header,
                           .raw = options.raw,
                           .following = options.follow,
                           .now_ns = context->now_wall_ns()};
  Tally tally{.redacted = NoteHiddenFields(options.expression, backend->get(), context)};
  const std::unique_ptr<EventPrinter> printer = MakeEventPrinter(layout, context->terminal, context->out);
  std::optional<Waiting> waiting;
  if (!options.follow) waiting.emplace("reading the events", backend->get(), context);
  if (options.follow && context->interrupt != nullptr) context->interrupt->OnSignal([&] { (*backend)->Cancel(); });
  const absl::Status status = (*backend)->ReadEvents(*request, [&](const v1::EventBatch& batch) {
    if (waiting && batch.events_size() > 0) waiting->At(batch.events(batch.events_size() - 1).time_ns());
    Count(batch, &tally, context);
    for (const v1::Event& event : batch.events()) printer->Add(event);
    if (options.follow) printer->Flush();
    return !context->out->failed();
  });
  waiting.reset();
  printer->Finish(status.ok() || absl::IsCancelled(status));
  if (options.follow && context->interrupt != nullptr) context->interrupt->OnSignal([] {});
  return Conclude(status, tally, options, context);
}

}  // namespace taskmon::client

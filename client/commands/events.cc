// SPDX-License-Identifier: Apache-2.0
#include "client/commands/commands.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "client/commands/answer.h"
#include "client/output/event_printer.h"
#include "client/output/event_text.h"
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

// Whether gaps are among the events that were asked for: as taskmond has it.
bool WantsGaps(const Options& options) {
  if (options.types.empty()) return options.expression.empty();
  return std::find(options.types.begin(), options.types.end(), v1::GAP) != options.types.end();
}

// Who wants to know of gaps is told of them whatever else was asked for.
void AskForGaps(v1::EventsRequest* request) {
  if (request->types().empty()) {
    for (const std::string& name : EventTypeNames()) request->add_types(*FindEventType(name));
  } else {
    request->add_types(v1::GAP);
  }
}

void Count(const v1::EventBatch& batch, Tally* tally, Context* context) {
  tally->missed += batch.missed();
  for (const v1::Event& event : batch.events()) {
    tally->gap |= event.type() == v1::GAP;
    tally->redacted |= event.redacted_size() > 0 || event.task().cmdline_redacted() || event.task().exe_redacted();
  }
  if (batch.missed() > 0) Note(fmt::format("{} events missed: this reader is too slow", batch.missed()), context);
}

}  // namespace

int RunEvents(const Options& options, Context* context) {
  if (!options.schema_of.empty()) return PrintSchema(JsonShape::kArray, {EventSchema()}, options, context);
  absl::StatusOr<v1::EventsRequest> request = MakeRequest(options, context);
  if (!request.ok()) return Fail(request.status(), context);
  const absl::StatusOr<std::unique_ptr<Backend>> backend = context->open_backend(options);
  if (!backend.ok()) return Fail(backend.status(), context);
  if (options.histogram) return CountEvents(options, *request, backend->get(), context);

  const bool hide_gaps = options.strict && !WantsGaps(options);
  if (hide_gaps) AskForGaps(&*request);
  const EventLayout layout{.format = options.format,
                           .header = options.header,
                           .raw = options.raw,
                           .following = options.follow,
                           .threads = options.threads,
                           .now_ns = context->now_wall_ns()};
  Tally tally{.redacted = NoteHiddenFields(options.expression, backend->get(), context)};
  const std::unique_ptr<EventPrinter> printer = MakeEventPrinter(layout, context->terminal, context->out);
  std::optional<Waiting> waiting;
  if (!options.follow) waiting.emplace("reading the events", backend->get(), context);
  if (options.follow && context->interrupt != nullptr) context->interrupt->OnSignal([&] { (*backend)->Cancel(); });
  const absl::Status status = (*backend)->ReadEvents(*request, [&](const v1::EventBatch& batch) {
    if (waiting && batch.events_size() > 0) waiting->At(batch.events(batch.events_size() - 1).time_ns());
    Count(batch, &tally, context);
    for (const v1::Event& event : batch.events()) {
      if (hide_gaps && event.type() == v1::GAP) continue;
      ++tally.rows;
      printer->Add(event);
    }
    if (options.follow) printer->Flush();
    return !context->out->failed();
  });
  waiting.reset();
  printer->Finish(status.ok() || absl::IsCancelled(status));
  if (options.follow && context->interrupt != nullptr) context->interrupt->OnSignal([] {});
  if (!options.follow && status.ok()) {
    LookForGaps(request->begin(), request->end(), options, backend->get(), context, &tally);
  }
  return Conclude(status, tally, options, context);
}

}  // namespace taskmon::client

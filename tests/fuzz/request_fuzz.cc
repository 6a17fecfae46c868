// SPDX-License-Identifier: Apache-2.0
//
// Any request for data that a client can send, answered over a live tick and a history file (see asking.h). No secret
// is in any answer: neither in values, nor in which rows there are, in which order, and which pages they come in.
#include <cstdint>
#include <string_view>

#include "daemon/query/engine.h"
#include "tests/fuzz/asking.h"
#include "tests/fuzz/request_world.h"

namespace taskmon::fuzz {
namespace {

using query::Caller;

Answer Ask(const Machine& machine, std::string_view call, std::string_view text, const Caller& caller, bool* understood,
           bool as_text) {
  Answer answer{.as_text = as_text};
  const auto sink = [&](const auto& message) { return answer.Add(message); };
  const query::Engine& engine = machine.engine();
  *understood = true;
  if (v1::ListTasksRequest request; call == "list" && Read(text, &request)) {
    answer.End(engine.ListTasks(request, caller, sink));
  } else if (v1::HistoryRequest request; call == "history" && Read(text, &request)) {
    answer.End(engine.ReadHistory(request, caller, sink));
  } else if (v1::EventsRequest request; call == "events" && Read(text, &request)) {
    answer.End(engine.ReadEvents(request, caller, sink));
  } else if (v1::TotalsRequest request; call == "totals" && Read(text, &request)) {
    answer.End(engine.ReadTotals(request, caller, sink));
  } else if (v1::LifeRequest request; call == "life" && Read(text, &request)) {
    const auto life = engine.GetLife(request, caller);
    if (life.ok()) answer.Add(*life);
    answer.End(life.status());
  } else if (v1::SnapshotRequest request; call == "cut" && Read(text, &request)) {
    query::CutPlace place{.directory = machine.directory()};
    place.keep_free_bytes = 0;
    absl::Status status = engine.CutSnapshot(request, caller, place, [&](const v1::SnapshotPiece& piece) {
      return piece.data().empty() || answer.Add(piece);  // signs of progress come by the clock
    });
    if (request.anonymize()) answer = Answer{.as_text = as_text};  // stand-ins are drawn anew each time
    answer.End(status);
  } else if (v1::WatchTasksRequest request; call == "watch" && Read(text, &request)) {
    const auto plan = query::Plan::Make(request.selection());
    answer.End(plan.status());
    if (!plan.ok()) return answer;
    auto memory = engine.Remember(machine.newest(), *plan, caller, engine.GoOnWhile([] { return true; }));
    answer.End(memory.status());
    if (!memory.ok()) return answer;
    for (const v1::TaskBatch& page :
         query::Engine::SelectPages(machine.newest(), *plan, caller, *memory ? &**memory : nullptr)) {
      answer.Add(page);
    }
  } else {
    *understood = false;
  }
  return answer;
}

int Try(const Input& input) {
  return AskAsWho<Machine>(input, [&](const Machine& machine, const Caller& caller, bool* understood, bool as_text) {
    return Ask(machine, input.call, input.text, caller, understood, as_text);
  });
}

}  // namespace
}  // namespace taskmon::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return taskmon::fuzz::Try(taskmon::fuzz::Split({reinterpret_cast<const char*>(data), size}));
}

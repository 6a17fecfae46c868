// SPDX-License-Identifier: Apache-2.0
//
// Any request that a client can send, answered over a live tick and a history file. The first line names the call and
// who asks, the rest is the request as protobuf text. No crash, errors on one line, and no secret in any answer: what
// an ordinary user gets is the same, byte by byte, on two machines that differ in what is guarded from him alone. That
// holds for values, and for which rows there are, in which order, and which pages they come in.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/text_format.h>

#include "daemon/query/engine.h"
#include "tests/fuzz/request_world.h"

namespace taskmon::fuzz {
namespace {

using query::Caller;

// Of what an answer is compared; more of it is only counted.
constexpr size_t kMostKept = 8u << 20;

void Require(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

class Quiet : public google::protobuf::io::ErrorCollector {
  void AddError(int, google::protobuf::io::ColumnNumber, const std::string&) override {}
};

// As it would come from the wire: text that is no UTF-8 is refused there, too.
template <typename Request>
bool Read(std::string_view text, Request* request) {
  Quiet quiet;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&quiet);
  Request typed;
  std::string wire;
  return parser.ParseFromString(std::string(text), &typed) && typed.SerializeToString(&wire) &&
         request->ParseFromString(wire);
}

// Everything that the client sees of one call.
struct Answer {
  std::string bytes;
  bool as_text = false;  // for the person who reads about a difference
  size_t more = 0;

  template <typename Message>
  bool Add(const Message& message) {
    const std::string piece = as_text ? message.DebugString() : message.SerializeAsString();
    if (bytes.size() + piece.size() > kMostKept) {
      more += piece.size();
      return more < kMostKept;
    }
    bytes += piece;
    return true;
  }

  void End(const absl::Status& status) {
    Require(status.message().find('\n') == absl::string_view::npos, "an error of more than one line");
    Require(status.code() != absl::StatusCode::kInternal && status.code() != absl::StatusCode::kDataLoss,
            status.ToString());
    bytes += status.ToString();
  }

  bool operator==(const Answer&) const = default;
};

Answer Ask(const Machine& machine, std::string_view call, std::string_view text, const Caller& caller, bool* understood,
           bool as_text = false) {
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
    auto memory = engine.Remember(machine.newest(), *plan, caller);
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

bool SameOnBoth(const Machine& one, const Machine& other, std::string_view call, std::string_view text,
                const Caller& caller) {
  bool understood = false;
  if (Ask(one, call, text, caller, &understood) == Ask(other, call, text, caller, &understood)) return understood;
  const std::string a = Ask(one, call, text, caller, &understood, true).bytes;
  const std::string b = Ask(other, call, text, caller, &understood, true).bytes;
  const auto difference = static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
  const size_t from = difference - std::min<size_t>(difference, 800);
  Require(false, "the answer depends on a secret:\n" + a.substr(from, 1000) + "\n--- or ---\n" + b.substr(from, 1000));
  return false;
}

int Try(std::string_view input) {
  static const auto complaints = google::protobuf::SetLogHandler(nullptr);
  (void)complaints;
  static const Machine plain(1, false);
  static const Machine other(2, false);
  static const Machine hiding(1, true);
  static const Machine hiding_other(2, true);
  const size_t line = std::min(input.find('\n'), input.size());
  const size_t blank = std::min(input.find(' '), line);
  const std::string_view call = input.substr(0, blank);
  const std::string_view who = input.substr(std::min(blank + 1, line), line - std::min(blank + 1, line));
  const std::string_view text = input.substr(std::min(line + 1, input.size()));
  bool understood = false;
  if (who == "root") {
    Ask(plain, call, text, {.sees_everything = true, .admin = true}, &understood);
  } else if (who == "alice") {
    understood = SameOnBoth(plain, other, call, text, {.uid = kOrdinaryUid});
  } else if (who == "hidepid") {
    understood = SameOnBoth(hiding, hiding_other, call, text, {.uid = kOrdinaryUid, .hide_cmdline = true});
  }
  return understood ? 0 : -1;  // what is no request is not worth keeping
}

}  // namespace
}  // namespace taskmon::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return taskmon::fuzz::Try({reinterpret_cast<const char*>(data), size});
}

// SPDX-License-Identifier: Apache-2.0
//
// What the fuzzers of requests have in common. An input's first line names the call and who asks, the rest is the
// request as protobuf text. Errors are of one line, and say what is wrong with the request, never with taskmond. What
// an ordinary user is answered is the same, byte by byte, by two machines that differ in what is guarded from him
// alone.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/text_format.h>

#include "daemon/query/caller.h"
#include "tests/fuzz/request_world.h"

namespace taskmon::fuzz {

inline void Require(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

struct Input {
  std::string_view call, who, text;
};

inline Input Split(std::string_view input) {
  const size_t line = std::min(input.find('\n'), input.size());
  const size_t blank = std::min(input.find(' '), line);
  const size_t who = std::min(blank + 1, line);
  return {input.substr(0, blank), input.substr(who, line - who), input.substr(std::min(line + 1, input.size()))};
}

// As it would come from the wire: text that is no UTF-8 is refused there, too.
template <typename Request>
bool Read(std::string_view text, Request* request) {
  class Quiet : public google::protobuf::io::ErrorCollector {
    void AddError(int, google::protobuf::io::ColumnNumber, const std::string&) override {}
  };
  static const auto complaints = google::protobuf::SetLogHandler(nullptr);
  (void)complaints;
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
  static constexpr size_t kMostKept = 8u << 20;  // more of it is only counted

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

// `ask(machine, as_text)` puts the same question to either machine.
template <typename Machine, typename Ask>
void RequireSame(const Machine& one, const Machine& other, const Ask& ask) {
  if (ask(one, false) == ask(other, false)) return;
  const std::string a = ask(one, true).bytes;
  const std::string b = ask(other, true).bytes;
  const auto difference = static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
  const size_t from = difference - std::min<size_t>(difference, 800);
  Require(false, "the answer depends on a secret:\n" + a.substr(from, 1000) + "\n--- or ---\n" + b.substr(from, 1000));
}

// Asks as the input says: an administrator of a machine of his own, which he may change; or an ordinary user of two
// machines, whose answers must be the same. `ask(machine, caller, understood, as_text)` returns an Answer. What is no
// request is not worth keeping (-1).
template <typename Machine, typename Ask>
int AskAsWho(const Input& input, const Ask& ask) {
  static const Machine administered(1, false);
  static const Machine plain(1, false), other(2, false);
  static const Machine hiding(1, true), hiding_other(2, true);
  bool understood = false;
  const auto ask_both = [&](const Machine& one, const Machine& another, const query::Caller& caller) {
    RequireSame(one, another,
                [&](const Machine& machine, bool as_text) { return ask(machine, caller, &understood, as_text); });
  };
  if (input.who == "root") {
    ask(administered, {.sees_everything = true, .admin = true}, &understood, false);
  } else if (input.who == "alice") {
    ask_both(plain, other, {.uid = kOrdinaryUid});
  } else if (input.who == "hidepid") {
    ask_both(hiding, hiding_other, {.uid = kOrdinaryUid, .hide_cmdline = true});
  }
  return understood ? 0 : -1;
}

}  // namespace taskmon::fuzz

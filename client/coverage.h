// SPDX-License-Identifier: Apache-2.0
//
// What of a stretch of time is recorded: the time that the stored ticks in it tell of. Rates and "nothing matched" are
// about that time alone. A value.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>

#include "client/backend.h"

namespace taskmon::client {

struct Coverage {
  int64_t begin_ns = 0;  // what was asked for, up to now
  int64_t end_ns = 0;
  int64_t stored_begin_ns = 0;  // of all that is stored
  int64_t longest_tick_ns = 0;
  std::vector<std::pair<int64_t, int64_t>> recorded;  // ascending, apart from each other

  int64_t Recorded(int64_t from_ns, int64_t to_ns) const;
  int64_t recorded_ns() const { return Recorded(begin_ns, end_ns); }
  // The record begins within the stretch.
  bool begins_late() const;
  // More is missing, from where the record begins, than late ticks explain.
  bool has_holes() const;
};

struct Stretch {
  std::string begin;  // as a request has it; empty: 10 minutes ago
  std::string end;    // empty: now
  int64_t now_ns = 0;
  bool of_file = false;  // the newest stored time stands for now
};

// By the ticks alone, which costs little. Errors: as of the question itself.
absl::StatusOr<Coverage> AskCoverage(const Stretch& stretch, Backend* backend);

}  // namespace taskmon::client

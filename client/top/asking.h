// SPDX-License-Identifier: Apache-2.0
//
// One question of the model put to a backend, in requests that every command uses too, and the answer made of it. Runs
// in the threads of Source; holds nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "client/backend.h"
#include "client/top/question.h"

namespace taskmon::client::top {

// A stored tick and those who ended in it. OutOfRange: there is none (before the first, after the last, in a gap).
absl::StatusOr<std::shared_ptr<const Frame>> AskMoment(const MomentQuestion& question, Backend* backend);

// Nothing stored there is an empty answer.
absl::StatusOr<StretchAnswer> AskStretch(const StretchQuestion& question, Backend* backend);

// What cannot be had is left out and told in TaskAnswer::trouble.
TaskAnswer AskTask(const TaskQuestion& question, Backend* backend);

v1::Selection SelectionOf(const Scope& scope);

// "@1700000000.000000001"
std::string EpochText(int64_t wall_ns);

}  // namespace taskmon::client::top

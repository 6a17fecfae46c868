// SPDX-License-Identifier: Apache-2.0
//
// How a task ended, who started it and whom it started: for people, and as members of a JSON object. Pure but for the
// local zone.
#pragma once

#include <string>

#include "client/output/json_object.h"
#include "client/terminal.h"
#include "taskmon/v1/taskmon.pb.h"

namespace taskmon::client {

// Lines that follow a task's block; empty when there is nothing to tell.
std::string LifeText(const v1::Life& life, const Terminal& terminal);

// ended_time, exit_code, exit_signal, duration_ns, parent, children, more_children, other_lives.
void LifeKeys(const v1::Life& life, JsonObject* object);

}  // namespace taskmon::client

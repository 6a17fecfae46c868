// SPDX-License-Identifier: Apache-2.0
//
// Event types by name, and what an event says to a person in one line. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/task_row.h"
#include "taskmon/v1/taskmon.pb.h"

namespace taskmon::client {

// fork, exec, exit, oom, threshold, rule, gap, rename, degraded; "unknown" for a type of a newer daemon.
std::string_view EventTypeName(v1::EventType type);
std::optional<v1::EventType> FindEventType(std::string_view name);
const std::vector<std::string>& EventTypeNames();

// "SIGKILL", or "signal 99" where it has no name.
std::string SignalName(int signal);

// "rss 200, beyond 100", as rules have noted what decided, with its units: "rss 200B beyond 100B". Other texts stay.
std::string HumanDetail(const std::string& detail);

// "exit 7, lived 51ms, cpu 1.2ms, rss peak 3.4M"; "killed by SIGKILL, …"; an exec's command line; a rename's old name.
// Terminal safe. Values are plain numbers in catalogue units with `raw`.
std::string EventDetail(const v1::Event& event, bool raw);

}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
//
// The daemon's account of itself, for people and as the JSON object of the contract. Pure but for the local zone.
#pragma once

#include <string>

#include "client/terminal.h"
#include "taskmon/v1/taskmon.pb.h"

namespace taskmon::client {

// No line is wider than the terminal.
std::string StatusText(const v1::Status& status, const Terminal& terminal, bool raw);
// One object; null where something is not known.
std::string StatusJson(const v1::Status& status);
std::string StatusSchema();

}  // namespace taskmon::client

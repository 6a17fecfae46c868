// SPDX-License-Identifier: Apache-2.0
//
// What works on this machine and what does not, for people and as JSON. Pure.
#pragma once

#include <string>
#include <string_view>

#include "client/terminal.h"
#include "taskmon/v1/taskmon.pb.h"

namespace taskmon::client {

// "works", "degraded", "unavailable"; "unknown" for a value of a newer daemon.
std::string_view HealthName(v1::Health health);

// Texts are broken to fit the terminal.
std::string DoctorText(const v1::Doctor& doctor, const Terminal& terminal);
// {"checks": [{name, health, reason, remedy}], "metrics": [{name, health, reason}]}
std::string DoctorJson(const v1::Doctor& doctor);
std::string DoctorSchema();

}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
//
// The circumstances of a row's longest waits as sentences for people: when, on which CPU, because of whom. Pure.
#pragma once

#include <string>
#include <vector>

#include "client/task_row.h"

namespace taskmon::client {

// "offcpu_max 57.1ms, until 09:12:33.123 on CPU 1, preempted by 1234", one line for each maximum whose witness is
// known.
std::vector<std::string> WitnessLines(const TaskRow& row);

}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
//
// One task as a block for people: who it is, then its metrics by group in as many columns as fit, counters with their
// rate beside the total. Pure but for the local zone.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "client/output/cell.h"
#include "client/task_row.h"
#include "client/terminal.h"

namespace taskmon::client {

struct CounterRate {
  int64_t increase = 0;  // held value
  uint64_t elapsed_ns = 0;
};

// `rates` holds the counters whose rate is known.
std::string TaskBlock(const TaskRow& row, const std::map<v1::Metric, CounterRate>& rates, const Terminal& terminal,
                      bool raw);

}  // namespace taskmon::client

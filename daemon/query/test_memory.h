// SPDX-License-Identifier: Apache-2.0
//
// What an expression must remember from tick to tick: since when a comparison with a duration has held ("for 10s"), and
// each task's own robust baseline for anomaly(). One memory belongs to one expression and one stream of ticks in
// ascending time; not safe from two threads.
//
// An expression without such tests needs no memory. One that has them, asked without a memory, gets "unknown".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "daemon/query/expression.h"
#include "daemon/query/row.h"

namespace taskmon::query {

// Why a stateful test turned true or false at a tick: what a threshold event tells.
struct Crossing {
  TaskKey task;
  v1::Metric metric = v1::METRIC_UNSPECIFIED;
  double value = 0;     // catalogue units; counters as rates
  double baseline = 0;  // the fixed limit, or the median
  bool begins = true;
};

}  // namespace taskmon::query

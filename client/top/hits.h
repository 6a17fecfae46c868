// SPDX-License-Identifier: Apache-2.0
//
// What is worth going to on the time bar. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "client/top/totals.h"

namespace taskmon::client::top {

// The time of the next hit after `from_ns` (direction 1), or of the last at or before it (-1); nullopt: there is none.
// Hits are the marks (a gap by its end, where the record goes on) and the points at which the CPUs become busy: twice
// as much as usual on this bar and a tenth of a CPU at least.
std::optional<int64_t> NextHit(const std::vector<TotalsPoint>& points, const std::vector<Mark>& marks, int64_t from_ns,
                               int direction);

}  // namespace taskmon::client::top

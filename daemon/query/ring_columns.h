// SPDX-License-Identifier: Apache-2.0
//
// The catalogue as the ring needs it: which columns there are, and how exactly each is kept.
#pragma once

#include <vector>

#include "storage/ring_writer.h"

namespace taskmon::query {

// What is computed at reading time alone is not stored.
std::vector<storage::ColumnSpec> RingColumns();

}  // namespace taskmon::query

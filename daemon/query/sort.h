// SPDX-License-Identifier: Apache-2.0
//
// Orders rows by any field. Numbers go from large to small, texts from A to Z; "-field" turns that round. Counters sort
// by their sum, which is what the answer shows. Rows whose value is unavailable or redacted come last either way, in
// the order they had, so that the order tells nothing about a value that the caller may not see. Pure.
#pragma once

#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "daemon/query/field.h"
#include "daemon/query/row.h"

namespace taskmon::query {

struct SortOrder {
  const Field* field = nullptr;  // null: leave the rows as they are
  bool flipped = false;
};

// InvalidArgument: no such field (with the nearest).
absl::StatusOr<SortOrder> ParseSort(std::string_view text_untrusted);

// Keeps the first `top` rows (0: all). Stable.
void SortRows(const SortOrder& order, size_t top, std::vector<Row>* rows);

}  // namespace taskmon::query

// SPDX-License-Identifier: Apache-2.0
//
// The other way to go through a chunk, open or closed: not tick by tick (TickSource) but one row after the other, as
// chunks are made. Owned by one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include <absl/status/status.h>

#include "storage/tick_source.h"

namespace taskmon::storage {

class RowSource {
 public:
  virtual ~RowSource() = default;
  virtual const std::vector<TickHeader>& ticks() const = 0;
  virtual size_t row_count() const = 0;
  virtual int64_t task_id(uint32_t row) const = 0;
  // Positions in ticks() from which and up to which the row is present.
  virtual uint32_t first_tick(uint32_t row) const = 0;
  virtual uint32_t last_tick(uint32_t row) const = 0;

  // `state` as of the update, until the sink returns.
  using UpdateSink = std::function<void(uint32_t tick, const RowState& state)>;
  // From the row's first update, which is at its first tick, to its last. DataLoss on damage.
  virtual absl::Status WalkRow(uint32_t row, const UpdateSink& sink) = 0;
};

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
//
// Whether anything is stored where a question looks. A range that is only partly covered is fine; one wholly outside is
// an error that names what is stored, never a silent substitute.
#pragma once

#include <absl/status/status.h>

#include "storage/ring_reader.h"

namespace taskmon::query {

// OutOfRange: nothing stored, or nothing between the two times.
absl::Status CheckStored(const storage::TimeRange& wanted, storage::RingReader* reader);

}  // namespace taskmon::query

// SPDX-License-Identifier: Apache-2.0
//
// Times in messages: RFC 3339, UTC, milliseconds where there are any. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace taskmon::storage {

std::string TimeText(int64_t wall_ns);

}  // namespace taskmon::storage

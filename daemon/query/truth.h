// SPDX-License-Identifier: Apache-2.0
//
// Kleene's three values, in his order: && is the smallest of its parts, || the largest.
#pragma once

#include <cstdint>

namespace taskmon::query {

enum class Truth : uint8_t { kFalse, kUnknown, kTrue };

inline Truth Known(bool truth) { return truth ? Truth::kTrue : Truth::kFalse; }

inline Truth Negate(Truth truth) {
  if (truth == Truth::kUnknown) return truth;
  return truth == Truth::kTrue ? Truth::kFalse : Truth::kTrue;
}

}  // namespace taskmon::query

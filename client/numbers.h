// SPDX-License-Identifier: Apache-2.0
//
// Numbers on the command line: whole, positive, and no larger than what they count can be.
#pragma once

#include <charconv>
#include <cstdint>
#include <limits>
#include <string>

#include <absl/status/status.h>
#include <fmt/format.h>

namespace taskmon::client {

// Leaves `into` alone when the text is empty. InvalidArgument: "--top 'x' is no whole number from 1 to 2147483647".
template <typename Integer>
absl::Status ParseNumberInto(const char* option, const std::string& text, Integer* into) {
  if (text.empty()) return absl::OkStatus();
  constexpr int64_t kMax = std::numeric_limits<int32_t>::max();
  int64_t value = 0;
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value);
  if (error != std::errc() || end != last || value <= 0 || value > kMax) {
    return absl::InvalidArgumentError(fmt::format("{} '{}' is no whole number from 1 to {}", option, text, kMax));
  }
  *into = static_cast<Integer>(value);
  return absl::OkStatus();
}

}  // namespace taskmon::client

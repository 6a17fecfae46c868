// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a time and as a duration: no crash, refusals on one line, nothing before the epoch, no empty duration.
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/query/time_spec.h"

namespace {

constexpr int64_t kNow = 1'700'000'000'000'000'000;

void Require(bool holds) {
  if (!holds) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace taskmon::query;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<int64_t> time = ParseTime(text, kNow);
  if (time.ok()) {
    Require(*time >= 0);
    Require(!FormatRfc3339(*time).empty() && !FormatLocal(*time).empty());
  } else {
    Require(time.status().message().find('\n') == absl::string_view::npos);
  }
  const absl::StatusOr<int64_t> duration = ParseDuration(text);
  Require(!duration.ok() || *duration > 0);
  return 0;
}

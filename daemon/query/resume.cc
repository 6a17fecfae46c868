// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/resume.h"

#include <charconv>

#include <fmt/format.h>

namespace taskmon::query {
namespace {

// The number in front of a dot or the end, taken off `text`.
template <typename Number>
bool Take(std::string_view* text, Number* number) {
  const char* end = text->data() + text->size();
  const auto [at, error] = std::from_chars(text->data(), end, *number);
  if (error != std::errc() || (at != end && (*at != '.' || at + 1 == end))) return false;
  text->remove_prefix(static_cast<size_t>(at - text->data()) + (at == end ? 0 : 1));
  return true;
}

}  // namespace

std::string FormatResume(const ResumePoint& point) {
  return fmt::format("{}.{}.{}.{}", point.seq, point.wall_ns, point.range.begin_wall_ns, point.range.end_wall_ns);
}

absl::StatusOr<ResumePoint> ParseResume(std::string_view text_untrusted) {
  ResumePoint point;
  std::string_view rest = text_untrusted;
  if (rest.size() > 100 || !Take(&rest, &point.seq) || !Take(&rest, &point.wall_ns) ||
      !Take(&rest, &point.range.begin_wall_ns) || !Take(&rest, &point.range.end_wall_ns) || !rest.empty()) {
    return absl::InvalidArgumentError("that does not say where to resume; give back what the answer said");
  }
  return point;
}

}  // namespace taskmon::query

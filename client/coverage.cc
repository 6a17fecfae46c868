// SPDX-License-Identifier: Apache-2.0
#include "client/coverage.h"

#include <algorithm>

#include "daemon/query/time_spec.h"
#include "proto/catalogue.h"

namespace taskmon::client {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kTogether = kSecond / 10;  // between two ticks that follow each other

// A tick is late now and then, and the newest one is still to be stored.
int64_t SlackOf(const Coverage& coverage) { return std::max(3 * coverage.longest_tick_ns, 5 * kSecond); }

// Long stretches are read from the coarser resolutions.
uint64_t StepFor(int64_t length_ns) {
  if (length_ns >= 3 * 3600 * kSecond) return 60 * kSecond;
  return length_ns >= 1800 * kSecond ? 10 * kSecond : 0;
}

void Take(const v1::Totals& totals, Coverage* coverage) {
  coverage->stored_begin_ns = totals.stored_begin_ns();
  for (const v1::TotalsPoint& point : totals.points()) {
    const int64_t end_ns = point.tick().time_ns();
    const auto elapsed_ns = static_cast<int64_t>(point.tick().elapsed_ns());
    coverage->longest_tick_ns = std::max(coverage->longest_tick_ns, elapsed_ns);
    if (coverage->recorded.empty() || end_ns - elapsed_ns > coverage->recorded.back().second + kTogether) {
      coverage->recorded.emplace_back(end_ns - elapsed_ns, end_ns);
    } else {
      coverage->recorded.back().second = std::max(end_ns, coverage->recorded.back().second);
    }
  }
}

}  // namespace

int64_t Coverage::Recorded(int64_t from_ns, int64_t to_ns) const {
  int64_t sum_ns = 0;
  for (const auto& [begin, end] : recorded)
    sum_ns += std::max<int64_t>(0, std::min(end, to_ns) - std::max(begin, from_ns));
  return sum_ns;
}

bool Coverage::begins_late() const { return stored_begin_ns - begin_ns > kSecond; }

bool Coverage::has_holes() const {
  const int64_t from_ns = std::max(begin_ns, stored_begin_ns);
  return stored_begin_ns != 0 && end_ns - from_ns - Recorded(from_ns, end_ns) > SlackOf(*this);
}

absl::StatusOr<Coverage> AskCoverage(const Stretch& stretch, Backend* backend) {
  const std::string begin_text = stretch.begin.empty() ? "10m" : stretch.begin;
  const std::string end_text = stretch.end.empty() ? "now" : stretch.end;
  int64_t now_ns = stretch.now_ns;
  Coverage coverage;
  const auto resolve = [&]() -> absl::Status {
    const absl::StatusOr<int64_t> begin = query::ParseTime(begin_text, now_ns);
    if (!begin.ok()) return begin.status();
    const absl::StatusOr<int64_t> end = query::ParseTime(end_text, now_ns);
    if (!end.ok()) return end.status();
    coverage.begin_ns = *begin;
    coverage.end_ns = std::min(*end, now_ns);
    return absl::OkStatus();
  };
  if (absl::Status status = resolve(); !status.ok()) return status;
  v1::TotalsRequest request;
  request.mutable_selection()->add_metrics(v1::TASK_STATE);
  request.mutable_selection()->set_tid(1);  // any: ticks are told of whoever is in them
  request.set_begin(begin_text);
  request.set_end(end_text);
  request.set_step_ns(StepFor(coverage.end_ns - coverage.begin_ns));
  const absl::Status asked = backend->ReadTotals(request, [&](const v1::Totals& totals) {
    Take(totals, &coverage);
    if (stretch.of_file) now_ns = totals.stored_end_ns();
    return true;
  });
  if (!asked.ok()) return asked;
  if (absl::Status status = resolve(); !status.ok()) return status;
  return coverage;
}

}  // namespace taskmon::client

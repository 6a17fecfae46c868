// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/gap_list.h"

#include <algorithm>

namespace taskmon::query {
namespace {

// Ticks are late now and then.
int64_t Slack(const Tick& tick) { return std::max<int64_t>(3 * static_cast<int64_t>(tick.elapsed_ns), 5'000'000'000); }

const char* Reason(storage::Gap::Reason reason) {
  switch (reason) {
    case storage::Gap::Reason::kNotRunning: return "not running";
    case storage::Gap::Reason::kNotStored: return "not stored";
    default: return "lost";
  }
}

v1::Gap Encode(const char* reason, int64_t begin_wall_ns, int64_t end_wall_ns, uint64_t lost) {
  v1::Gap gap;
  gap.set_reason(reason);
  gap.set_begin_time_ns(begin_wall_ns);
  gap.set_end_time_ns(end_wall_ns);
  gap.set_lost(lost);
  return gap;
}

}  // namespace

void GapList::Before(const Tick& tick, const std::function<void(const v1::Gap&)>& tell) {
  const int64_t began = tick.wall_ns - static_cast<int64_t>(tick.elapsed_ns);
  if (!last_ && began - asked_.begin_wall_ns > Slack(tick) && stored_.begin_wall_ns < asked_.begin_wall_ns) {
    tell(Encode(tick.elapsed_ns == 0 ? "not running" : "", asked_.begin_wall_ns, began, 0));
  }
  auto rest = waiting_.begin();
  for (; rest != waiting_.end() && rest->begin_wall_ns < tick.wall_ns; ++rest) {
    tell(Encode(Reason(rest->reason), rest->begin_wall_ns, rest->end_wall_ns, rest->lost));
  }
  waiting_.erase(waiting_.begin(), rest);
  last_ = tick;
}

void GapList::AtEnd(const std::function<void(const v1::Gap&)>& tell) {
  for (const storage::Gap& gap : waiting_)
    tell(Encode(Reason(gap.reason), gap.begin_wall_ns, gap.end_wall_ns, gap.lost));
  waiting_.clear();
  const int64_t end = std::min(asked_.end_wall_ns, stored_.end_wall_ns);
  if (last_ && end - last_->wall_ns > Slack(*last_)) tell(Encode("", last_->wall_ns, end, 0));
}

}  // namespace taskmon::query

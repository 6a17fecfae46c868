// SPDX-License-Identifier: Apache-2.0
#include "daemon/smaps_budget.h"

#include <algorithm>

namespace taskmon::daemon {
namespace {

constexpr double kLearning = 0.2;                    // weight of the newest read
constexpr uint64_t kTeachesFromBytes = 16ull << 20;  // smaller reads are all fixed cost

}  // namespace

uint64_t SmapsBudget::ExpectedNs(uint64_t rss_bytes) const {
  return static_cast<uint64_t>(fixed_ns_ + ns_per_byte_ * static_cast<double>(rss_bytes));
}

bool SmapsBudget::Due(const SmapsTarget& target, uint64_t now_ns) const {
  auto read = read_ns_.find(target.id());
  if (read == read_ns_.end()) return true;
  return now_ns - read->second >= (target.wanted ? options_.wanted_age_ns : options_.others_age_ns);
}

void SmapsBudget::Refill(uint64_t now_ns) {
  const double second = static_cast<double>(options_.per_second_ns);
  const double passed_s = filled_ns_ ? static_cast<double>(now_ns - *filled_ns_) / 1e9 : 1.0;
  room_ns_ = std::min(second, room_ns_ + passed_s * second);
  filled_ns_ = now_ns;
}

std::vector<SmapsTarget> SmapsBudget::Choose(std::vector<SmapsTarget> targets, uint64_t now_ns) {
  Refill(now_ns);
  std::sort(targets.begin(), targets.end(), IsPreferred);
  const auto wanted = std::find_if(targets.begin(), targets.end(), [](const auto& t) { return !t.wanted; });
  const auto count = static_cast<size_t>(wanted - targets.begin()) + options_.others;
  if (targets.size() > count) targets.resize(count);
  // Forget those that are gone, so that the memory is bounded by the living.
  std::map<std::pair<int32_t, uint64_t>, uint64_t> kept;
  for (const SmapsTarget& target : targets) {
    if (auto read = read_ns_.find(target.id()); read != read_ns_.end()) kept.insert(*read);
  }
  read_ns_ = std::move(kept);

  auto last_read = [this](const SmapsTarget& target) {
    auto read = read_ns_.find(target.id());
    return read == read_ns_.end() ? 0 : read->second;
  };
  std::stable_sort(targets.begin(), targets.end(), [&](const SmapsTarget& a, const SmapsTarget& b) {
    return a.wanted != b.wanted ? a.wanted : last_read(a) < last_read(b);
  });
  std::vector<SmapsTarget> chosen;
  stats_.too_large = 0;
  stats_.no_room = 0;
  double planned = 0;
  for (const SmapsTarget& target : targets) {
    if (!Due(target, now_ns)) continue;
    const auto expected = static_cast<double>(ExpectedNs(target.rss_bytes));
    // Something larger than a whole second's budget may use the room once it is full.
    const bool fits =
        planned + expected <= room_ns_ || (planned == 0 && room_ns_ >= static_cast<double>(options_.per_second_ns));
    if (expected > static_cast<double>(options_.per_target_ns)) {
      ++stats_.too_large;
    } else if (!fits) {
      ++stats_.no_room;
    } else {
      planned += expected;
      chosen.push_back(target);
    }
  }
  return chosen;
}

void SmapsBudget::OnRead(const SmapsTarget& target, uint64_t now_ns, uint64_t stall_ns, bool failed) {
  room_ns_ -= static_cast<double>(stall_ns);
  read_ns_[target.id()] = now_ns;
  if (failed) return;
  ++stats_.reads;
  stats_.stall_ns += stall_ns;
  stats_.stall_max_ns = std::max(stats_.stall_max_ns, stall_ns);
  const auto taken = static_cast<double>(stall_ns);
  if (target.rss_bytes >= kTeachesFromBytes) {
    const double seen = std::max(0.0, taken - fixed_ns_) / static_cast<double>(target.rss_bytes);
    // Dearer is believed at once: the limit guards the target. Cheaper is believed slowly.
    ns_per_byte_ = seen > ns_per_byte_ ? seen : ns_per_byte_ + kLearning * (seen - ns_per_byte_);
  } else {
    fixed_ns_ += kLearning * (taken - fixed_ns_);
  }
  stats_.ns_per_byte = ns_per_byte_;
}

}  // namespace taskmon::daemon

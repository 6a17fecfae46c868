// SPDX-License-Identifier: Apache-2.0
#include "client/top/storm.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

namespace taskmon::client::top {
namespace {

const Item& At(const Frame& frame, int item) { return frame.items[static_cast<size_t>(item)]; }

}  // namespace

std::vector<Storm> TakeStorms(const Frame& frame, std::vector<int>* items) {
  std::map<std::pair<int32_t, std::string_view>, std::vector<int>> siblings;
  for (const int item : *items) {
    const v1::TaskInfo& info = *At(frame, item).info;
    if (!info.thread() && !info.kthread() && info.ppid() != 0) siblings[{info.ppid(), info.comm()}].push_back(item);
  }
  std::vector<Storm> storms;
  std::vector<bool> taken(frame.items.size());
  for (auto& [family, members] : siblings) {
    if (members.size() < kStormSize) continue;
    Storm& storm = storms.emplace_back(Storm{.parent = family.first, .comm = std::string(family.second), .items = {}});
    for (const int member : members) {
      taken[static_cast<size_t>(member)] = true;
      if (At(frame, member).ended_time_ns != 0) ++storm.ended;
    }
    storm.items = std::move(members);
  }
  std::erase_if(*items, [&](int item) { return taken[static_cast<size_t>(item)]; });
  return storms;
}

std::string StormName(const Frame& frame, const Storm& storm) {
  const auto parent = std::find_if(frame.items.begin(), frame.items.end(),
                                   [&](const Item& item) { return !item.id.thread && item.id.tid == storm.parent; });
  const std::string name = parent == frame.items.end() ? std::to_string(storm.parent) : parent->info->comm();
  return fmt::format("{}/{}", name, storm.comm);
}

}  // namespace taskmon::client::top

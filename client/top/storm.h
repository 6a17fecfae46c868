// SPDX-License-Identifier: Apache-2.0
//
// Many siblings of one name, as a fork storm leaves them: they would fill the list and say no more than one line. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/top/frame.h"

namespace taskmon::client::top {

// So many make a storm, alive or ended within the tick.
inline constexpr size_t kStormSize = 20;

struct Storm {
  int32_t parent = 0;
  std::string comm;
  std::vector<int> items;  // into Frame::items
  int ended = 0;           // of them
};

// Takes the members of storms out of `items`. Threads and kernel threads are no siblings in this sense.
std::vector<Storm> TakeStorms(const Frame& frame, std::vector<int>* items);

// "make/cc1plus"; where the parent is not in the frame by its number, "4711/cc1plus".
std::string StormName(const Frame& frame, const Storm& storm);

}  // namespace taskmon::client::top

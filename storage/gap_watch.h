// SPDX-License-Identifier: Apache-2.0
//
// Finds the gaps of a scan from tick to tick: a tick knows how long ago the one before it was taken, whether that was
// stored or not, and a tick that begins a run of the daemon knows of none. Owned by one scan.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "storage/ring_reader.h"

namespace taskmon::storage {

// How much time between two ticks of one run of the daemon no tick stands for.
uint64_t MissingBefore(const Tick& tick, const Tick& before);

class GapWatch {
 public:
  // The next tick that is delivered; reports what is missing before it. `folded`: it was made of several.
  void Pass(const Tick& tick, const std::string& boot_id, bool folded, const std::function<void(const Gap&)>& report);

 private:
  Tick last_;
  std::string boot_id_;
  bool any_ = false;
};

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
//
// The largest of each kind within the tick at work. Most tasks have none at a time, which then takes no room.
#pragma once

#include <array>
#include <memory>

#include "bpf/taskmon_abi.h"

namespace taskmon::daemon {

class WindowMaxima {
 public:
  using Values = std::array<tm_max, TM_M_MAX>;

  void Merge(const tm_max (&from)[TM_M_MAX]) {
    for (size_t i = 0; i < TM_M_MAX; ++i) {
      if (from[i].value_ns <= values()[i].value_ns) continue;
      if (held_ == nullptr) held_ = std::make_unique<Values>();
      (*held_)[i] = from[i];
    }
  }
  void CopyFrom(const WindowMaxima& other) {
    held_ = other.held_ == nullptr ? nullptr : std::make_unique<Values>(*other.held_);
  }
  // The tick is over.
  void Clear() { held_.reset(); }

  // All 0 where nothing was.
  const Values& values() const {
    static const Values none = {};
    return held_ == nullptr ? none : *held_;
  }

 private:
  std::unique_ptr<Values> held_;
};

}  // namespace taskmon::daemon

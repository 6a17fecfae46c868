// SPDX-License-Identifier: Apache-2.0
//
// Runs `top` on a terminal: keys, signals, answers and the clock into the model, screens out of it. Blocks the signals
// that it waits for (Ctrl-C, SIGTERM, SIGHUP, Ctrl-Z, a change of the window) before any other thread exists.
#pragma once

#include <cstdint>
#include <functional>

#include "client/top/model.h"
#include "client/top/source.h"

namespace taskmon::client::top {

struct LoopOptions {
  Start start;
  Source::Open open;
  std::function<int64_t()> now_wall_ns;
  bool color = false;
};

// Calls `work` in a thread that none of the signals reaches, and neither do they the threads that it starts; until it
// is done they have their usual effect on the caller.
void RunShielded(const std::function<void()>& work);

// Returns the signal that ended it, or 0.
int RunLoop(LoopOptions options);

}  // namespace taskmon::client::top

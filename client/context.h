// SPDX-License-Identifier: Apache-2.0
//
// What a command is given besides its options: where to write, whom to ask, what time it is. main.cc makes the real
// one, tests their own. Commands write errors to `err` as one line each and return the exit code.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include <absl/status/statusor.h>

#include "client/backend.h"
#include "client/interrupt.h"
#include "client/options.h"
#include "client/output/output.h"
#include "client/terminal.h"

namespace taskmon::client {

struct Context {
  Output* out = nullptr;
  Output* err = nullptr;
  Terminal terminal;
  bool err_is_terminal = false;
  std::function<absl::StatusOr<std::unique_ptr<Backend>>(const Options&)> open_backend;
  std::function<int64_t()> now_wall_ns;
  Interrupt* interrupt = nullptr;  // null: signals have their default effect
};

}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
#include "client/commands/commands.h"

#include "client/exit_code.h"

namespace taskmon::client {

int RunCommand(const Options& options, Context* context) {
  switch (options.command) {
    case Command::kStatus: return RunStatus(options, context);
    case Command::kDoctor: return RunDoctor(options, context);
    case Command::kMetrics: return RunMetrics(options, context);
    case Command::kVersion: return RunVersion(context);
    case Command::kPs: return RunPs(options, context);
    case Command::kShow: return RunShow(options, context);
    case Command::kWatch: return RunWatch(options, context);
    case Command::kHistory: return RunHistory(options, context);
    case Command::kEvents: return RunEvents(options, context);
    default: return RunRule(options, context);
  }
}

}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
#include "client/commands/commands.h"

#include "client/exit_code.h"

namespace taskmon::client {

int RunVersion(Context* context) {
  context->out->Write("taskmonctl " TASKMON_VERSION "\n");
  return kMatched;
}

}  // namespace taskmon::client

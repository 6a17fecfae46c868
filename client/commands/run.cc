// SPDX-License-Identifier: Apache-2.0
#include "client/commands/commands.h"

#include <fmt/format.h>

#include "client/commands/answer.h"
#include "client/exit_code.h"
#include "daemon/query/expression.h"

namespace taskmon::client {
namespace {

// What an expression can surely not be meant to ask. Whether it is right at all says whoever answers it.
void Warn(const std::string& expression, Context* context) {
  const absl::StatusOr<query::Expression> parsed = query::Expression::Parse(expression);
  if (!parsed.ok()) return;
  for (const std::string& warning : parsed->warnings()) {
    Note(fmt::format("warning: {}", warning), context);
  }
}

}  // namespace

int RunCommand(const Options& options, Context* context) {
  Warn(options.expression, context);
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
    case Command::kDiff: return RunDiff(options, context);
    case Command::kSnapshot: return RunSnapshot(options, context);
    case Command::kCompletion: return RunCompletion(options, context);
    case Command::kComplete: return RunComplete(options, context);
    case Command::kExport: return RunExport(options, context);
    case Command::kTop: return RunTop(options, context);
    default: return RunRule(options, context);
  }
}

}  // namespace taskmon::client

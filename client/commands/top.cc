// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <cstdlib>
#include <unistd.h>

#include "client/commands/answer.h"
#include "client/commands/commands.h"
#include "client/exit_code.h"
#include "client/top/curses_terminal.h"
#include "client/top/loop.h"
#include "daemon/query/time_spec.h"

namespace taskmon::client {
namespace {

absl::Status CheckTerminal(const Context& context) {
  if (!context.terminal.is_terminal || isatty(STDIN_FILENO) != 1) {
    return absl::InvalidArgumentError("top needs a terminal; `taskmonctl ps --top 20` prints the busiest tasks");
  }
  if (!top::CursesTerminal::Usable()) {
    return absl::InvalidArgumentError("TERM names no terminal that top can draw on; try TERM=xterm-256color");
  }
  return absl::OkStatus();
}

// What is wrong is told before the screen is taken over.
absl::Status CheckAnswers(const Options& options, const absl::StatusOr<std::unique_ptr<Backend>>& backend) {
  if (!backend.ok()) return backend.status();
  v1::ListTasksRequest request;
  request.mutable_selection()->add_metrics(v1::TASK_STATE);
  request.mutable_selection()->set_expression(options.expression);
  request.set_top(1);
  return (*backend)->ListTasks(request, [](const v1::TaskBatch&) { return true; });
}

absl::StatusOr<std::optional<int64_t>> StartTime(const Options& options, Backend* backend, const Context& context) {
  if (options.at.empty()) return std::optional<int64_t>();
  const absl::StatusOr<int64_t> now = NowOf(options, backend, context);
  if (!now.ok()) return now.status();
  const absl::StatusOr<int64_t> at = query::ParseTime(options.at, *now);
  if (!at.ok()) return at.status();
  return std::optional<int64_t>(*at);
}

}  // namespace

int RunTop(const Options& options, Context* context) {
  if (const absl::Status status = CheckTerminal(*context); !status.ok()) return Fail(status, context);
  setenv("GRPC_VERBOSITY", "NONE", 0);  // it would write over the screen
  absl::StatusOr<std::optional<int64_t>> at;
  top::RunShielded([&] {
    const absl::StatusOr<std::unique_ptr<Backend>> backend = context->open_backend(options);
    const absl::Status status = CheckAnswers(options, backend);
    at = status.ok() ? StartTime(options, backend->get(), *context) : status;
  });
  if (!at.ok()) return Fail(at.status(), context);
  const int signal = top::RunLoop({.start = {.expression = options.expression,
                                             .threads = options.threads,
                                             .file = !options.file.empty(),
                                             .at_ns = *at},
                                   .open = [&] { return context->open_backend(options); },
                                   .now_wall_ns = context->now_wall_ns,
                                   .color = context->terminal.color});
  // Ctrl-C is how many people leave such a program.
  return signal == 0 || signal == SIGINT ? kMatched : 128 + signal;
}

}  // namespace taskmon::client

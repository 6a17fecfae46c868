// SPDX-License-Identifier: Apache-2.0
//
// taskmonctl: parses, dispatches, and ends as other programs in a pipe do.
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

#include "client/cli.h"
#include "client/commands/commands.h"
#include "client/exit_code.h"
#include "client/file_backend.h"
#include "client/grpc_backend.h"
#include "client/pager.h"

namespace taskmon::client {
namespace {

int64_t WallClock() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

absl::StatusOr<std::unique_ptr<Backend>> OpenBackend(const Options& options) {
  if (!options.file.empty()) return OpenFileBackend(options.file);
  return MakeGrpcBackend(options.socket);
}

// What has something to put in order when it is stopped, or can be long in the history.
bool WantsInterrupt(const Options& options) {
  switch (options.command) {
    case Command::kWatch:
    case Command::kSnapshot:
    case Command::kExport:
    case Command::kHistory:
    case Command::kEvents:
    case Command::kDiff:
    case Command::kPs:
    case Command::kRuleTest: return true;
    default: return false;
  }
}

// Flushes, and says so when what was printed did not arrive. A reader that went away is no failure to speak of: the
// program ends by SIGPIPE, as if it had not been shielded from it.
int End(int code, Output* out, Output* err) {
  if (!out->Flush() && !out->broken_pipe()) {
    err->Write(ErrorLine(std::string(out->status().message())));
    code = kInternal;
  }
  err->Flush();
  if (out->broken_pipe()) {
    std::signal(SIGPIPE, SIG_DFL);
    std::raise(SIGPIPE);
  }
  return code;
}

int Run(const Options& options, Output* out, Output* err) {
  std::optional<Interrupt> interrupt;  // before gRPC starts its threads
  if (WantsInterrupt(options)) interrupt.emplace();
  Context context{.out = out,
                  .err = err,
                  .terminal = InspectTerminal(STDOUT_FILENO),
                  .err_is_terminal = isatty(STDERR_FILENO) == 1,
                  .open_backend = OpenBackend,
                  .now_wall_ns = WallClock,
                  .interrupt = interrupt ? &*interrupt : nullptr};
  std::optional<Pager> pager;  // before gRPC starts its threads
  if (context.terminal.is_terminal && WantsPager(options)) {
    pager.emplace(PagerCommand(std::getenv("TASKMON_PAGER"), std::getenv("PAGER")));
  }
  const int code = RunCommand(options, &context);
  out->Flush();
  pager.reset();
  const bool stopped = code == kInterrupted && interrupt && interrupt->signal() != 0;
  return stopped ? 128 + interrupt->signal() : code;
}

}  // namespace
}  // namespace taskmon::client

int main(int argc, char** argv) {
  using namespace taskmon::client;
  tzset();
  std::signal(SIGPIPE, SIG_IGN);  // write(2) tells, and so does gRPC
  Output out(STDOUT_FILENO);
  Output err(STDERR_FILENO);
  const char* socket = std::getenv("TASKMON_SOCKET");
  const ParsedCommandLine parsed =
      ParseCommandLine(std::vector<std::string>(argv + 1, argv + argc), socket == nullptr ? "" : socket);
  out.Write(parsed.out);
  err.Write(parsed.err);
  return End(parsed.exit_code ? *parsed.exit_code : Run(parsed.options, &out, &err), &out, &err);
}

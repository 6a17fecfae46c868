// SPDX-License-Identifier: Apache-2.0
#include "client/pager.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>

namespace taskmon::client {

bool WantsPager(const Options& options) {
  if (!IsTable(options.format) || options.follow) return false;
  switch (options.command) {
    case Command::kPs:
    case Command::kShow:
    case Command::kHistory:
    case Command::kEvents:
    case Command::kDiff:
    case Command::kStatus:
    case Command::kDoctor:
    case Command::kMetrics:
    case Command::kRuleList:
    case Command::kRuleShow:
    case Command::kRuleVersions:
    case Command::kRuleTest:
    case Command::kRuleExplain: return true;
    default: return false;
  }
}

std::string PagerCommand(const char* taskmon_pager, const char* pager) {
  constexpr char kLess[] = "if command -v less >/dev/null; then exec less; else exec cat; fi";
  const char* chosen = taskmon_pager != nullptr ? taskmon_pager : pager != nullptr ? pager : kLess;
  return std::string_view(chosen) == "cat" ? "" : chosen;
}

// Ctrl-C is for the pager alone: it would be left behind with the terminal. Leaving it ends us by a closed pipe.
Pager::Pager(const std::string& command) {
  int pipe_fds[2];
  if (command.empty() || pipe2(pipe_fds, O_CLOEXEC) != 0) return;
  child_ = fork();
  if (child_ == 0) {
    std::signal(SIGPIPE, SIG_DFL);
    sigset_t none;  // whatever Interrupt has blocked here
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    dup2(pipe_fds[0], STDIN_FILENO);
    setenv("LESS", "FRX", 0);  // end when it fits, let bold type through, leave the text on the screen
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  close(pipe_fds[0]);
  if (child_ > 0) {
    terminal_fd_ = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    dup2(pipe_fds[1], STDOUT_FILENO);
    std::signal(SIGINT, SIG_IGN);
  }
  close(pipe_fds[1]);
}

Pager::~Pager() {
  if (child_ <= 0) return;
  dup2(terminal_fd_, STDOUT_FILENO);  // closes the pipe: its end
  close(terminal_fd_);
  int status = 0;
  while (waitpid(child_, &status, 0) < 0 && errno == EINTR) continue;
  std::signal(SIGINT, SIG_DFL);
}

}  // namespace taskmon::client

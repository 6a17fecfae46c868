// SPDX-License-Identifier: Apache-2.0
#include "daemon/service_manager.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include <cstring>

#include <fmt/format.h>

namespace taskmon::daemon {

absl::StatusOr<std::optional<int>> TakePassedSocket() {
  const int count = sd_listen_fds(1);  // nobody started from here is to take them for his own
  if (count < 0) return absl::InvalidArgumentError(fmt::format("LISTEN_FDS: {}", std::strerror(-count)));
  if (count == 0) return std::nullopt;
  if (count > 1) return absl::InvalidArgumentError(fmt::format("{} sockets were passed; taskmond takes one", count));
  const int fd = SD_LISTEN_FDS_START;
  if (sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) <= 0) {
    return absl::InvalidArgumentError("what was passed is not a listening Unix stream socket (ListenStream=/path)");
  }
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return fd;
}

uint64_t WatchdogPeriodNs() {
  uint64_t period_us = 0;
  return sd_watchdog_enabled(0, &period_us) > 0 ? period_us * 1000 : 0;
}

// A manager that cannot be reached cannot be told so either.
void TellReady() { (void)sd_notify(0, "READY=1"); }
void TellAlive() { (void)sd_notify(0, "WATCHDOG=1"); }
void TellStopping() { (void)sd_notify(0, "STOPPING=1"); }

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/service_manager.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include "bpf/fd.h"

namespace taskmon::daemon {
namespace {

// As sd_notify(3), which waits for a manager that does not read: here the message is then let go of.
void TellWithoutWaiting(std::string_view state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
  const size_t length = std::strlen(path);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (length > sizeof(address.sun_path)) return;
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';
  const bpf::Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  // A manager that cannot be reached cannot be told so either.
  (void)sendto(fd.get(), state.data(), state.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&address),
               static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
}

}  // namespace

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

void TellReady() { (void)sd_notify(0, "READY=1"); }
void TellAlive() { TellWithoutWaiting("WATCHDOG=1"); }
void TellStopping() { TellWithoutWaiting("STOPPING=1"); }

}  // namespace taskmon::daemon

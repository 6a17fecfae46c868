// SPDX-License-Identifier: Apache-2.0
#include "daemon/listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <absl/status/status.h>
#include <fmt/format.h>

namespace taskmon::daemon {
namespace {

constexpr int kBacklog = 128;

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  return address;
}

// The process that answers on the path; 0: nobody does.
pid_t LivingOwner(const sockaddr_un& address) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  pid_t owner = 0;
  if (fd >= 0 && connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    ucred credentials{};
    socklen_t length = sizeof(credentials);
    owner = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 ? credentials.pid : -1;
  }
  if (fd >= 0) close(fd);
  return owner;
}

absl::Status CannotUse(const std::string& path, const char* what) {
  return absl::FailedPreconditionError(fmt::format("cannot listen on {}: {}: {}", path, what, std::strerror(errno)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Open(const std::string& path, uint32_t mode) {
  std::error_code ignored;  // bind says what is wrong with the directory
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  const sockaddr_un address = AddressOf(path);
  struct stat existing {};
  if (lstat(path.c_str(), &existing) == 0) {
    if (!S_ISSOCK(existing.st_mode)) {
      return absl::FailedPreconditionError(fmt::format("cannot listen on {}: it is not a socket", path));
    }
    if (const pid_t owner = LivingOwner(address); owner != 0) {
      return absl::AlreadyExistsError(
          fmt::format("another taskmond (process {}) is listening on {}; stop it, or give this one --socket and "
                      "--state-dir of its own",
                      owner, path));
    }
    unlink(path.c_str());
  }
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return CannotUse(path, "socket");
  const char* failed = nullptr;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) failed = "bind";
  if (failed == nullptr && chmod(path.c_str(), mode) != 0) failed = "chmod";
  if (failed == nullptr && listen(fd, kBacklog) != 0) failed = "listen";
  if (failed != nullptr) {
    absl::Status status = CannotUse(path, failed);
    close(fd);
    return status;
  }
  return std::unique_ptr<Listener>(new Listener(path, fd));
}

std::unique_ptr<Listener> Listener::Adopt(int fd) { return std::unique_ptr<Listener>(new Listener("", fd)); }

Listener::~Listener() {
  close(fd_);
  if (!path_.empty()) unlink(path_.c_str());
}

int Listener::Accept() const { return accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK); }

}  // namespace taskmon::daemon

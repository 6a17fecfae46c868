// SPDX-License-Identifier: Apache-2.0
#include "storage/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include <absl/status/status.h>
#include <fmt/format.h>

namespace taskmon::storage {

absl::StatusOr<FileLock> FileLock::Take(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) return absl::ErrnoToStatus(errno, fmt::format("cannot open {}", path));
  FileLock lock(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno == EWOULDBLOCK) return absl::FailedPreconditionError("another process writes this history file");
  return absl::ErrnoToStatus(errno, fmt::format("cannot lock {}", path));
}

FileLock::~FileLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
#include "storage/private_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>

#include <fmt/format.h>

namespace taskmon::storage {

// Only a file that is not there yet is opened here, since closing one that is would drop the locks of every connection
// in this process.
absl::Status CreatePrivately(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0) return close(fd), absl::OkStatus();
  return errno == EEXIST ? absl::OkStatus() : absl::ErrnoToStatus(errno, fmt::format("cannot create {}", path));
}

absl::StatusOr<std::string> SetAside(const std::string& path) {
  const std::string stem = fmt::format("{}.damaged-{}", path, time(nullptr));
  std::string target = stem;
  for (int n = 2; access(target.c_str(), F_OK) == 0; ++n) target = fmt::format("{}-{}", stem, n);
  if (rename(path.c_str(), target.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, fmt::format("cannot set {} aside", path));
  }
  // There may be no WAL. The shared memory file is made anew from it.
  (void)rename((path + "-wal").c_str(), (target + "-wal").c_str());
  (void)unlink((path + "-shm").c_str());
  return target;
}

}  // namespace taskmon::storage

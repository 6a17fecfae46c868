// SPDX-License-Identifier: Apache-2.0
//
// Says that this process writes a history file. An flock on a file of its own: the kernel lets go of it when the
// process ends in whatever way, and opening or closing the database elsewhere in the process does not touch it, as it
// would the POSIX locks that SQLite holds. Movable; released on destruction. The lock file stays.
#pragma once

#include <string>
#include <utility>

#include <absl/status/statusor.h>

namespace taskmon::storage {

class FileLock {
 public:
  // FailedPrecondition: someone holds it.
  static absl::StatusOr<FileLock> Take(const std::string& path);
  FileLock(FileLock&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
//
// The Unix socket: makes it, refuses to take it from a living taskmond, accepts connections; or accepts on one that a
// service manager made and keeps. Owned by the main thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <absl/status/statusor.h>

namespace taskmon::daemon {

class Listener {
 public:
  // AlreadyExists: another taskmond answers on the path. A stale socket file is replaced. FailedPrecondition: the path
  // cannot be used.
  static absl::StatusOr<std::unique_ptr<Listener>> Open(const std::string& path, uint32_t mode);
  // A listening, non-blocking socket that somebody else made. Its file stays when this ends.
  static std::unique_ptr<Listener> Adopt(int fd);
  ~Listener();

  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int fd() const { return fd_; }
  // The next connection; -1 when there is none waiting.
  int Accept() const;

 private:
  Listener(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  const std::string path_;  // empty: adopted
  const int fd_;
};

}  // namespace taskmon::daemon

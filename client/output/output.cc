// SPDX-License-Identifier: Apache-2.0
#include "client/output/output.h"

#include <cerrno>
#include <cstring>
#include <poll.h>
#include <unistd.h>

namespace taskmon::client {
namespace {

constexpr size_t kFlushAt = 64 * 1024;

// A terminal shared with a program that set O_NONBLOCK may be full for a moment.
void WaitWritable(int fd) {
  pollfd wait{.fd = fd, .events = POLLOUT, .revents = 0};
  poll(&wait, 1, -1);
}

}  // namespace

void Output::Write(std::string_view text) {
  if (failed()) return;
  buffer_.append(text);
  if (buffer_.size() >= kFlushAt) WriteOut();
}

bool Output::Flush() {
  WriteOut();
  return !failed();
}

void Output::WriteOut() {
  if (!buffer_.empty() && before_write_ != nullptr) std::exchange(before_write_, nullptr)();
  std::string_view rest = buffer_;
  while (!rest.empty() && error_ == 0) {
    const ssize_t written = write(fd_, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EAGAIN) {
      WaitWritable(fd_);
    } else if (errno != EINTR) {
      error_ = errno;
    }
  }
  buffer_.clear();
}

bool Output::broken_pipe() const { return error_ == EPIPE; }

absl::Status Output::status() const {
  if (error_ == 0) return absl::OkStatus();
  return absl::DataLossError(std::string("cannot write to standard output: ") + std::strerror(error_) +
                             "; the output is incomplete");
}

}  // namespace taskmon::client

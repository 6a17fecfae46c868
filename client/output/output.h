// SPDX-License-Identifier: Apache-2.0
//
// Standard output (or error) of one run: collects bytes, writes them in large pieces, and remembers the first failure,
// after which it swallows everything. Long-running commands call Flush after each piece that a reader may act on.
// A closed pipe is told apart from other failures: it ends the program as quietly as cat ends.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/status.h>

namespace taskmon::client {

class Output {
 public:
  // Does not own the descriptor.
  explicit Output(int fd) : fd_(fd) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void Write(std::string_view text);
  // Called once, right before bytes reach the descriptor for the first time from now on; null: nothing any more.
  void BeforeFirstWrite(std::function<void()> action) { before_write_ = std::move(action); }
  // False once writing has failed: there is nobody to produce more for.
  bool Flush();

  bool failed() const { return error_ != 0; }
  bool broken_pipe() const;
  // What went wrong, with the reason; OK when nothing did.
  absl::Status status() const;

 private:
  void WriteOut();

  int fd_;
  int error_ = 0;
  std::string buffer_;
  std::function<void()> before_write_;
};

}  // namespace taskmon::client

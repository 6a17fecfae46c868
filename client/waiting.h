// SPDX-License-Identifier: Apache-2.0
//
// While somebody waits for the one answer of a command: Ctrl-C cancels the call, and after a second a line on standard
// error tells what goes on, where that is a terminal. The line is gone when the first of the answer appears on the same
// terminal, and at the end. Nobody else writes to standard error meanwhile.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "client/backend.h"
#include "client/context.h"

namespace taskmon::client {

class Waiting {
 public:
  // `what` goes on: "reading the history". All must outlive the object. What takes less than `patience` is not told.
  Waiting(std::string what, Backend* backend, Context* context,
          std::chrono::milliseconds patience = std::chrono::seconds(1));
  ~Waiting() { End(); }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

  // The answer is there, or there will be none: signals do what they did before. Once is enough, the destructor's too.
  void End();
  // How far it has got, in words.
  void At(std::string place);
  // The moment of history that has been reached.
  void At(int64_t time_ns);

 private:
  void Tell();
  void EndLine();

  const std::string what_;
  const std::chrono::milliseconds patience_;
  Context* const context_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string place_;   // guarded by mutex_
  bool ended_ = false;  // guarded by mutex_
  bool drawn_ = false;  // guarded by mutex_
  std::thread thread_;  // runs where there is a terminal to write to
};

}  // namespace taskmon::client

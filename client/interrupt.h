// SPDX-License-Identifier: Apache-2.0
//
// Ctrl-C (and SIGTERM) for commands that stream until stopped: the call in progress is cancelled, what was printed is
// completed (a JSON array gets its bracket), and the program ends with 128 + signal. Blocks the signals in the calling
// thread and waits for them in its own: construct it before any other thread exists.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

namespace taskmon::client {

class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  // Called once, from the waiting thread, at the first signal; at once when there was one already. A second signal
  // ends the program on the spot.
  void OnSignal(std::function<void()> action);

  // From now on signals do again what they did before, and actions are not called any more.
  void Release();

  // The signal that came, or 0.
  int signal() const { return signal_; }

 private:
  void Join();
  void Wait();

  std::atomic<int> signal_{0};
  std::mutex mutex_;
  std::function<void()> action_;  // guarded by mutex_
  int signal_fd_ = -1;
  int stop_fd_ = -1;
  std::thread thread_;
};

}  // namespace taskmon::client

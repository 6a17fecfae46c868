// SPDX-License-Identifier: Apache-2.0
//
// The threads that record, and what CPU time they have taken: this is what taskmond's budget is of. What clients make
// the other threads do is none of it, or whoever asks much could have less recorded.
#pragma once

#include <cstdint>

namespace taskmon::daemon {

// The calling thread is one of them for as long as this lives.
class RecordingThread {
 public:
  // `name`: the thread's, as the kernel is to know it.
  explicit RecordingThread(const char* name);
  ~RecordingThread();

  RecordingThread(const RecordingThread&) = delete;
  RecordingThread& operator=(const RecordingThread&) = delete;

  // Of all of them in this process, user and system, of those that have ended, too. From any thread.
  static uint64_t CpuNs();
};

}  // namespace taskmon::daemon

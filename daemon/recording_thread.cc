// SPDX-License-Identifier: Apache-2.0
#include "daemon/recording_thread.h"

#include <pthread.h>

#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "daemon/clocks.h"

namespace taskmon::daemon {
namespace {

struct Known {
  absl::Mutex mutex;
  std::vector<clockid_t> clocks ABSL_GUARDED_BY(mutex);
  uint64_t ended_ns ABSL_GUARDED_BY(mutex) = 0;
};

Known& Threads() {
  static auto* const known = new Known;
  return *known;
}

clockid_t OwnClock() {
  clockid_t clock = CLOCK_THREAD_CPUTIME_ID;
  pthread_getcpuclockid(pthread_self(), &clock);
  return clock;
}

}  // namespace

RecordingThread::RecordingThread(const char* name) {
  pthread_setname_np(pthread_self(), name);
  Known& known = Threads();
  absl::MutexLock lock(&known.mutex);
  known.clocks.push_back(OwnClock());
}

RecordingThread::~RecordingThread() {
  Known& known = Threads();
  absl::MutexLock lock(&known.mutex);
  known.ended_ns += ReadClockNs(OwnClock());
  std::erase(known.clocks, OwnClock());
}

uint64_t RecordingThread::CpuNs() {
  Known& known = Threads();
  absl::MutexLock lock(&known.mutex);
  uint64_t sum_ns = known.ended_ns;
  for (clockid_t clock : known.clocks) sum_ns += ReadClockNs(clock);
  return sum_ns;
}

}  // namespace taskmon::daemon

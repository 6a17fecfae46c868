// SPDX-License-Identifier: Apache-2.0
#include "daemon/recording_thread.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <string>
#include <thread>

#include "daemon/clocks.h"

namespace taskmon::daemon {
namespace {

uint64_t OwnCpuNs() { return ReadClockNs(CLOCK_THREAD_CPUTIME_ID); }

void Work() {
  for (const uint64_t until_ns = OwnCpuNs() + 20'000'000; OwnCpuNs() < until_ns;) {
  }
}

TEST(RecordingThread, CountsWhatItsThreadDoesAndNoOther) {
  const uint64_t begin_ns = RecordingThread::CpuNs();
  Work();
  EXPECT_EQ(RecordingThread::CpuNs(), begin_ns);
  std::thread([begin_ns] {
    const RecordingThread recording("tm-test");
    char name[16] = {};
    pthread_getname_np(pthread_self(), name, sizeof(name));
    EXPECT_EQ(std::string(name), "tm-test");
    Work();
    EXPECT_GE(RecordingThread::CpuNs(), begin_ns + 20'000'000);
  }).join();
  const uint64_t end_ns = RecordingThread::CpuNs();
  EXPECT_GE(end_ns, begin_ns + 20'000'000) << "what it did stays counted";
  Work();
  EXPECT_EQ(RecordingThread::CpuNs(), end_ns);
}

}  // namespace
}  // namespace taskmon::daemon

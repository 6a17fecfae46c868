// SPDX-License-Identifier: Apache-2.0
//
// Threads that the kernel makes for a process by itself: they are no child of anybody's fork(2) or clone(2).
#include <linux/io_uring.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/bpf/probe_fixture.h"

namespace taskmon::bpf {
namespace {

constexpr int kRings = 3;

// -1: the kernel has no io_uring, or allows none.
int OpenPolledRing() {
  io_uring_params params = {};
  params.flags = IORING_SETUP_SQPOLL;
  return static_cast<int>(syscall(SYS_io_uring_setup, 1, &params));
}

uint64_t ThreadsOf(pid_t tgid) { return ProcValue("/proc/" + std::to_string(tgid) + "/status", "Threads"); }

// Its exit status is how many threads it had at the most: those of the rings are among them since 5.12, and 5.10.162.
int HaveThreadsMade() {
  pthread_t sleeper;
  if (pthread_create(
          &sleeper, nullptr, [](void*) -> void* { return pause(), nullptr; }, nullptr) != 0)
    std::abort();
  int rings[kRings];
  for (int& ring : rings) {
    ring = OpenPolledRing();
    if (ring < 0) _exit(0);
  }
  const auto threads = static_cast<int>(ThreadsOf(getpid()));
  for (int ring : rings) close(ring);
  while (ThreadsOf(getpid()) > 2) usleep(1000);
  _exit(threads);
}

class KernelMadeTest : public ProbeTest {};

TEST_F(KernelMadeTest, AreCountedInAndOutOfTheirProcess) {
  Start({TM_HOOKS_LIFECYCLE});
  if (IsSkipped()) return;
  if (const int ring = OpenPolledRing(); ring < 0) {
    GTEST_SKIP() << "no io_uring";
  } else {
    close(ring);
  }
  for (int round = 0; round < 10; ++round) {
    Child child(HaveThreadsMade);
    child.Go();
    const int status = child.Wait();
    const auto threads = static_cast<size_t>(WEXITSTATUS(status));
    ASSERT_GE(threads, 2u);
    ExpectClosedOnce(child.tid(), threads);
    EXPECT_EQ(Finals(child.tid()).back().exit_code, status);
    EXPECT_EQ(Of<tm_fork_record>(TM_RECORD_FORK, child.tid()).size(), threads) << "each is born once";
  }
}

}  // namespace
}  // namespace taskmon::bpf

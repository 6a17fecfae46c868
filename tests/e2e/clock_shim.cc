// SPDX-License-Identifier: Apache-2.0
//
// LD_PRELOADed into taskmond by a test: the wall clock is off by as many ns as the file TASKMON_TEST_CLOCK holds (an
// int64_t), which the test changes while taskmond runs. A machine's real clock is left alone; a time namespace would
// not do, because it moves the other clocks only.
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

namespace {

const volatile int64_t* Offset() {
  static const volatile int64_t* const offset = [] {
    static const int64_t none = 0;
    const char* path = getenv("TASKMON_TEST_CLOCK");
    const int fd = path == nullptr ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    void* memory = fd < 0 ? MAP_FAILED : mmap(nullptr, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
    return memory == MAP_FAILED ? &none : static_cast<const volatile int64_t*>(memory);
  }();
  return offset;
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
  if (syscall(SYS_clock_gettime, clock, now) != 0) return -1;
  if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE) return 0;
  const int64_t ns = static_cast<int64_t>(now->tv_sec) * 1'000'000'000 + now->tv_nsec + *Offset();
  now->tv_sec = static_cast<time_t>(ns / 1'000'000'000);
  now->tv_nsec = static_cast<long>(ns % 1'000'000'000);
  return 0;
}

extern "C" int gettimeofday(timeval* now, void*) noexcept {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  now->tv_sec = time.tv_sec;
  now->tv_usec = time.tv_nsec / 1000;
  return 0;
}

extern "C" time_t time(time_t* out) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != nullptr) *out = now.tv_sec;
  return now.tv_sec;
}

// SPDX-License-Identifier: Apache-2.0
// CPU time, waits, switches, moves, priorities.
#include <linux/io_uring.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

#include "tests/truth/thing.h"

namespace taskmon::truth {
namespace {

constexpr int64_t kMs = 1'000'000;

void BurnUser(const Args& args, Report*) { Burn(args[0] * kMs); }

// Nearly all of it in the kernel: it fills pages with zeros.
void BurnSystem(const Args& args, Report*) {
  constexpr size_t kBytes = 8 << 20;
  void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  Must(memory != MAP_FAILED, "mmap");
  const int64_t until = ReadClock(CLOCK_THREAD_CPUTIME_ID) + args[0] * kMs;
  while (ReadClock(CLOCK_THREAD_CPUTIME_ID) < until) {
    Must(madvise(memory, kBytes, MADV_DONTNEED) == 0, "madvise");
    Must(madvise(memory, kBytes, MADV_POPULATE_WRITE) == 0, "madvise(MADV_POPULATE_WRITE)");
  }
  munmap(memory, kBytes);
}

void SleepFor(int64_t ns) {
  timespec left = {ns / 1'000'000'000, ns % 1'000'000'000};
  while (nanosleep(&left, &left) != 0) {
  }
}

// Runs on for so long, so that the wait before and the wait after fall into other ticks.
void RunFor(int64_t ns) {
  const int64_t until = ReadClock(CLOCK_BOOTTIME) + ns;
  while (ReadClock(CLOCK_BOOTTIME) < until) Burn(kMs);
}

template <typename Wait>
void WaitBetweenRuns(int64_t run_ns, Report* report, Wait wait) {
  RunFor(run_ns);
  const int64_t wall_ns = ReadClock(CLOCK_REALTIME);
  const int64_t begin_ns = ReadClock(CLOCK_BOOTTIME);
  wait();
  const int64_t end_ns = ReadClock(CLOCK_BOOTTIME);
  report->Set("wait_ns", end_ns - begin_ns);
  report->Set("wait_begin_boot_ns", begin_ns);
  report->Set("wait_begin_wall_ns", wall_ns);
  report->Set("wait_end_wall_ns", wall_ns + end_ns - begin_ns);
  RunFor(run_ns);
}

void SleepOnce(const Args& args, Report* report) {
  PinTo(0);
  WaitBetweenRuns(args[1] * kMs, report, [&] { SleepFor(args[0] * kMs); });
}

// A ring with room for one request. Waiting for it is waiting for I/O, of a length that is ours to choose.
struct Uring {
  int fd = -1;
  io_uring_params params = {};
  char* submissions = nullptr;
  io_uring_sqe* entries = nullptr;
};

Uring uring;

bool OpenUring() {
  uring.fd = static_cast<int>(syscall(SYS_io_uring_setup, 2, &uring.params));
  if (uring.fd < 0) return false;
  const size_t bytes = uring.params.sq_off.array + uring.params.sq_entries * sizeof(uint32_t);
  void* ring = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, uring.fd, IORING_OFF_SQ_RING);
  void* entries = mmap(nullptr, uring.params.sq_entries * sizeof(io_uring_sqe), PROT_READ | PROT_WRITE, MAP_SHARED,
                       uring.fd, IORING_OFF_SQES);
  Must(ring != MAP_FAILED && entries != MAP_FAILED, "mmap of io_uring");
  uring.submissions = static_cast<char*>(ring);
  uring.entries = static_cast<io_uring_sqe*>(entries);
  return true;
}

void PrepareIoWait(const Args&, Report* report) {
  report->Set("supported", OpenUring());
  std::memset(&uring.entries[0], 0, sizeof(io_uring_sqe));
}

void WaitForIo(int64_t ns) {
  static __kernel_timespec length;
  length = {ns / 1'000'000'000, ns % 1'000'000'000};
  io_uring_sqe* entry = &uring.entries[0];
  entry->opcode = IORING_OP_TIMEOUT;
  entry->addr = reinterpret_cast<uintptr_t>(&length);
  entry->len = 1;
  auto* array = reinterpret_cast<uint32_t*>(uring.submissions + uring.params.sq_off.array);
  auto* tail = reinterpret_cast<std::atomic<uint32_t>*>(uring.submissions + uring.params.sq_off.tail);
  array[tail->load() & (uring.params.sq_entries - 1)] = 0;
  tail->fetch_add(1);
  Must(syscall(SYS_io_uring_enter, uring.fd, 1, 1, IORING_ENTER_GETEVENTS, nullptr, 0) == 1, "io_uring_enter");
}

void WaitForIoOnce(const Args& args, Report* report) {
  PinTo(0);
  WaitBetweenRuns(args[1] * kMs, report, [&] { WaitForIo(args[0] * kMs); });
}

struct Spinner {
  int64_t cpu_ns;
  std::atomic<int64_t> tid = 0;
  std::atomic<bool> done = false;
};

void* SpinOnFirstCpu(void* spinner) {
  auto* mine = static_cast<Spinner*>(spinner);
  PinTo(0);
  mine->tid = gettid();
  Burn(mine->cpu_ns);
  mine->done = true;
  while (true) pause();
}

// Two threads that want one CPU, both alive until the end.
void Contend(const Args& args, Report* report) {
  static Spinner spinners[2];
  for (Spinner& spinner : spinners) {
    spinner.cpu_ns = args[0] * kMs;
    pthread_t thread;
    Must(pthread_create(&thread, nullptr, SpinOnFirstCpu, &spinner) == 0, "pthread_create");
  }
  for (Spinner& spinner : spinners) {
    while (!spinner.done) SleepFor(kMs);
    report->Append("tids", spinner.tid);
  }
}

void SetPolicy(int policy, int priority) {
  sched_param param = {};
  param.sched_priority = priority;
  Must(sched_setscheduler(0, policy, &param) == 0, "sched_setscheduler");
}

struct Hog {
  int64_t cpu_ns;
  int wake[2];
  std::atomic<int64_t> tid = 0;
  int64_t end_boot_ns = 0;
};

void* HogFirstCpu(void* hog) {
  auto* mine = static_cast<Hog*>(hog);
  PinTo(0);
  SetPolicy(SCHED_FIFO, 10);
  mine->tid = gettid();
  char byte;
  Must(read(mine->wake[0], &byte, 1) == 1, "read");
  Burn(mine->cpu_ns);
  mine->end_boot_ns = ReadClock(CLOCK_BOOTTIME);
  while (true) pause();
}

Hog hog;

void PreparePreempted(const Args& args, Report*) {
  PinTo(0);
  hog.cpu_ns = args[0] * kMs;
  Must(pipe(hog.wake) == 0, "pipe");
  pthread_t thread;
  Must(pthread_create(&thread, nullptr, HogFirstCpu, &hog) == 0, "pthread_create");
  while (hog.tid == 0) SleepFor(kMs);
}

// Both are real-time threads for the moment that counts, so that nobody else comes between them.
void BePreempted(const Args& args, Report* report) {
  RunFor(args[1] * kMs);
  SetPolicy(SCHED_FIFO, 5);
  Must(write(hog.wake[1], "x", 1) == 1, "write");
  const int64_t back_ns = ReadClock(CLOCK_BOOTTIME);
  SetPolicy(SCHED_OTHER, 0);
  report->Set("hog", hog.tid);
  report->Set("hog_end_boot_ns", hog.end_boot_ns);
  report->Set("back_boot_ns", back_ns);
  RunFor(args[1] * kMs);
}

void SwitchOften(const Args& args, Report* report) {
  for (int64_t i = 0; i < args[0]; ++i) SleepFor(1000);
  report->Set("sleeps", args[0]);
}

void PrepareMigrations(const Args&, Report*) { PinTo(0); }

void Migrate(const Args& args, Report* report) {
  int64_t moves = 0;
  for (int64_t i = 0; i < args[0]; ++i) {
    const int before = sched_getcpu();
    PinTo(1 - before);
    moves += sched_getcpu() != before;
  }
  report->Set("moves", moves);
  report->Set("cpu", sched_getcpu());
}

void SetNice(const Args& args, Report*) {
  Must(setpriority(PRIO_PROCESS, 0, static_cast<int>(args[0])) == 0, "setpriority");
}

void SetRealTime(const Args& args, Report*) { SetPolicy(SCHED_FIFO, static_cast<int>(args[0])); }

constexpr Thing kThings[] = {
    {"burn_user", "CPU_MS", 1, nullptr, BurnUser},
    {"burn_system", "CPU_MS", 1, nullptr, BurnSystem},
    {"sleep", "MS RUN_MS, runs before and after", 2, nullptr, SleepOnce},
    {"iowait", "MS RUN_MS, runs before and after", 2, PrepareIoWait, WaitForIoOnce},
    {"contend", "CPU_MS, each of two threads on CPU 0", 1, nullptr, Contend},
    {"preempted", "CPU_MS RUN_MS, by a real-time thread on CPU 0", 2, PreparePreempted, BePreempted},
    {"switches", "TIMES", 1, nullptr, SwitchOften},
    {"migrations", "TIMES", 1, PrepareMigrations, Migrate},
    {"nice", "NICE", 1, nullptr, SetNice},
    {"real_time", "PRIORITY", 1, nullptr, SetRealTime},
};

}  // namespace

std::span<const Thing> SchedThings() { return kThings; }

}  // namespace taskmon::truth

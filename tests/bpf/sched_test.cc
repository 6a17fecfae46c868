// SPDX-License-Identifier: Apache-2.0
//
// Time off the CPU and its longest stretches. The truth is what the workload asked for; bounds are one-sided where the
// machine may add time of its own.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <new>

#include "tests/bpf/probe_fixture.h"

namespace taskmon::bpf {
namespace {

constexpr uint64_t kMs = 1'000'000;

class SchedTest : public ProbeTest {
 protected:
  void SetUp() override { Start({TM_HOOKS_LIFECYCLE, TM_HOOKS_SCHED}); }
};

void Nap(uint64_t ns) {
  timespec time{static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
  while (nanosleep(&time, &time) != 0) {
  }
}

uint64_t BootNs() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

TEST_F(SchedTest, ASleepIsOffCpuAndNeitherIoWaitNorRunQueue) {
  const uint64_t begin = BootNs();
  const auto final = FinalOf([] {
    Nap(50 * kMs);
    return 0;
  });
  const uint64_t end = BootNs();
  EXPECT_GE(final.counters[TM_C_OFFCPU_NS], 50 * kMs);
  EXPECT_LE(final.counters[TM_C_OFFCPU_NS], end - begin);
  EXPECT_GE(final.maxima[TM_M_OFFCPU_NS].value_ns, 50 * kMs);
  EXPECT_LE(final.maxima[TM_M_OFFCPU_NS].value_ns, final.counters[TM_C_OFFCPU_NS]);
  EXPECT_EQ(final.maxima[TM_M_OFFCPU_NS].witness, 0u) << "it went by itself";
  EXPECT_GE(final.maxima[TM_M_OFFCPU_NS].at_ns, begin + 50 * kMs);
  EXPECT_LE(final.maxima[TM_M_OFFCPU_NS].at_ns, end);
  EXPECT_EQ(final.counters[TM_C_IOWAIT_NS], 0u);
}

TEST_F(SchedTest, AnOpenSleepIsReportedByItsBeginning) {
  Gate never;
  const uint64_t begin = BootNs();
  Child child([&] {
    never.Await();
    return 0;
  });
  child.Go();
  ASSERT_TRUE(AwaitState(child.tid(), 'S'));
  const auto task = PassOf(child.tid());
  EXPECT_GE(task.off_since_ns, begin);
  EXPECT_LE(task.off_since_ns, BootNs());
  EXPECT_EQ(task.off_witness, 0u);
  EXPECT_FALSE(task.flags & (TM_TASK_ON_CPU | TM_TASK_IOWAIT));
}

TEST_F(SchedTest, ColdReadsAreIoWait) {
  constexpr long kSleeps = 20;
  char path[] = "/var/tmp/taskmon-iowait-XXXXXX";
  const int fd = mkstemp(path);
  ASSERT_GE(fd, 0);
  const std::string block(1 << 20, 'x');
  for (int i = 0; i < 4; ++i) ASSERT_EQ(write(fd, block.data(), block.size()), static_cast<ssize_t>(block.size()));
  ASSERT_EQ(fsync(fd), 0);
  ASSERT_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
  close(fd);
  const auto final = FinalOf([&] {
    const int cold = open(path, O_RDONLY);
    posix_fadvise(cold, 0, 0, POSIX_FADV_RANDOM);
    // A fast device may be done before anybody has gone to sleep: until the kernel itself has counted sleeps.
    for (int round = 0; round < 100; ++round) {
      posix_fadvise(cold, 0, 0, POSIX_FADV_DONTNEED);
      char page[4096];
      for (off_t at = 0; at < 4 << 20; at += 64 << 10) {
        if (pread(cold, page, sizeof(page), at) != sizeof(page)) return 1;
      }
      rusage usage;
      getrusage(RUSAGE_SELF, &usage);
      if (usage.ru_nvcsw >= kSleeps) return 0;
    }
    return 2;
  });
  unlink(path);
  if (final.counters[TM_C_READ_BYTES] == 0) GTEST_SKIP() << path << " is not on a block device";
  ASSERT_EQ(final.exit_code, 0) << "1: a read failed, 2: none ever slept";
  EXPECT_GT(final.counters[TM_C_IOWAIT_NS], 0u);
  EXPECT_LE(final.counters[TM_C_IOWAIT_NS], final.counters[TM_C_OFFCPU_NS]);
  EXPECT_GT(final.maxima[TM_M_IOWAIT_NS].value_ns, 0u);
  EXPECT_LE(final.maxima[TM_M_IOWAIT_NS].value_ns, final.maxima[TM_M_OFFCPU_NS].value_ns);
}

TEST_F(SchedTest, TwoSpinnersOnOneCpuWaitForEachOther) {
  auto body = [] {
    Spin(100 * kMs);
    return 0;
  };
  Child one(body), other(body);
  // Before they wake: a wait for another CPU could be the longest.
  PinTo(0, one.tid());
  PinTo(0, other.tid());
  one.Go();
  other.Go();
  one.Wait();
  other.Wait();
  const auto first = AwaitFinals(one.tid(), 1).front(), second = AwaitFinals(other.tid(), 1).front();
  // Sharing one CPU, the two have waited for most of the shorter one's run. Half of it leaves room for a late start.
  EXPECT_GE(first.counters[TM_C_RUN_DELAY_NS] + second.counters[TM_C_RUN_DELAY_NS], 50 * kMs);
  for (const auto& final : {first, second}) {
    if (final.maxima[TM_M_RUNQ_NS].value_ns == 0) continue;
    EXPECT_LE(final.maxima[TM_M_RUNQ_NS].value_ns, final.counters[TM_C_RUN_DELAY_NS]);
    // The wait before the first run is no off-CPU time; no wait is longer than the longest.
    EXPECT_GE(final.counters[TM_C_OFFCPU_NS] + final.maxima[TM_M_RUNQ_NS].value_ns + 10 * kMs,
              final.counters[TM_C_RUN_DELAY_NS]);
  }
  // Whoever was preempted knows by whom.
  const auto& worst = first.maxima[TM_M_RUNQ_NS].value_ns > second.maxima[TM_M_RUNQ_NS].value_ns ? first : second;
  EXPECT_GE(worst.maxima[TM_M_RUNQ_NS].value_ns, kMs);
  EXPECT_NE(worst.maxima[TM_M_RUNQ_NS].witness, 0u);
  EXPECT_EQ(worst.maxima[TM_M_RUNQ_NS].cpu, 0u);
}

void BecomeRealTime(int priority) {
  sched_param param{};
  param.sched_priority = priority;
  if (sched_setscheduler(0, SCHED_FIFO, &param) != 0) _exit(2);
}

// What a child tells while it runs, without a system call that could switch it out.
struct Shared {
  std::atomic<bool> back = false;
  std::atomic<bool> enough = false;
};

TEST_F(SchedTest, AWaitIsToldInTheNextPassThoughTheTaskRunsOnAfterIt) {
  ASSERT_GE(sysconf(_SC_NPROCESSORS_ONLN), 2) << "a CPU for the real-time tasks and one for the test";
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto* shared = new (memory) Shared;
  Gate wake;
  Child hog([&] {
    BecomeRealTime(6);
    wake.Await();
    Spin(50 * kMs);
    return 0;
  });
  PinTo(0, hog.tid());
  hog.Go();
  ASSERT_TRUE(AwaitState(hog.tid(), 'S'));
  Child victim([&] {
    BecomeRealTime(5);
    wake.Signal();  // the hog takes the CPU at once
    shared->back = true;
    const uint64_t end = BootNs() + 3000 * kMs;
    while (!shared->enough && BootNs() < end) {
    }
    return 0;
  });
  PinTo(0, victim.tid());
  PinTo(1, getpid());
  victim.Go();
  while (!shared->back) Nap(kMs);
  const tm_max wait = PassOf(victim.tid(), false).maxima[TM_M_RUNQ_NS];
  const tm_max again = PassOf(victim.tid(), false).maxima[TM_M_RUNQ_NS];
  shared->enough = true;
  EXPECT_GE(wait.value_ns, 50 * kMs);
  EXPECT_EQ(wait.witness, static_cast<uint32_t>(hog.tid()));
  EXPECT_EQ(wait.cpu, 0u);
  EXPECT_LT(again.value_ns, 50 * kMs) << "told once";
  victim.Wait();
  munmap(memory, sizeof(Shared));
}

TEST_F(SchedTest, AMaximumIsReportedOnceAndInItsWindow) {
  Gate gate, done;
  Child child([&] {
    for (;;) {
      gate.Await();
      done.Signal();
    }
    return 0;
  });
  child.Go();
  ASSERT_TRUE(AwaitState(child.tid(), 'S'));
  Pass();
  Nap(30 * kMs);
  gate.Signal();
  done.Await();
  ASSERT_TRUE(AwaitState(child.tid(), 'S'));
  const auto first = PassOf(child.tid(), false);
  EXPECT_GE(first.maxima[TM_M_OFFCPU_NS].value_ns, 30 * kMs);
  const auto second = PassOf(child.tid(), true);
  EXPECT_EQ(second.epoch, first.epoch + 1);
  for (const tm_max& maximum : second.maxima) EXPECT_EQ(maximum.value_ns, 0u);
  gate.Signal();
  done.Await();
  ASSERT_TRUE(AwaitState(child.tid(), 'S'));
  const auto third = PassOf(child.tid(), false);
  EXPECT_GT(third.maxima[TM_M_OFFCPU_NS].value_ns, 0u);
}

TEST_F(SchedTest, NoMaximumIsLostOverManyWindows) {
  // Every nap is off-CPU time counted once; each window's maximum is at most what the counter rose by, and no window in
  // which the counter rose is without one.
  Child child([] {
    for (;;) Nap(kMs / 2);
    return 0;
  });
  child.Go();
  uint64_t before = PassOf(child.tid()).counters[TM_C_OFFCPU_NS];
  Pass();
  before = PassOf(child.tid()).counters[TM_C_OFFCPU_NS];
  bool late = false;
  for (int i = 0; i < 200; ++i) {
    Nap(2 * kMs);
    const auto tasks = Pass(false);
    auto found = tasks.find(child.tid());
    if (found == tasks.end()) continue;
    const uint64_t rise = found->second.counters[TM_C_OFFCPU_NS] - before;
    // The switch-in may fall between the end of the window and the reading of the counter: its maximum comes next time.
    const bool without = rise > 0 && found->second.maxima[TM_M_OFFCPU_NS].value_ns == 0;
    EXPECT_FALSE(without && late);
    late = without;
    before = found->second.counters[TM_C_OFFCPU_NS];
  }
}

TEST_F(SchedTest, TheFinalRecordHasWhatNoPassReported) {
  Gate gate;
  Child child([&] {
    gate.Await();
    return 0;
  });
  child.Go();
  ASSERT_TRUE(AwaitState(child.tid(), 'S'));
  Pass();
  Nap(20 * kMs);
  gate.Signal();
  child.Wait();
  const auto final = AwaitFinals(child.tid(), 1).front();
  EXPECT_GE(final.maxima[TM_M_OFFCPU_NS].value_ns, 20 * kMs);
}

// A forked child holds the probe's links too, and a link is detached when its last holder closes it.
void CloseInheritedLinks() {
  for (int fd = 3; fd < 256; ++fd) {
    char target[64] = "";
    if (readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), target, sizeof(target) - 1) < 0) continue;
    if (std::string_view(target).starts_with("anon_inode:bpf")) close(fd);
  }
}

TEST_F(SchedTest, TimeWithoutTheHookIsUnknownNotOffCpu) {
  Gate gate, done;
  Child child([&] {
    CloseInheritedLinks();
    for (;;) {
      gate.Await();
      done.Signal();
    }
    return 0;
  });
  child.Go();
  ASSERT_TRUE(AwaitState(child.tid(), 'S'));
  const uint64_t before = PassOf(child.tid()).counters[TM_C_OFFCPU_NS];
  probe_->Detach(TM_HOOKS_SCHED);
  EXPECT_FALSE(probe_->IsAttached(TM_HOOKS_SCHED));
  EXPECT_EQ(PassOf(child.tid()).off_since_ns, 0u);
  Nap(100 * kMs);
  const absl::Status attached = probe_->Attach(TM_HOOKS_SCHED);
  ASSERT_TRUE(attached.ok()) << attached;
  gate.Signal();
  done.Await();
  ASSERT_TRUE(AwaitState(child.tid(), 'S'));
  const auto task = PassOf(child.tid());
  // It slept through the attachment: that wait has no known beginning, and later ones in this short dance are short.
  EXPECT_LT(task.counters[TM_C_OFFCPU_NS] - before, 100 * kMs);
  EXPECT_GT(task.off_since_ns, 0u);
}

}  // namespace
}  // namespace taskmon::bpf

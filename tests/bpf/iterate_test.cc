// SPDX-License-Identifier: Apache-2.0
//
// One pass over all tasks, against /proc.
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <set>

#include "tests/bpf/probe_fixture.h"

namespace taskmon::bpf {
namespace {

// By the walk, where the kernel has it, and by the iterator.
class IterateTest : public ProbeTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override { Start({TM_HOOKS_LIFECYCLE, TM_HOOKS_SCHED}, {.spoil_program = GetParam()}); }

  // Passes until nothing has happened to the task since the one before.
  void Settle(pid_t tid) {
    ASSERT_TRUE(Eventually([&] { return Pass(false).count(tid) == 0; })) << tid << " never comes to rest";
  }
};

std::set<pid_t> Numbers(const std::string& path) {
  std::set<pid_t> numbers;
  DIR* directory = opendir(path.c_str());
  if (directory == nullptr) return numbers;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') numbers.insert(std::atoi(entry->d_name));
  }
  closedir(directory);
  return numbers;
}

std::set<pid_t> AllTasks() {
  std::set<pid_t> tasks;
  for (pid_t tgid : Numbers("/proc")) tasks.merge(Numbers("/proc/" + std::to_string(tgid) + "/task"));
  return tasks;
}

// Some sandboxes keep their own processes out of the reach of root, and out of BPF iterators with it.
bool MayBeInspected(pid_t tid) {
  char target[64];
  return readlink(TaskPath(tid, "ns/pid").c_str(), target, sizeof(target)) > 0;
}

// The hard limit cannot be raised here: tables as large as `fds` cannot be had.
bool MayHaveDescriptors(rlim_t fds) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return fds < limit.rlim_max;
}

void RaiseDescriptorLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

uint64_t Ticks(const std::string& field) { return std::stoull(field); }

TEST_P(IterateTest, SeesEveryTaskThatProcShowsBeforeAndAfter) {
  const std::set<pid_t> before = AllTasks();
  const auto tasks = Pass();
  const std::set<pid_t> after = AllTasks();
  size_t compared = 0;
  for (pid_t tid : before) {
    if (after.count(tid) == 0 || !MayBeInspected(tid)) continue;
    EXPECT_EQ(tasks.count(tid), 1u) << tid;
    ++compared;
  }
  EXPECT_GT(compared, 10u);
}

TEST_P(IterateTest, ASleepingTaskIsWhatProcSays) {
  Gate ready, never;
  Child child([&] {
    prctl(PR_SET_NAME, "a) (b");
    if (setpriority(PRIO_PROCESS, 0, 7) != 0 || setresuid(1234, 4321, 0) != 0) return 1;
    Spin(20'000'000);
    ready.Signal();
    never.Await();
    return 0;
  });
  child.Go();
  ready.Await();
  ASSERT_TRUE(AwaitState(child.tid(), 'S'));
  Settle(child.tid());
  const auto task = PassOf(child.tid());
  const std::string stat = TaskPath(child.tid(), "stat"), status = TaskPath(child.tid(), "status");
  const uint64_t tick_ns = 1'000'000'000 / static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  EXPECT_EQ(task.id.tid, child.tid());
  EXPECT_EQ(task.id.tgid, child.tid());
  EXPECT_EQ(task.id.start_ns / tick_ns, Ticks(StatField(stat, 22)));
  EXPECT_EQ(task.ppid, getpid());
  EXPECT_EQ(task.uid, 4321u);
  EXPECT_EQ(task.gid, getegid());
  EXPECT_EQ(task.nice, 7);
  EXPECT_EQ(std::to_string(task.priority), StatField(stat, 18));
  EXPECT_EQ(std::to_string(task.cpu), StatField(stat, 39));
  EXPECT_EQ(task.state, 'S');
  EXPECT_STREQ(task.comm, "a) (b");
  EXPECT_TRUE(task.flags & TM_TASK_LEADER);
  EXPECT_FALSE(task.flags & (TM_TASK_KTHREAD | TM_TASK_ON_CPU | TM_TASK_IOWAIT | TM_TASK_PREEXISTING));
  EXPECT_EQ(std::to_string(task.counters[TM_C_MIN_FLT]), StatField(stat, 10));
  EXPECT_EQ(std::to_string(task.counters[TM_C_MAJ_FLT]), StatField(stat, 12));
  EXPECT_EQ(task.counters[TM_C_NVCSW], ProcValue(status, "voluntary_ctxt_switches"));
  EXPECT_EQ(task.counters[TM_C_NIVCSW], ProcValue(status, "nonvoluntary_ctxt_switches"));
  const std::string io = TaskPath(child.tid(), "io");
  EXPECT_EQ(task.counters[TM_C_RCHAR], ProcValue(io, "rchar"));
  EXPECT_EQ(task.counters[TM_C_WCHAR], ProcValue(io, "wchar"));
  EXPECT_EQ(task.counters[TM_C_SYSCR], ProcValue(io, "syscr"));
  EXPECT_EQ(task.counters[TM_C_SYSCW], ProcValue(io, "syscw"));
  EXPECT_EQ(task.counters[TM_C_READ_BYTES], ProcValue(io, "read_bytes"));
  EXPECT_EQ(task.counters[TM_C_WRITE_BYTES], ProcValue(io, "write_bytes"));
  // schedstat: runtime, run delay, in ns and exact.
  unsigned long long runtime = 0, delay = 0;
  ASSERT_EQ(std::sscanf(ReadFile(TaskPath(child.tid(), "schedstat")).c_str(), "%llu %llu", &runtime, &delay), 2);
  EXPECT_EQ(task.counters[TM_C_RUNTIME_NS], runtime);
  EXPECT_EQ(task.counters[TM_C_RUN_DELAY_NS], delay);
  EXPECT_EQ(task.process[TM_P_VM_BYTES], ProcValue(status, "VmSize") * 1024);
  EXPECT_EQ(task.process[TM_P_SWAP_BYTES], ProcValue(status, "VmSwap") * 1024);
  EXPECT_EQ(task.process[TM_P_THREADS], 1u);
  EXPECT_EQ(task.process[TM_P_FD_COUNT], Numbers(TaskPath(child.tid(), "fd")).size() + 1);  // 0 is not counted there
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  EXPECT_EQ(task.process[TM_P_FD_LIMIT], files.rlim_cur);
  EXPECT_EQ(task.valid, TM_VALID_MM | TM_VALID_FILES | TM_VALID_STORAGE | TM_VALID_SIGNAL | TM_VALID_IO);
}

TEST_P(IterateTest, ResidentMemoryIsWithinThePerCpuSlackOfProc) {
  Gate ready, never;
  Child child([&] {
    const size_t size = 32 << 20;
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    std::memset(memory, 1, size);
    void* shared = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    std::memset(shared, 1, size / 2);
    ready.Signal();
    never.Await();
    return 0;
  });
  child.Go();
  ready.Await();
  ASSERT_TRUE(AwaitState(child.tid(), 'S'));
  const auto task = PassOf(child.tid());
  const std::string status = TaskPath(child.tid(), "status");
  // Each percpu_counter holds back less than max(32, 2 * CPUs) pages on each CPU.
  const long cpus = sysconf(_SC_NPROCESSORS_CONF);
  const double slack = static_cast<double>(std::max(32l, 2 * cpus) * cpus * sysconf(_SC_PAGESIZE));
  auto near = [&](tm_process_gauge gauge, const char* name) {
    EXPECT_NEAR(static_cast<double>(task.process[gauge]), static_cast<double>(ProcValue(status, name) * 1024), slack)
        << name;
  };
  near(TM_P_RSS_ANON_BYTES, "RssAnon");
  near(TM_P_RSS_FILE_BYTES, "RssFile");
  near(TM_P_RSS_SHMEM_BYTES, "RssShmem");
  EXPECT_GE(task.process[TM_P_RSS_PEAK_BYTES],
            task.process[TM_P_RSS_ANON_BYTES] + task.process[TM_P_RSS_FILE_BYTES] + task.process[TM_P_RSS_SHMEM_BYTES]);
}

TEST_P(IterateTest, CountsDescriptorsUpToTheSizeThatItSaysItCannot) {
  for (const int highest : {70, 130, 500, 513, 1000, 3000, 60000, 200'000}) {
    if (!MayHaveDescriptors(static_cast<rlim_t>(highest))) continue;
    Child child([&]() -> int {
      RaiseDescriptorLimit();
      for (int fd = 3; fd <= highest; fd += 7) dup2(1, fd);
      dup2(1, highest);
      for (;;) pause();
    });
    child.Go();
    const std::string path = TaskPath(child.tid(), "fd");
    ASSERT_TRUE(Eventually([&] { return Numbers(path).count(highest) == 1; })) << highest;
    ASSERT_TRUE(AwaitState(child.tid(), 'S'));
    const auto task = PassOf(child.tid());
    EXPECT_EQ((task.valid & TM_VALID_FILES) != 0, highest < 65536);
    if (highest < 65536) {
      EXPECT_EQ(task.process[TM_P_FD_COUNT], Numbers(path).size() + 1) << highest;
    }
  }
}

TEST_P(IterateTest, StateLettersAreThoseOfPs) {
  Gate never;
  Child spins([] {
    for (;;) Spin(1'000'000'000);
    return 0;
  });
  Child sleeps([&] {
    never.Await();
    return 0;
  });
  Child stops([] { return raise(SIGSTOP); });
  Child traced([] {
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    return raise(SIGUSR1);
  });
  Child zombie([] { return 0; });
  Child waits([&] {
    if (vfork() == 0) {  // the parent sleeps uninterruptibly until the child is gone
      pause();
      _exit(0);
    }
    return 0;
  });
  const std::map<Child*, char> letters = {{&spins, 'R'},  {&sleeps, 'S'}, {&stops, 'T'},
                                          {&traced, 't'}, {&zombie, 'Z'}, {&waits, 'D'}};
  for (const auto& [child, letter] : letters) {
    child->Go();
    ASSERT_TRUE(AwaitState(child->tid(), letter)) << letter;
  }
  const auto tasks = Pass();
  for (const auto& [child, letter] : letters) EXPECT_EQ(tasks.at(child->tid()).state, letter);
  size_t idle = 0;
  for (const auto& [tid, task] : tasks) {
    if ((task.flags & TM_TASK_KTHREAD) == 0 || StatField(TaskPath(tid, "stat"), 3) != "I") continue;
    idle += task.state == 'I';
  }
  EXPECT_GT(idle, 0u);
  for (const auto& [tid, task] : tasks) {
    if (task.ppid == waits.tid()) kill(tid, SIGKILL);
  }
}

TEST_P(IterateTest, KernelThreadsHaveNoProcessMemory) {
  const auto tasks = Pass();
  const auto kthreadd = tasks.find(2);
  if (kthreadd == tasks.end()) GTEST_SKIP() << "no kthreadd in this pid namespace";
  EXPECT_TRUE(kthreadd->second.flags & TM_TASK_KTHREAD);
  EXPECT_FALSE(kthreadd->second.valid & (TM_VALID_MM | TM_VALID_FILES));
  EXPECT_STREQ(kthreadd->second.comm, "kthreadd");
}

TEST_P(IterateTest, ThreadsShareTheGaugesOfTheirProcess) {
  Gate ready, never;
  Child child([&] {
    pthread_t thread;
    auto body = [](void* gate) -> void* {
      static_cast<Gate*>(gate)->Await();
      return nullptr;
    };
    for (int i = 0; i < 3; ++i) pthread_create(&thread, nullptr, body, &never);
    ready.Signal();
    never.Await();
    return 0;
  });
  child.Go();
  ready.Await();
  const auto tasks = Pass();
  const auto& leader = tasks.at(child.tid());
  size_t threads = 0;
  for (const auto& [tid, task] : tasks) {
    if (task.id.tgid != child.tid()) continue;
    ++threads;
    EXPECT_EQ(task.id.process_start_ns, leader.id.start_ns);
    EXPECT_EQ((task.flags & TM_TASK_LEADER) != 0, tid == child.tid());
    EXPECT_EQ(task.process[TM_P_THREADS], 4u);
    EXPECT_EQ(task.process[TM_P_FD_COUNT], leader.process[TM_P_FD_COUNT]);
    EXPECT_EQ(task.process[TM_P_VM_BYTES], leader.process[TM_P_VM_BYTES]);
  }
  EXPECT_EQ(threads, 4u);
}

TEST_P(IterateTest, DeadThreadsAreInTheSumsOfTheirProcess) {
  Gate ready, never;
  Child child([&] {
    pthread_t thread;
    pthread_create(
        &thread, nullptr,
        [](void*) -> void* {
          Spin(200'000'000);
          return nullptr;
        },
        nullptr);
    pthread_join(thread, nullptr);
    ready.Signal();
    never.Await();
    return 0;
  });
  child.Go();
  ready.Await();
  // The thread is released some moments after pthread_join returns.
  ASSERT_TRUE(Eventually([&] { return PassOf(child.tid()).dead[TM_C_RUNTIME_NS] >= 200'000'000; }));
  const auto task = PassOf(child.tid());
  EXPECT_LT(task.counters[TM_C_RUNTIME_NS], 200'000'000u);
  const std::string stat = TaskPath(child.tid(), "stat");
  EXPECT_EQ(std::to_string(task.counters[TM_C_MIN_FLT] + task.dead[TM_C_MIN_FLT]), StatField(stat, 10));
}

TEST_P(IterateTest, TheCgroupIsTheInodeOfItsDirectory) {
  std::string mount;
  for (const char* candidate : {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"}) {
    if (access((std::string(candidate) + "/cgroup.controllers").c_str(), F_OK) == 0) mount = candidate;
  }
  if (mount.empty()) GTEST_SKIP() << "no cgroup v2 hierarchy is mounted";
  const std::string directory = mount + "/taskmon-iterate-test";
  if (mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) GTEST_SKIP() << "cannot make " << directory;
  Gate never;
  {
    Child child([&] {
      never.Await();
      return 0;
    });
    child.Go();
    ASSERT_TRUE(AwaitState(child.tid(), 'S'));
    Settle(child.tid());
    FILE* procs = std::fopen((directory + "/cgroup.procs").c_str(), "w");
    ASSERT_NE(procs, nullptr);
    std::fprintf(procs, "%d", child.tid());
    std::fclose(procs);
    struct stat inode {};
    ASSERT_EQ(stat(directory.c_str(), &inode), 0);
    EXPECT_EQ(PassOf(child.tid(), false).cgroup_id, inode.st_ino) << "a moved task is not idle";
  }
  rmdir(directory.c_str());
}

TEST_P(IterateTest, AnIdleTaskIsLeftOutUntilItHasRun) {
  Gate gate;
  Child child([&] {
    for (;;) gate.Await();
    return 0;
  });
  child.Go();
  ASSERT_TRUE(AwaitState(child.tid(), 'S'));
  Settle(child.tid());
  EXPECT_EQ(Pass(false).count(child.tid()), 0u);
  EXPECT_EQ(Pass(true).count(child.tid()), 1u);
  EXPECT_EQ(Pass(false).count(child.tid()), 0u);
  const uint64_t before = ProcValue(TaskPath(child.tid(), "status"), "voluntary_ctxt_switches");
  gate.Signal();
  ASSERT_TRUE(
      Eventually([&] { return ProcValue(TaskPath(child.tid(), "status"), "voluntary_ctxt_switches") > before; }));
  EXPECT_EQ(Pass(false).count(child.tid()), 1u);
}

TEST_P(IterateTest, WhatOthersDoToASleeperIsSeen) {
  Gate never;
  Child child([&] {
    never.Await();
    return 0;
  });
  child.Go();
  ASSERT_TRUE(AwaitState(child.tid(), 'S'));
  Settle(child.tid());
  setpriority(PRIO_PROCESS, static_cast<id_t>(child.tid()), 3);
  EXPECT_EQ(PassOf(child.tid(), false).nice, 3);
  kill(child.tid(), SIGSTOP);
  ASSERT_TRUE(AwaitState(child.tid(), 'T'));
  EXPECT_EQ(PassOf(child.tid(), false).state, 'T');
}

TEST_P(IterateTest, ARunningTaskIsNeverLeftOut) {
  Child child([] {
    for (;;) Spin(1'000'000'000);
    return 0;
  });
  child.Go();
  ASSERT_TRUE(AwaitState(child.tid(), 'R'));
  uint64_t before = 0;
  for (int i = 0; i < 20; ++i) {
    const auto task = PassOf(child.tid(), false);
    EXPECT_EQ(task.state, 'R');
    EXPECT_GE(task.counters[TM_C_RUNTIME_NS], before);
    before = task.counters[TM_C_RUNTIME_NS];
  }
}

TEST_P(IterateTest, AZombieIsSentInEveryPass) {
  Child child([] { return 0; });
  child.Go();
  ASSERT_TRUE(AwaitState(child.tid(), 'Z'));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(PassOf(child.tid(), false).state, 'Z');
  child.Wait();
  EXPECT_EQ(Pass(false).count(child.tid()), 0u);
}

TEST_P(IterateTest, MigrationsAreCounted) {
  if (sysconf(_SC_NPROCESSORS_ONLN) < 2) GTEST_SKIP() << "one CPU only";
  Gate ready, never;
  Child child([&] {
    PinTo(0);
    for (int i = 1; i <= 20; ++i) PinTo(i % 2);
    ready.Signal();
    never.Await();
    return 0;
  });
  child.Go();
  ready.Await();
  const uint64_t migrations = PassOf(child.tid()).counters[TM_C_MIGRATIONS];
  // 20 by force; before it was pinned, the fork balancer and the wake-up may have moved it a few times.
  EXPECT_GE(migrations, 20u);
  EXPECT_LE(migrations, 24u);
}

TEST_P(IterateTest, RecordsOfManyTasksAreNeverTorn) {
  Gate ready, never;
  Child child([&] {
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 << 10);
    pthread_t thread;
    auto body = [](void* gate) -> void* {
      static_cast<Gate*>(gate)->Await();
      return nullptr;
    };
    for (int i = 0; i < 2000; ++i) pthread_create(&thread, &small, body, &never);
    ready.Signal();
    never.Await();
    return 0;
  });
  child.Go();
  ready.Await();
  size_t threads = 0;
  const auto tasks = Pass();
  for (const auto& [tid, task] : tasks) {
    ASSERT_EQ(task.header.size, sizeof(task));
    ASSERT_EQ(task.header.kind, TM_RECORD_TASK);
    ASSERT_EQ(task.id.tid, tid);
    threads += task.id.tgid == child.tid();
  }
  EXPECT_EQ(threads, 2001u);
  Pass(false);
  size_t active = 0;
  for (const auto& [tid, task] : Pass(false)) active += task.id.tgid == child.tid();
  EXPECT_LT(active, 100u) << "sleeping threads are idle";
}

// More than one stretch of a walk, beside processes that come and go.
TEST_P(IterateTest, EveryTaskComesOnceHoweverManyThereAre) {
  constexpr int kSleepers = 6000;
  Gate ready;
  Child parent([&] {
    for (int i = 0; i < kSleepers; ++i) {
      if (fork() != 0) continue;
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != 1) pause();
      _exit(0);
    }
    ready.Signal();
    pause();
    return 0;
  });
  Child churn([] {
    for (;;) {
      const pid_t pid = fork();
      if (pid == 0) _exit(0);
      waitpid(pid, nullptr, 0);
    }
    return 0;
  });
  parent.Go();
  ready.Await();
  churn.Go();
  for (int pass = 0; pass < 8; ++pass) {
    std::map<pid_t, int> times;
    ASSERT_TRUE(probe_
                    ->Collect(true,
                              [&](const tm_task_record& record) {
                                if (record.ppid == parent.tid()) ++times[record.id.tid];
                              })
                    .ok());
    EXPECT_EQ(times.size(), static_cast<size_t>(kSleepers));
    for (const auto& [tid, count] : times) EXPECT_EQ(count, 1) << tid;
    Drain();
  }
}

INSTANTIATE_TEST_SUITE_P(, IterateTest, testing::Values("", "tm_walk_stretch"),
                         [](const auto& info) { return *info.param == 0 ? "ByWalk" : "ByIterator"; });

}  // namespace
}  // namespace taskmon::bpf

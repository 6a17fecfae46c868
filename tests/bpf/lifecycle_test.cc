// SPDX-License-Identifier: Apache-2.0
//
// Birth, names and death, against what wait4(2) and the workload itself say.
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "bpf/kernel_support.h"
#include "tests/bpf/probe_fixture.h"

namespace taskmon::bpf {
namespace {

class LifecycleTest : public ProbeTest {
 protected:
  void SetUp() override { Start({TM_HOOKS_LIFECYCLE}); }

  // pthread_join returns before the joined thread's last switch: the leader's record need not be the last.
  static tm_task_record LeaderOf(const std::vector<tm_task_record>& finals) {
    for (const tm_task_record& final : finals) {
      if (final.id.tid == final.id.tgid) return final;
    }
    ADD_FAILURE() << "no final record of a leader";
    return {};
  }
};

uint64_t CpuNs(const rusage& usage) {
  auto ns = [](const timeval& t) {
    return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_usec) * 1000;
  };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

void* Sleep(void*) {
  for (;;) pause();
}

pthread_t StartThread(void* (*body)(void*), void* argument = nullptr) {
  pthread_t thread;
  if (pthread_create(&thread, nullptr, body, argument) != 0) std::abort();
  return thread;
}

TEST_F(LifecycleTest, ForkExecAndExitArriveInOrderWithTheirContents) {
  Child child([] {
    execl("/bin/sh", "sh", "-c", "exit 7", "two words", nullptr);
    return 1;
  });
  child.Go();
  const int status = child.Wait();
  AwaitFinals(child.tid(), 1);
  std::vector<int> order;
  for (const RingRecord& record : ring_) {
    if (record.As<tm_fork_record>().id.tgid == child.tid()) order.push_back(record.kind());
  }
  EXPECT_EQ(order, (std::vector<int>{TM_RECORD_FORK, TM_RECORD_RENAME, TM_RECORD_EXEC, TM_RECORD_FINAL}));

  const auto fork = Of<tm_fork_record>(TM_RECORD_FORK, child.tid()).front();
  EXPECT_EQ(fork.id.tid, child.tid());
  EXPECT_EQ(fork.id.start_ns, fork.id.process_start_ns);
  EXPECT_EQ(fork.parent_tid, gettid());
  EXPECT_EQ(fork.parent_tgid, getpid());
  EXPECT_EQ(fork.uid, geteuid());
  EXPECT_TRUE(fork.flags & TM_TASK_LEADER);

  const auto exec = Of<tm_exec_record>(TM_RECORD_EXEC, child.tid()).front();
  const std::string arguments("sh\0-c\0exit 7\0two words\0", 23);
  EXPECT_EQ(exec.header.size, offsetof(tm_exec_record, args) + arguments.size());
  EXPECT_EQ(std::string(exec.args, exec.args_len), arguments);
  EXPECT_EQ(exec.args_total, arguments.size());
  EXPECT_STREQ(exec.filename, "/bin/sh");
  EXPECT_STREQ(exec.comm, "sh");
  EXPECT_EQ(exec.old_tid, child.tid());
  EXPECT_EQ(exec.ppid, getpid());

  const auto final = Finals(child.tid()).front();
  EXPECT_EQ(final.exit_code, status);
  EXPECT_EQ(final.exit_code, 7 << 8);
  EXPECT_STREQ(final.comm, "sh");
  EXPECT_EQ(final.ppid, getpid());
  EXPECT_EQ(final.id.start_ns, fork.id.start_ns);
  EXPECT_EQ(final.off_since_ns, 0u);
  EXPECT_EQ(final.counters[TM_C_EXECS], 1u);
  EXPECT_TRUE(final.flags & TM_TASK_GROUP_DEAD);
  EXPECT_FALSE(final.flags & TM_TASK_PREEXISTING);
}

TEST_F(LifecycleTest, ALongCommandLineIsCutAndItsLengthTold) {
  const std::string longest(3000, 'x');
  Child child([&] {
    execl("/bin/true", "true", longest.c_str(), nullptr);
    return 1;
  });
  child.Go();
  child.Wait();
  AwaitFinals(child.tid(), 1);
  const auto exec = Of<tm_exec_record>(TM_RECORD_EXEC, child.tid()).front();
  EXPECT_EQ(exec.args_len, static_cast<uint32_t>(TM_ARGS_LEN));
  EXPECT_EQ(exec.args_total, 5u + 3001u);
  EXPECT_EQ(exec.header.size, sizeof(tm_exec_record));
}

TEST_F(LifecycleTest, AKillingSignalIsInTheFinalRecord) {
  Child child([] { return static_cast<int>(raise(SIGKILL)); });
  child.Go();
  const int status = child.Wait();
  const auto final = AwaitFinals(child.tid(), 1).front();
  EXPECT_EQ(final.exit_code, status);
  EXPECT_EQ(WTERMSIG(final.exit_code), SIGKILL);
  EXPECT_FALSE(final.flags & TM_TASK_CORE_DUMPED);
}

TEST_F(LifecycleTest, ACoreDumpIsToldAsWaitTellsIt) {
  char directory[] = "/tmp/taskmon-core-XXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  Child child([&] {
    const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
    if (chdir(directory) != 0 || setrlimit(RLIMIT_CORE, &unlimited) != 0) return 1;
    prctl(PR_SET_DUMPABLE, 1);
    raise(SIGABRT);
    return 1;
  });
  child.Go();
  const int status = child.Wait();
  std::filesystem::remove_all(directory);
  const auto final = AwaitFinals(child.tid(), 1).front();
  EXPECT_EQ(WTERMSIG(status), SIGABRT);
  EXPECT_EQ(final.exit_code, status);
  EXPECT_EQ((final.flags & TM_TASK_CORE_DUMPED) != 0, WCOREDUMP(status) != 0);
}

TEST_F(LifecycleTest, ALifeOf300MicrosecondsLeavesACompleteRecord) {
  Child child([] {
    Spin(300'000);
    return 0;
  });
  child.Go();
  rusage usage{};
  child.Wait(&usage);
  const auto final = AwaitFinals(child.tid(), 1).front();
  const uint64_t runtime = final.counters[TM_C_RUNTIME_NS];
  EXPECT_GE(runtime, 300'000u);
  // wait4 has the CPU time up to the reaping, in whole microseconds each for user and system, the final record up to
  // the last switch: the rest of do_exit lies between, far less than the 10 ms allowed.
  EXPECT_GE(runtime + 2000, CpuNs(usage));
  EXPECT_LE(runtime, CpuNs(usage) + 10'000'000);
  EXPECT_EQ(final.counters[TM_C_MIN_FLT], static_cast<uint64_t>(usage.ru_minflt));
  EXPECT_EQ(final.counters[TM_C_MAJ_FLT], static_cast<uint64_t>(usage.ru_majflt));
  // Before 6.16 the address space is gone when sched_process_exit comes; with it came a second argument.
  const auto kernel = KernelSupport::Read();
  ASSERT_TRUE(kernel.ok()) << kernel.status();
  const bool has_mm = kernel->Tracepoint("sched_process_exit")->size() > 1;
  const uint32_t always = TM_VALID_FILES | TM_VALID_STORAGE | TM_VALID_SIGNAL | TM_VALID_IO;
  EXPECT_EQ(final.valid, has_mm ? always | TM_VALID_MM : always);
  EXPECT_EQ(final.process[TM_P_VM_BYTES] > 0, has_mm);
  EXPECT_GT(final.process[TM_P_RSS_PEAK_BYTES], 0u);
  EXPECT_EQ(final.process[TM_P_THREADS], 1u);
  EXPECT_EQ(final.state, 'X');
}

TEST_F(LifecycleTest, PeakMemoryAtExitIsWhatWaitSays) {
  Child child([] {
    const size_t size = 64 << 20;
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    munmap(memory, size);
    return 0;
  });
  child.Go();
  rusage usage{};
  child.Wait(&usage);
  const auto final = AwaitFinals(child.tid(), 1).front();
  const auto peak = static_cast<int64_t>(final.process[TM_P_RSS_PEAK_BYTES]);
  // Both come from per-CPU counters, read at different moments: 32 pages a CPU and counter.
  const int64_t slack = 3 * 32 * sysconf(_SC_NPROCESSORS_CONF) * sysconf(_SC_PAGESIZE);
  EXPECT_GE(peak, 64 << 20);
  EXPECT_NEAR(static_cast<double>(peak), static_cast<double>(usage.ru_maxrss * 1024), static_cast<double>(slack));
}

TEST_F(LifecycleTest, ThreadsEndBeforeTheirProcessWhichIsClosedOnce) {
  Child child([] {
    pthread_t threads[3];
    for (pthread_t& thread : threads) thread = StartThread([](void*) -> void* { return nullptr; });
    for (pthread_t thread : threads) pthread_join(thread, nullptr);
    return 3;
  });
  child.Go();
  child.Wait();
  ExpectClosedOnce(child.tid(), 4);
  const auto finals = Finals(child.tid());
  EXPECT_EQ(finals.back().exit_code, 3 << 8);
  const tm_task_record leader = LeaderOf(finals);
  EXPECT_EQ(leader.counters[TM_C_THREADS], 3u);
  EXPECT_EQ(leader.counters[TM_C_FORKS], 0u);
}

TEST_F(LifecycleTest, ALeaderThatGoesFirstDoesNotCloseItsProcess) {
  Child child([]() -> int {
    StartThread([](void*) -> void* {
      AwaitState(getpid(), 'Z');  // the leader is gone
      _exit(5);
    });
    syscall(SYS_exit, 0);  // this thread only
    return 1;
  });
  child.Go();
  const int status = child.Wait();
  ExpectClosedOnce(child.tid(), 2);
  const auto finals = Finals(child.tid());
  EXPECT_EQ(finals.front().id.tid, child.tid());
  EXPECT_NE(finals.back().id.tid, child.tid());
  EXPECT_EQ(finals.back().exit_code, status);
  EXPECT_EQ(WEXITSTATUS(finals.back().exit_code), 5);
}

TEST_F(LifecycleTest, ExitGroupWithManyThreadsClosesTheProcessOnce) {
  constexpr int kThreads = 40;
  for (int round = 0; round < 20; ++round) {
    Child child([]() -> int {
      for (int i = 0; i < kThreads; ++i) StartThread(Sleep);
      _exit(9);
    });
    child.Go();
    const int status = child.Wait();
    ExpectClosedOnce(child.tid(), kThreads + 1);
    EXPECT_EQ(Finals(child.tid()).back().exit_code, status);
  }
}

TEST_F(LifecycleTest, ExecByAThreadKeepsTheProcessOpenUntilTheNewProgramEnds) {
  for (int round = 0; round < 20; ++round) {
    Child child([]() -> int {
      StartThread(Sleep);
      StartThread([](void*) -> void* {
        execl("/bin/sh", "sh", "-c", "exit 4", nullptr);
        std::abort();
      });
      for (;;) pause();
    });
    child.Go();
    const int status = child.Wait();
    ASSERT_EQ(WEXITSTATUS(status), 4);
    ExpectClosedOnce(child.tid(), 4);  // the caller's own number, two other threads, the new program
    const auto exec = Of<tm_exec_record>(TM_RECORD_EXEC, child.tid()).front();
    EXPECT_EQ(exec.id.tid, child.tid());
    EXPECT_NE(exec.old_tid, child.tid());
    const auto finals = Finals(child.tid());
    // The caller goes on as the leader: same number and start time as the process.
    EXPECT_EQ(finals.back().id.tid, child.tid());
    EXPECT_EQ(finals.back().id.start_ns, finals.back().id.process_start_ns);
    EXPECT_EQ(finals.back().exit_code, status);
    EXPECT_EQ(finals.back().counters[TM_C_EXECS], 1u);
  }
}

TEST_F(LifecycleTest, TheOldLeaderGoesByTheNumberThatUserSpaceKnowsItBy) {
  for (int round = 0; round < 20; ++round) {
    Child child([]() -> int {
      StartThread([](void*) -> void* {
        execl("/bin/true", "true", nullptr);
        std::abort();
      });
      for (;;) pause();
    });
    child.Go();
    child.Wait();
    AwaitFinals(child.tid(), 3);
    bool execed = false;
    pid_t old_tid = -1;
    for (const RingRecord& record : ring_) {
      if (record.As<tm_exec_record>().id.tgid != child.tid()) continue;
      if (record.kind() == TM_RECORD_EXEC) {
        execed = true;
        old_tid = record.As<tm_exec_record>().old_tid;
      }
      if (record.kind() != TM_RECORD_FINAL) continue;
      EXPECT_EQ((record.As<tm_task_record>().flags & TM_TASK_SUCCESSOR) != 0,
                (record.As<tm_task_record>().flags & TM_TASK_GROUP_DEAD) != 0);
      if (record.As<tm_task_record>().flags & (TM_TASK_GROUP_DEAD | TM_TASK_BECAME_LEADER)) continue;
      EXPECT_TRUE(record.As<tm_task_record>().flags & TM_TASK_ENDED_BY_EXEC);
      EXPECT_EQ(record.As<tm_task_record>().id.tid, execed ? old_tid : child.tid());
    }
  }
}

TEST_F(LifecycleTest, ACallersOwnNumberIsClosedByItsExec) {
  Child child([]() -> int {
    StartThread([](void*) -> void* {
      Spin(5'000'000);
      execl("/bin/true", "true", nullptr);
      std::abort();
    });
    for (;;) pause();
  });
  child.Go();
  child.Wait();
  const auto finals = AwaitFinals(child.tid(), 3);
  const auto forks = Of<tm_fork_record>(TM_RECORD_FORK, child.tid());
  const auto exec = Of<tm_exec_record>(TM_RECORD_EXEC, child.tid()).front();
  ASSERT_EQ(forks.size(), 2u);
  size_t closed = 0;
  for (const tm_task_record& final : finals) {
    if ((final.flags & TM_TASK_BECAME_LEADER) == 0) continue;
    ++closed;
    EXPECT_EQ(final.id.tid, exec.old_tid);
    EXPECT_EQ(final.id.tid, forks.back().id.tid);
    EXPECT_EQ(final.id.start_ns, forks.back().id.start_ns);
    EXPECT_EQ(final.id.process_start_ns, forks.front().id.start_ns);
    EXPECT_LE(final.header.time_ns, exec.header.time_ns);
    EXPECT_FALSE(final.flags & (TM_TASK_LEADER | TM_TASK_GROUP_DEAD));
    EXPECT_EQ(final.counters[TM_C_EXECS], 0u);
    EXPECT_GT(final.counters[TM_C_RUNTIME_NS], 0u);
    EXPECT_LE(final.counters[TM_C_RUNTIME_NS], finals.back().counters[TM_C_RUNTIME_NS]);
  }
  EXPECT_EQ(closed, 1u);
}

TEST_F(LifecycleTest, VforkIsAProcessLikeAnyOther) {
  const auto final = FinalOf([] {
    const pid_t tid = vfork();
    if (tid == 0) _exit(6);
    int status = 0;
    waitpid(tid, &status, 0);
    return WEXITSTATUS(status);
  });
  EXPECT_EQ(final.exit_code, 6 << 8);
  EXPECT_EQ(final.counters[TM_C_FORKS], 1u);
  pid_t grandchild = -1;
  for (const RingRecord& record : ring_) {
    if (record.kind() == TM_RECORD_FORK && record.As<tm_fork_record>().parent_tid == final.id.tid) {
      grandchild = record.As<tm_fork_record>().id.tid;
    }
  }
  ExpectClosedOnce(grandchild, 1);
}

TEST_F(LifecycleTest, ForksAndThreadsAreCountedApart) {
  const auto final = FinalOf([] {
    for (int i = 0; i < 5; ++i) LiveForAMoment();
    for (int i = 0; i < 3; ++i) pthread_join(StartThread([](void*) -> void* { return nullptr; }), nullptr);
    return 0;
  });
  // FinalOf waits for the first final record, which is a thread's: take the leader's.
  const auto finals = AwaitFinals(final.id.tgid, 4);
  EXPECT_EQ(LeaderOf(finals).counters[TM_C_FORKS], 5u);
  EXPECT_EQ(LeaderOf(finals).counters[TM_C_THREADS], 3u);
}

TEST_F(LifecycleTest, ARenameCarriesBothNames) {
  const auto final = FinalOf([] {
    prctl(PR_SET_NAME, "before");
    prctl(PR_SET_NAME, "after (a) blank");
    prctl(PR_SET_NAME, "after (a) blank");  // no news
    return 0;
  });
  const auto renames = Of<tm_rename_record>(TM_RECORD_RENAME, final.id.tgid);
  ASSERT_EQ(renames.size(), 2u);
  EXPECT_STREQ(renames[1].old_comm, "before");
  EXPECT_STREQ(renames[1].comm, "after (a) blank");
  EXPECT_EQ(renames[1].id.start_ns, final.id.start_ns);
  EXPECT_STREQ(final.comm, "after (a) blank");
}

TEST_F(LifecycleTest, AProcessThatWasThereBeforeIsClosedToo) {
  Gate ready;
  Child child([&]() -> int {
    for (int i = 0; i < 3; ++i) StartThread(Sleep);
    ready.Signal();
    for (;;) pause();
  });
  child.Go();
  ready.Await();
  // A second probe, for which all of that is history.
  Start({TM_HOOKS_LIFECYCLE});
  ring_.clear();
  EXPECT_TRUE(PassOf(child.tid()).flags & TM_TASK_PREEXISTING);
  kill(child.tid(), SIGTERM);
  child.Wait();
  ExpectClosedOnce(child.tid(), 4);
}

TEST_F(LifecycleTest, TheSchedulerHookTakesOverFinalRecordsAndGivesThemBack) {
  for (int round = 0; round < 10; ++round) {
    ASSERT_TRUE(probe_->Attach(TM_HOOKS_SCHED).ok());
    EXPECT_EQ(WEXITSTATUS(FinalOf([] { return 1; }).exit_code), 1);
    probe_->Detach(TM_HOOKS_SCHED);
    EXPECT_EQ(WEXITSTATUS(FinalOf([] { return 2; }).exit_code), 2);
  }
}

TEST_F(LifecycleTest, ALifeThatWasThereBeforeAndThatNoPassSawIsClosedToo) {
  Gate ready, end;
  Child child([&] {
    Spin(2'000'000);
    ready.Signal();
    end.Await();
    return 6;
  });
  child.Go();
  ready.Await();
  Start({TM_HOOKS_LIFECYCLE});
  ring_.clear();
  end.Signal();
  const int status = child.Wait();
  const auto final = AwaitFinals(child.tid(), 1).front();
  EXPECT_EQ(final.exit_code, status);
  EXPECT_TRUE(final.flags & TM_TASK_PREEXISTING);
  EXPECT_TRUE(final.flags & TM_TASK_GROUP_DEAD);
  EXPECT_GE(final.counters[TM_C_RUNTIME_NS], 2'000'000u);
  EXPECT_FALSE(final.valid & TM_VALID_STORAGE) << "no hook has counted anything for it";
}

// Its other thread is one that no hook and no pass has seen: only the freed leader can tell that the process is over.
TEST_F(LifecycleTest, ALeaderThatTellsOfItsProcessAfterItsOwnEndSaysSo) {
  Gate alone, seen, threaded, attached, end;
  Child child([&]() -> int {
    alone.Signal();
    seen.Await();
    StartThread(
        [](void* gate) -> void* {
          static_cast<Gate*>(gate)->Await();
          syscall(SYS_exit_group, 4);
          return nullptr;
        },
        &end);
    threaded.Signal();
    attached.Await();
    syscall(SYS_exit, 0);
    return 1;
  });
  child.Go();
  alone.Await();
  Start({});
  ring_.clear();
  Pass();
  seen.Signal();
  threaded.Await();
  ASSERT_TRUE(probe_->Attach(TM_HOOKS_LIFECYCLE).ok());
  attached.Signal();
  const auto own = AwaitFinals(child.tid(), 1).front();
  EXPECT_FALSE(own.flags & (TM_TASK_GROUP_DEAD | TM_TASK_END_TOLD));
  end.Signal();
  child.Wait();
  const auto finals = AwaitFinals(child.tid(), 2);
  ASSERT_EQ(finals.size(), 2u);
  EXPECT_TRUE(finals[1].flags & TM_TASK_GROUP_DEAD);
  EXPECT_TRUE(finals[1].flags & TM_TASK_END_TOLD);
  EXPECT_EQ(finals[1].id.start_ns, own.id.start_ns);
}

// What the kernel refuses at fork for want of memory, here by order.
class RefusedTest : public ProbeTest {
 protected:
  void Refuse(uint32_t moments) {
    ProbeOptions options;
    options.refuse_storage = moments;
    Start({TM_HOOKS_LIFECYCLE, TM_HOOKS_SCHED}, options);
  }
};

TEST_F(RefusedTest, ALifeWhoseStorageWasRefusedAtForkHasAFinalRecord) {
  Refuse(1);
  Child child([] {
    Spin(2'000'000);
    return 7;
  });
  child.Go();
  rusage usage{};
  const int status = child.Wait(&usage);
  const auto final = AwaitFinals(child.tid(), 1).front();
  EXPECT_EQ(final.exit_code, status);
  EXPECT_TRUE(final.flags & TM_TASK_GROUP_DEAD);
  EXPECT_FALSE(final.flags & TM_TASK_PREEXISTING);
  EXPECT_GE(final.counters[TM_C_RUNTIME_NS], 2'000'000u);
  EXPECT_EQ(final.counters[TM_C_MIN_FLT], static_cast<uint64_t>(usage.ru_minflt));
  EXPECT_FALSE(final.valid & TM_VALID_STORAGE) << "no hook has counted anything for it";
  EXPECT_TRUE(final.valid & TM_VALID_SIGNAL);
  EXPECT_GT(probe_->Drops()[TM_DROP_STORAGE], 0u);
  EXPECT_EQ(probe_->Drops()[TM_DROP_LIFE], 0u);
}

TEST_F(RefusedTest, ExecMakesUpForIt) {
  Refuse(1);
  const auto final = FinalOf([] {
    execl("/bin/true", "true", nullptr);
    return 1;
  });
  EXPECT_EQ(final.counters[TM_C_EXECS], 1u);
  EXPECT_TRUE(final.valid & TM_VALID_STORAGE);
}

TEST_F(RefusedTest, ThreadsWithoutStorageCloseTheirProcessOnce) {
  Refuse(1);
  for (int round = 0; round < 20; ++round) {
    Child child([]() -> int {
      pthread_t threads[4];
      for (pthread_t& thread : threads) thread = StartThread([](void*) -> void* { return nullptr; });
      for (pthread_t thread : threads) pthread_join(thread, nullptr);
      return 3;
    });
    const uint64_t lost = probe_->Drops()[TM_DROP_LIFE];
    child.Go();
    child.Wait();
    std::vector<tm_task_record> finals;
    // Newer kernels may refuse it at exit, too: then the life is lost, and counted.
    ASSERT_TRUE(Eventually([&] {
      finals = Finals(child.tid());
      return finals.size() + probe_->Drops()[TM_DROP_LIFE] - lost >= 5;
    })) << finals.size();
    if (finals.size() < 5) continue;
    EXPECT_EQ(std::count_if(finals.begin(), finals.end(), [](const auto& f) { return f.flags & TM_TASK_GROUP_DEAD; }),
              1);
    EXPECT_TRUE(finals.back().flags & TM_TASK_GROUP_DEAD);
  }
}

TEST_F(RefusedTest, ALifeThatIsRefusedToTheEndIsCountedAsLost) {
  Refuse(3);
  Child child([] { return 0; });
  child.Go();
  child.Wait();
  EXPECT_TRUE(Finals(child.tid()).empty());
  EXPECT_GT(probe_->Drops()[TM_DROP_LIFE], 0u);
}

TEST_F(LifecycleTest, AForkAndAPassThatMeetTheNewTaskAtTheSameMomentAreBothServed) {
  constexpr int kForks = 500;
  Child child([] {
    for (int i = 0; i < kForks; ++i) LiveForAMoment();
    return 0;
  });
  PassOf(child.tid());
  child.Go();
  while (StatField(TaskPath(child.tid(), "stat"), 3) != "Z") Pass(/*all=*/false);
  // A hook that interrupts the pass in the middle of this is refused, counted, and made up for when the task ends.
  EXPECT_EQ(probe_->Drops()[TM_DROP_LIFE], 0u);
  EXPECT_EQ(probe_->Drops()[TM_DROP_RING_FINAL], 0u);
  Drain();
  EXPECT_GE(std::count_if(ring_.begin(), ring_.end(), [](const auto& r) { return r.kind() == TM_RECORD_FINAL; }),
            kForks);
}

}  // namespace
}  // namespace taskmon::bpf

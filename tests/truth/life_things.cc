// SPDX-License-Identifier: Apache-2.0
// Births, deaths, programs, signals, failed calls.
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "tests/truth/thing.h"

namespace taskmon::truth {
namespace {

// A call that glibc does not look into: children that share our memory must not touch its state.
[[noreturn]] void LeaveAtOnce(int code) {
  while (true) syscall(SYS_exit_group, code);
}

void Reap(pid_t child) { Must(waitpid(child, nullptr, 0) == child, "waitpid"); }

__attribute__((noinline)) pid_t VforkOne() {
  const pid_t child = vfork();
  if (child == 0) LeaveAtOnce(0);
  Must(child > 0, "vfork");
  return child;
}

void ForkSome(const Args& args, Report* report) {
  int64_t reaped = 0;
  for (int64_t i = 0; i < args[0]; ++i, ++reaped) {
    const pid_t child = fork();
    if (child == 0) LeaveAtOnce(0);
    Must(child > 0, "fork");
    Reap(child);
  }
  for (int64_t i = 0; i < args[1]; ++i, ++reaped) Reap(VforkOne());
  report->Set("children", reaped);
}

void* Sleep(void*) {
  while (true) pause();
}

void CreateThreads(const Args& args, Report* report) {
  for (int64_t i = 0; i < args[0]; ++i) {
    pthread_t thread;
    Must(pthread_create(&thread, nullptr, Sleep, nullptr) == 0, "pthread_create");
  }
  report->Set("threads", args[0]);
}

struct ShortLife {
  int64_t cpu_ns;
  int64_t tid;
};

void* LiveShortly(void* life) {
  auto* mine = static_cast<ShortLife*>(life);
  mine->tid = gettid();
  Burn(mine->cpu_ns);
  mine->cpu_ns = ReadClock(CLOCK_THREAD_CPUTIME_ID);
  return nullptr;
}

void ShortThreads(const Args& args, Report* report) {
  int64_t cpu_ns = 0;
  for (int64_t i = 0; i < args[0]; ++i) {
    ShortLife life = {args[1] * 1000, 0};
    pthread_t thread;
    Must(pthread_create(&thread, nullptr, LiveShortly, &life) == 0, "pthread_create");
    pthread_join(thread, nullptr);
    report->Append("tids", life.tid);
    cpu_ns += life.cpu_ns;
  }
  report->Set("threads_cpu_ns", cpu_ns);
}

void ExecSome(const Args& args, Report*) { ExecAgain(args[0] - 1); }

void VforkSleep(const Args& args, Report* report) {
  static timespec length;
  length = {args[0] / 1000, args[0] % 1000 * 1'000'000};
  const pid_t child = vfork();
  if (child == 0) {
    syscall(SYS_nanosleep, &length, nullptr);
    LeaveAtOnce(0);
  }
  Reap(child);
  report->Set("child", child);
}

void LeaveZombie(const Args&, Report* report) {
  const pid_t child = fork();
  if (child == 0) LeaveAtOnce(3);
  report->Set("child", child);
}

void HoldTraced(const Args&, Report* report) {
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    raise(SIGSTOP);
    LeaveAtOnce(0);
  }
  Must(waitpid(child, nullptr, WUNTRACED) == child, "waitpid of the traced child");
  report->Set("child", child);
}

void* Spin(void*) {
  while (true) Burn(1'000'000'000);
}

void HoldSpinner(const Args&, Report*) {
  pthread_t thread;
  Must(pthread_create(&thread, nullptr, Spin, nullptr) == 0, "pthread_create");
}

volatile sig_atomic_t handled = 0;

void Handle(int) { handled = handled + 1; }

void HandleWith(int signal, void (*handler)(int), int flags) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  Must(sigaction(signal, &action, nullptr) == 0, "sigaction");
}

void PrepareSignals(const Args&, Report*) {
  HandleWith(SIGUSR1, Handle, 0);
  HandleWith(SIGHUP, Handle, 0);
  HandleWith(SIGUSR2, SIG_IGN, 0);
}

// args: delivered, ignored, and sent while blocked, which merge into one.
void TakeSignals(const Args& args, Report* report) {
  const int before = handled;
  for (int64_t i = 0; i < args[0]; ++i) raise(SIGUSR1);
  for (int64_t i = 0; i < args[1]; ++i) raise(SIGUSR2);
  raise(SIGCHLD);  // ignored by default
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  for (int64_t i = 0; i < args[2]; ++i) raise(SIGHUP);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  report->Set("handled", handled - before);
}

void FailCalls(const Args& args, Report* report) {
  int64_t failed = 0;
  for (int64_t i = 0; i < args[0]; ++i) {
    failed += read(-1, nullptr, 0) < 0;  // call number 0 on x86-64
    failed += open("/nonexistent/truth", O_RDONLY | O_CLOEXEC) < 0;
    failed += close(-1) < 0;
    failed += syscall(100'000) < 0;  // no such call
    getppid();                       // cannot fail
  }
  report->Set("failed", failed);
}

int restart_pipe[2];

void FeedPipe(int) { Must(write(restart_pipe[1], "x", 1) == 1, "write"); }

// A signal to this very thread, when it will long be waiting.
void InterruptSoon() {
  static timer_t timer;
  static bool made = false;
  if (!made) {
    sigevent event = {};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGALRM;
    event._sigev_un._tid = gettid();
    Must(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0, "timer_create");
    made = true;
  }
  itimerspec soon = {};
  soon.it_value.tv_nsec = 20'000'000;
  Must(timer_settime(timer, 0, &soon, nullptr) == 0, "timer_settime");
}

void PrepareRestart(const Args&, Report*) {
  Must(pipe2(restart_pipe, O_CLOEXEC) == 0, "pipe2");
  HandleWith(SIGALRM, FeedPipe, SA_RESTART);
}

// read(2) is interrupted, its handler feeds the pipe, and the restarted call succeeds: nothing has failed.
void RestartCalls(const Args& args, Report* report) {
  int64_t restarted = 0;
  for (int64_t i = 0; i < args[0]; ++i) {
    InterruptSoon();
    char byte;
    restarted += read(restart_pipe[0], &byte, 1) == 1;
  }
  report->Set("restarted", restarted);
}

void PrepareInterrupt(const Args&, Report*) {
  Must(pipe2(restart_pipe, O_CLOEXEC) == 0, "pipe2");
  HandleWith(SIGALRM, Handle, 0);
}

// The same without SA_RESTART: the caller sees EINTR.
void InterruptCalls(const Args& args, Report* report) {
  int64_t failed = 0;
  for (int64_t i = 0; i < args[0]; ++i) {
    InterruptSoon();
    char byte;
    failed += read(restart_pipe[0], &byte, 1) < 0 && errno == EINTR;
  }
  report->Set("failed", failed);
}

void PrepareBrokenPipe(const Args&, Report*) {
  PrepareInterrupt({}, nullptr);
  close(restart_pipe[0]);
  HandleWith(SIGPIPE, Handle, 0);
}

// Each failed write brings a signal of its own.
void WriteToNobody(const Args& args, Report* report) {
  const int before = handled;
  int64_t failed = 0;
  for (int64_t i = 0; i < args[0]; ++i) failed += write(restart_pipe[1], "x", 1) < 0 && errno == EPIPE;
  report->Set("failed", failed);
  report->Set("handled", handled - before);
}

pid_t CloneWithTid(pid_t tid) {
  clone_args args = {};
  args.exit_signal = SIGCHLD;
  args.set_tid = reinterpret_cast<uintptr_t>(&tid);
  args.set_tid_size = 1;
  return static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof(args)));
}

// One life: a name of its own, and a counted number of failed calls.
[[noreturn]] void LiveAs(int64_t life) {
  const std::string name = "life-" + std::to_string(life);
  prctl(PR_SET_NAME, name.c_str());
  for (int64_t i = 0; i < life; ++i) close(-1);
  LeaveAtOnce(static_cast<int>(life));
}

// args: lives. All bear the same number: clone3 lets root choose it, where writing ns_last_pid would race with
// everyone.
void ReuseTid(const Args& args, Report* report) {
  const pid_t first = fork();
  if (first == 0) LiveAs(1);
  Reap(first);
  for (int64_t life = 2; life <= args[0]; ++life) {
    const pid_t child = CloneWithTid(first);
    if (child == 0) LiveAs(life);
    Must(child == first, "clone3 with set_tid");
    Reap(child);
  }
  report->Set("child", first);
}

// A thread's number, taken over by a process.
void ReuseThreadTid(const Args&, Report* report) {
  ShortLife life = {0, 0};
  pthread_t thread;
  Must(pthread_create(&thread, nullptr, LiveShortly, &life) == 0, "pthread_create");
  pthread_join(thread, nullptr);
  const auto tid = static_cast<pid_t>(life.tid);
  pid_t child = -1;
  for (int tries = 0; child < 0 && tries < 1000; ++tries) {
    child = CloneWithTid(tid);  // join returns a moment before the kernel lets go of the number
    if (child == 0) LiveAs(2);
    if (child < 0) usleep(1000);
  }
  Must(child == tid, "clone3 with set_tid");
  Reap(child);
  report->Set("child", child);
}

constexpr Thing kThings[] = {
    {"nothing", "", 0, nullptr, [](const Args&, Report*) {}},
    {"forks", "FORKS VFORKS", 2, nullptr, ForkSome},
    {"threads", "THREADS, alive until the end", 1, nullptr, CreateThreads},
    {"short_threads", "THREADS CPU_US, one after the other", 2, nullptr, ShortThreads},
    {"execs", "TIMES", 1, nullptr, ExecSome},
    {"vfork_sleep", "MS, slept by the child", 1, nullptr, VforkSleep},
    {"zombie", "", 0, nullptr, LeaveZombie},
    {"traced", "", 0, nullptr, HoldTraced},
    {"spinner", "", 0, nullptr, HoldSpinner},
    {"signals", "DELIVERED IGNORED MERGED", 3, PrepareSignals, TakeSignals},
    {"fails", "TIMES, four calls each", 1, nullptr, FailCalls},
    {"restarts", "TIMES", 1, PrepareRestart, RestartCalls},
    {"interrupts", "TIMES", 1, PrepareInterrupt, InterruptCalls},
    {"broken_pipe", "TIMES", 1, PrepareBrokenPipe, WriteToNobody},
    {"reuse_tid", "LIVES", 1, nullptr, ReuseTid},
    {"reuse_thread", "", 0, nullptr, ReuseThreadTid},
};

}  // namespace

std::span<const Thing> LifeThings() { return kThings; }

}  // namespace taskmon::truth

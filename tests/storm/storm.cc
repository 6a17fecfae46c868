// SPDX-License-Identifier: Apache-2.0
//
// Does one thing as often as the machine lets it, or a counted number of times, and says how often it did:
//
//   storm forks SECONDS WORKERS LEAF   vfork and exec of LEAF, which ends at once
//   storm threads SECONDS WORKERS      threads that end at once
//   storm execs SECONDS WORKERS        processes that exec themselves again and again
//   storm renames SECONDS WORKERS      prctl(PR_SET_NAME)
//   storm signals SECONDS WORKERS      SIGUSR1 to itself, handled
//
// Prints one line of JSON: what was done, and in how many seconds.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

namespace {

constexpr int kMaxWorkers = 64;
constexpr size_t kStackBytes = 16 * 1024;

// Of each worker, in memory that all share.
struct Counts {
  volatile uint64_t done;
  volatile uint64_t failed;
};

double NowS() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

[[noreturn]] void Die(const char* what) {
  fprintf(stderr, "storm: %s: %s\n", what, strerror(errno));
  exit(1);
}

void Forks(Counts* counts, double until_s, const char* leaf) {
  char* const arguments[] = {const_cast<char*>("storm-leaf"), nullptr};
  while (NowS() < until_s) {
    const pid_t child = vfork();
    if (child == 0) {
      execve(leaf, arguments, environ);
      _exit(127);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
      counts->failed = counts->failed + 1;
    } else {
      counts->done = counts->done + 1;
    }
  }
}

void* EndAtOnce(void*) { return nullptr; }

void Threads(Counts* counts, double until_s, const char*) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  while (NowS() < until_s) {
    pthread_t thread{};
    if (pthread_create(&thread, &attributes, EndAtOnce, nullptr) != 0) {
      counts->failed = counts->failed + 1;
      continue;
    }
    pthread_join(thread, nullptr);
    counts->done = counts->done + 1;
  }
}

// What the next image has to know travels in its arguments; the counts are in a file that each maps anew.
void Execs(const char* self, const char* file, int worker, double until_s) {
  const int fd = open(file, O_RDWR | O_CLOEXEC);
  void* memory = mmap(nullptr, sizeof(Counts) * kMaxWorkers, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) Die("mapping the counts");
  Counts* counts = static_cast<Counts*>(memory) + worker;
  if (NowS() >= until_s) _exit(0);
  counts->done = counts->done + 1;
  char number[16];
  char until[32];
  snprintf(number, sizeof(number), "%d", worker);
  snprintf(until, sizeof(until), "%.6f", until_s);
  execl(self, "storm", "again", file, number, until, static_cast<char*>(nullptr));
  Die("exec");
}

void Renames(Counts* counts, double until_s, const char*) {
  char name[16];
  while (NowS() < until_s) {
    snprintf(name, sizeof(name), "n%llu", static_cast<unsigned long long>(counts->done));
    if (prctl(PR_SET_NAME, name) != 0) Die("prctl");
    counts->done = counts->done + 1;
  }
  prctl(PR_SET_NAME, "storm");
}

volatile sig_atomic_t g_signals = 0;

void Signals(Counts* counts, double until_s, const char*) {
  signal(SIGUSR1, [](int) { g_signals = g_signals + 1; });
  while (NowS() < until_s) {
    g_signals = 0;
    for (int i = 0; i < 1000; ++i) raise(SIGUSR1);
    counts->done = counts->done + static_cast<uint64_t>(g_signals);
  }
}

struct Kind {
  const char* name;
  void (*run)(Counts*, double, const char*);
};
constexpr Kind kKinds[] = {{"forks", Forks}, {"threads", Threads}, {"renames", Renames}, {"signals", Signals}};

int Storm(const char* name, double seconds, int workers, const char* leaf) {
  char file[] = "/tmp/storm-XXXXXX";
  const int fd = mkstemp(file);
  if (fd < 0 || ftruncate(fd, sizeof(Counts) * kMaxWorkers) != 0) Die("making room for the counts");
  void* memory = mmap(nullptr, sizeof(Counts) * kMaxWorkers, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) Die("mapping the counts");
  auto* counts = static_cast<Counts*>(memory);
  const double began_s = NowS();
  for (int worker = 0; worker < workers; ++worker) {
    if (fork() != 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (strcmp(name, "execs") == 0) Execs("/proc/self/exe", file, worker, began_s + seconds);
    for (const Kind& kind : kKinds) {
      if (strcmp(name, kind.name) == 0) kind.run(&counts[worker], began_s + seconds, leaf);
    }
    _exit(0);
  }
  bool ok = true;
  for (int status = 0; wait(&status) > 0;) ok &= status == 0;
  uint64_t done = 0;
  uint64_t failed = 0;
  for (int worker = 0; worker < workers; ++worker) {
    done += counts[worker].done;
    failed += counts[worker].failed;
  }
  unlink(file);
  printf("{\"done\": %llu, \"failed\": %llu, \"seconds\": %.3f}\n", static_cast<unsigned long long>(done),
         static_cast<unsigned long long>(failed), NowS() - began_s);
  return ok ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 5 && strcmp(argv[1], "again") == 0) Execs("/proc/self/exe", argv[2], atoi(argv[3]), atof(argv[4]));
  const int workers = argc >= 4 ? atoi(argv[3]) : 0;
  if (workers < 1 || workers > kMaxWorkers) {
    fprintf(stderr, "storm: forks|threads|execs|renames|signals SECONDS WORKERS(1..%d) [LEAF]\n", kMaxWorkers);
    return 2;
  }
  return Storm(argv[1], atof(argv[2]), workers, argc >= 5 ? argv[4] : "/bin/true");
}

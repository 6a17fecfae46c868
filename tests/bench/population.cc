// SPDX-License-Identifier: Apache-2.0
//
// Tasks to look at, at almost no cost of their own: population TASKS [ACTIVE [HZ [THREADS]]]. Processes of THREADS
// threads (20) make up TASKS tasks. ACTIVE of them (0), spread evenly, wake HZ times a second (1), each at a moment of
// its own; the others sleep. Prints one line of JSON once all are there, and lives until standard input ends.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

namespace {

constexpr size_t kStackBytes = 16 * 1024;
constexpr int64_t kSecond = 1'000'000'000;

struct Wish {
  int64_t tasks;
  int64_t active;
  double hz;
  int64_t threads;
};
Wish g_wish;

bool IsActive(int64_t number) {
  return (number + 1) * g_wish.active / g_wish.tasks != number * g_wish.active / g_wish.tasks;
}

// Its moment within the period follows from its number, so that wakes are spread over the time.
[[noreturn]] void Live(int64_t number) {
  if (!IsActive(number)) {
    while (true) pause();
  }
  const auto period = static_cast<int64_t>(static_cast<double>(kSecond) / g_wish.hz);
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  int64_t at = (now.tv_sec * kSecond / period + 1) * period + number * period / g_wish.tasks;
  for (;; at += period) {
    const timespec due{.tv_sec = at / kSecond, .tv_nsec = at % kSecond};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, nullptr);
  }
}

void* LiveAs(void* number) { Live(reinterpret_cast<intptr_t>(number)); }

// One process, of the tasks from `first`; tells through the pipe how many threads it has.
[[noreturn]] void Crew(int64_t first, int64_t threads, int report_fd) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  pthread_attr_setguardsize(&attributes, 0);
  int64_t made = 1;
  for (pthread_t thread{}; made < threads; ++made) {
    if (pthread_create(&thread, &attributes, LiveAs, reinterpret_cast<void*>(first + made)) != 0) break;
  }
  if (write(report_fd, &made, sizeof(made)) != sizeof(made)) _exit(1);
  Live(first);
}

int Run() {
  std::vector<pid_t> crews;
  int fds[2];
  if (pipe(fds) != 0) return 1;
  int64_t alive = 0;
  for (int64_t first = 0; first < g_wish.tasks; first += g_wish.threads) {
    const pid_t child = fork();
    if (child < 0) break;
    if (child == 0) Crew(first, std::min(g_wish.threads, g_wish.tasks - first), fds[1]);
    crews.push_back(child);
    int64_t made = 0;
    if (read(fds[0], &made, sizeof(made)) == sizeof(made)) alive += made;
  }
  printf("{\"done\": %lld, \"failed\": %lld}\n", static_cast<long long>(alive),
         static_cast<long long>(g_wish.tasks - alive));
  fflush(stdout);
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  for (const pid_t crew : crews) kill(crew, SIGKILL);
  for (const pid_t crew : crews) waitpid(crew, nullptr, 0);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int at, double otherwise) { return argc > at ? atof(argv[at]) : otherwise; };
  g_wish = {.tasks = static_cast<int64_t>(number(1, 0)),
            .active = static_cast<int64_t>(number(2, 0)),
            .hz = number(3, 1),
            .threads = static_cast<int64_t>(number(4, 20))};
  if (g_wish.tasks < 1 || g_wish.active < 0 || g_wish.active > g_wish.tasks || g_wish.hz <= 0 || g_wish.threads < 1) {
    fprintf(stderr, "usage: population TASKS [ACTIVE [HZ [THREADS]]]\n");
    return 2;
  }
  return Run();
}

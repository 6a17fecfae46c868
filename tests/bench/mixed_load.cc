// SPDX-License-Identifier: Apache-2.0
//
// A load to record: mixed_load SECONDS TASKS [DIRECTORY]. Of TASKS processes half sleep all the time, four in ten wake
// up about 20 times a second and do a little, and the rest compute for a part of the time, fork, write files and talk
// over sockets. Ends by itself after SECONDS, with all of its processes.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

class Worker {
 public:
  Worker(unsigned number, std::string directory) : random_(number), directory_(std::move(directory)) {}

  [[noreturn]] void Idle() {
    for (;;) pause();
  }

  // 20 times a second, give or take; each has its own weight.
  [[noreturn]] void Wake() {
    const int work = Number(5, 120);
    for (;;) {
      Rest(Number(45000, 55000));
      Compute(work);
    }
  }

  [[noreturn]] void Compute() {
    const int share = Number(1, 5);
    for (;;) {
      Compute(share * 1000);
      Rest(100000 - share * 1000);
    }
  }

  [[noreturn]] void Fork() {
    for (;;) {
      const pid_t child = fork();
      if (child == 0) {
        Compute(Number(100, 2000));
        _exit(0);
      }
      if (child > 0) waitpid(child, nullptr, 0);
      Rest(Number(300000, 700000));
    }
  }

  [[noreturn]] void WriteFiles() {
    const std::string path = directory_ + "/load-" + std::to_string(getpid());
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
    unlink(path.c_str());
    std::vector<char> block(65536, 'x');
    for (;;) {
      const ssize_t size = Number(1000, 65536);
      if (pwrite(fd, block.data(), static_cast<size_t>(size), Number(0, 1 << 22)) != size) Rest(1000000);
      if (Number(0, 9) == 0) fdatasync(fd);
      Rest(Number(20000, 200000));
    }
  }

  [[noreturn]] void Talk() {
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) Idle();
    char buffer[4096] = {};
    for (;;) {
      const auto size = static_cast<size_t>(Number(1, 4096));
      if (write(fds[0], buffer, size) < 0 || read(fds[1], buffer, sizeof buffer) < 0) Rest(1000000);
      Rest(Number(5000, 50000));
    }
  }

 private:
  int Number(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  static void Rest(int us) { std::this_thread::sleep_for(microseconds(us)); }
  static void Compute(int us) {
    for (const auto end = Clock::now() + microseconds(us); Clock::now() < end;) {
    }
  }

  std::mt19937 random_;
  const std::string directory_;
};

[[noreturn]] void Work(unsigned number, const std::string& directory) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setpriority(PRIO_PROCESS, 0, 10);
  Worker worker(number, directory);
  const unsigned share = number % 100;
  if (share < 50) worker.Idle();
  if (share < 90) worker.Wake();
  if (share < 93) worker.Compute();
  if (share < 95) worker.Fork();
  if (share < 98) worker.WriteFiles();
  worker.Talk();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: mixed_load SECONDS TASKS [DIRECTORY]\n");
    return 2;
  }
  const auto seconds = static_cast<unsigned>(std::atoi(argv[1]));
  const auto tasks = static_cast<unsigned>(std::atoi(argv[2]));
  const std::string directory = argc > 3 ? argv[3] : "/tmp";
  for (unsigned number = 0; number < tasks; ++number) {
    if (fork() == 0) Work(number, directory);
  }
  sleep(seconds);
}

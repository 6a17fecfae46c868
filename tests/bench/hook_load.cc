// SPDX-License-Identifier: Apache-2.0
//
// Does one thing that hooks see, again and again, for so long:
//
//   hook_load pipe SECONDS             a byte there and back between two processes
//   hook_load syscall SECONDS          getppid(2)
//   hook_load life SECONDS LEAF        vfork, exec of LEAF, which ends at once, and wait
//   hook_load block SECONDS DEVICE     a read of 4 KiB past the page cache
//   hook_load tcp SECONDS              a byte there and back over a connection on the loopback
//
// Prints one line of JSON: how many, and of the nanoseconds that one takes by the clock the median of batches, so that
// a moment of something else does not count. CPU time is for the caller to take, who gets that of the helpers, too.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

extern char** environ;

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kBatch = std::chrono::milliseconds(5);

[[noreturn]] void Die(const char* what) {
  fprintf(stderr, "hook_load: %s: %s\n", what, strerror(errno));
  exit(1);
}

struct Did {
  int64_t operations = 0;
  double median_ns = 0;
};

Did Repeat(double seconds, const std::function<void()>& operation) {
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  Did did;
  std::vector<double> batches;
  while (Clock::now() < end) {
    const auto began = Clock::now();
    int64_t count = 0;
    auto now = began;
    for (; now - began < kBatch; now = Clock::now()) {
      for (int i = 0; i < 16; ++i) operation();
      count += 16;
    }
    batches.push_back(std::chrono::duration<double, std::nano>(now - began).count() / static_cast<double>(count));
    did.operations += count;
  }
  std::nth_element(batches.begin(), batches.begin() + static_cast<ptrdiff_t>(batches.size() / 2), batches.end());
  did.median_ns = batches[batches.size() / 2];
  return did;
}

// Sends back what it gets, until the other side closes.
void Echo(int in, int out) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  char byte = 0;
  while (read(in, &byte, 1) == 1 && write(out, &byte, 1) == 1) {
  }
  _exit(0);
}

// With the other side, which ends when it is told no more.
Did ThereAndBack(double seconds, int in, int out) {
  char byte = 0;
  const Did did = Repeat(seconds, [&] {
    if (write(out, &byte, 1) != 1 || read(in, &byte, 1) != 1) Die("the other side");
  });
  if (in != out) close(in);
  close(out);
  while (wait(nullptr) > 0) {
  }
  return did;
}

Did Pipe(double seconds, const char*) {
  int there[2];
  int back[2];
  if (pipe(there) != 0 || pipe(back) != 0) Die("pipe");
  if (fork() == 0) {
    close(there[1]);
    close(back[0]);
    Echo(there[0], back[1]);
  }
  close(there[0]);
  close(back[1]);
  return ThereAndBack(seconds, back[0], there[1]);
}

Did Tcp(double seconds, const char*) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, raw, length) != 0 || listen(listener, 1) != 0 || getsockname(listener, raw, &length) != 0)
    Die("listening");
  const int near = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(near, raw, length) != 0) Die("connecting");
  const int far = accept(listener, nullptr, nullptr);
  const int on = 1;
  for (const int fd : {near, far}) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (fork() == 0) {
    close(near);
    Echo(far, far);
  }
  close(far);
  return ThereAndBack(seconds, near, near);
}

Did Syscall(double seconds, const char*) {
  return Repeat(seconds, [] { syscall(SYS_getppid); });
}

Did Life(double seconds, const char* leaf) {
  char* const arguments[] = {const_cast<char*>(leaf), nullptr};
  return Repeat(seconds, [&] {
    const pid_t child = vfork();
    if (child == 0) {
      execve(leaf, arguments, environ);
      _exit(127);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) Die(leaf);
  });
}

Did Block(double seconds, const char* device) {
  constexpr size_t kBytes = 4096;
  const int fd = open(device, O_RDONLY | O_DIRECT | O_CLOEXEC);
  void* buffer = nullptr;
  if (fd < 0 || posix_memalign(&buffer, kBytes, kBytes) != 0) Die(device);
  return Repeat(seconds, [&] {
    if (pread(fd, buffer, kBytes, 0) != static_cast<ssize_t>(kBytes)) Die(device);
  });
}

struct Kind {
  const char* name;
  Did (*run)(double, const char*);
  bool takes_what;
};
constexpr Kind kKinds[] = {{"pipe", Pipe, false},
                           {"syscall", Syscall, false},
                           {"life", Life, true},
                           {"block", Block, true},
                           {"tcp", Tcp, false}};

}  // namespace

int main(int argc, char** argv) {
  for (const Kind& kind : kKinds) {
    if (argc != (kind.takes_what ? 4 : 3) || std::string(argv[1]) != kind.name || atof(argv[2]) <= 0) continue;
    const Did did = kind.run(atof(argv[2]), argv[argc - 1]);
    printf("{\"operations\": %lld, \"median_ns\": %.1f}\n", static_cast<long long>(did.operations), did.median_ns);
    return 0;
  }
  fprintf(stderr, "usage: hook_load pipe|syscall|tcp SECONDS, or life SECONDS LEAF, or block SECONDS DEVICE\n");
  return 2;
}

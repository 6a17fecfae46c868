// SPDX-License-Identifier: Apache-2.0
#include "client/top/loop.h"

#include <algorithm>
#include <csignal>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "client/top/curses_terminal.h"
#include "client/top/screen.h"

namespace taskmon::client::top {
namespace {

constexpr int64_t kMs = 1'000'000;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

sigset_t Watched() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH}) sigaddset(&set, signal);
  return set;
}

int NextSignal(int fd) {
  signalfd_siginfo info{};
  return read(fd, &info, sizeof(info)) == sizeof(info) ? static_cast<int>(info.ssi_signo) : 0;
}

class Loop {
 public:
  explicit Loop(LoopOptions options)
      : options_(std::move(options)),
        signals_(BlockAndWait()),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        source_(options_.open, [this] { Wake(); }),
        terminal_(options_.color),
        model_(Sized(options_.start, terminal_), options_.now_wall_ns()) {}

  int Run() {
    while (signal_ == 0 && !model_.quit()) {
      for (Asked& asked : model_.TakeQuestions()) source_.Ask(std::move(asked));
      terminal_.Show(Draw(model_.state(), options_.now_wall_ns()));
      Wait();
      Listen();
    }
    return signal_;
  }

 private:
  static int BlockAndWait() {
    const sigset_t watched = Watched();
    pthread_sigmask(SIG_BLOCK, &watched, nullptr);
    return signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
  }

  static Start Sized(Start start, const CursesTerminal& terminal) {
    start.width = terminal.width();
    start.height = terminal.height();
    return start;
  }

  // The counter cannot overflow, and one wake-up is as good as many.
  void Wake() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof(one));
  }

  void Wait() {
    pollfd sources[] = {{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0},
                        {.fd = wake_.get(), .events = POLLIN, .revents = 0},
                        {.fd = signals_.get(), .events = POLLIN, .revents = 0}};
    const int64_t wait_ns = model_.next_ns() - options_.now_wall_ns();
    const int timeout_ms = static_cast<int>(std::clamp<int64_t>(wait_ns / kMs + 1, 1, 1000));
    if (poll(sources, 3, timeout_ms) < 0) return;                                      // interrupted: look again
    if ((sources[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) signal_ = SIGHUP;  // the terminal is gone
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t woken = read(wake_.get(), &count, sizeof(count));
  }

  void Listen() {
    while (const int signal = NextSignal(signals_.get())) TakeSignal(signal);
    while (const std::optional<Key> key = terminal_.ReadKey()) model_.Press(*key, options_.now_wall_ns());
    for (Answer& answer : source_.Take()) model_.Take(std::move(answer), options_.now_wall_ns());
    if (options_.now_wall_ns() >= model_.next_ns()) model_.Advance(options_.now_wall_ns());
  }

  void TakeSignal(int signal) {
    if (signal == SIGWINCH) return Resized();
    if (signal != SIGTSTP) {
      signal_ = signal;
      return;
    }
    terminal_.Suspend();
    raise(SIGSTOP);  // until somebody sends SIGCONT
    terminal_.Resume();
    Resized();
  }

  void Resized() {
    terminal_.Measure();
    model_.Resize(terminal_.width(), terminal_.height());
  }

  LoopOptions options_;
  Descriptor signals_;  // before any thread is started
  Descriptor wake_;
  Source source_;
  CursesTerminal terminal_;
  Model model_;
  int signal_ = 0;
};

}  // namespace

void RunShielded(const std::function<void()>& work) {
  const sigset_t watched = Watched();
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &watched, &before);
  std::thread thread(work);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  thread.join();
}

int RunLoop(LoopOptions options) { return Loop(std::move(options)).Run(); }

}  // namespace taskmon::client::top

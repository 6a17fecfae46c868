// SPDX-License-Identifier: Apache-2.0
#include "client/interrupt.h"

#include <csignal>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <utility>

namespace taskmon::client {
namespace {

sigset_t Watched() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

Interrupt::Interrupt() {
  const sigset_t watched = Watched();
  pthread_sigmask(SIG_BLOCK, &watched, nullptr);
  signal_fd_ = signalfd(-1, &watched, SFD_CLOEXEC);
  stop_fd_ = eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread([this] { Wait(); });
}

Interrupt::~Interrupt() {
  Join();
  close(signal_fd_);
  close(stop_fd_);
}

void Interrupt::Join() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  // Cannot fail: the counter holds one at most.
  [[maybe_unused]] const ssize_t written = write(stop_fd_, &one, sizeof(one));
  thread_.join();
}

void Interrupt::Release() {
  Join();
  const sigset_t watched = Watched();
  pthread_sigmask(SIG_UNBLOCK, &watched, nullptr);
}

void Interrupt::OnSignal(std::function<void()> action) {
  const std::lock_guard lock(mutex_);
  action_ = std::move(action);
  if (signal_ != 0 && action_) action_();
}

void Interrupt::Wait() {
  pollfd sources[] = {{.fd = signal_fd_, .events = POLLIN, .revents = 0},
                      {.fd = stop_fd_, .events = POLLIN, .revents = 0}};
  while (true) {
    if (poll(sources, 2, -1) < 0) continue;
    if (sources[1].revents != 0) return;
    signalfd_siginfo info{};
    if (read(signal_fd_, &info, sizeof(info)) != sizeof(info)) continue;
    if (signal_ != 0) _exit(128 + static_cast<int>(info.ssi_signo));
    const std::lock_guard lock(mutex_);
    signal_ = static_cast<int>(info.ssi_signo);
    if (action_) action_();
  }
}

}  // namespace taskmon::client

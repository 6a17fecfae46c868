// SPDX-License-Identifier: Apache-2.0
#include "daemon/service_manager.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "tests/unit/daemon/in_child.h"

namespace taskmon::daemon {
namespace {

// As the first process of a service: `family` listens at descriptor 3, and `count` sockets are announced.
int AsService(int family, int count, const std::function<int()>& body) {
  return InChild([&] {
    const int fd = socket(family, SOCK_STREAM, 0);
    if (family == AF_INET && listen(fd, 1) != 0) return 100;
    if (family == AF_UNIX) {
      sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};  // autobind
      if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)) != 0 || listen(fd, 1) != 0) return 100;
    }
    for (int at = 3; at < 3 + count; ++at) {
      if (fd != at && dup2(fd, at) < 0) return 100;
    }
    setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
    setenv("LISTEN_FDS", std::to_string(count).c_str(), 1);
    return body();
  });
}

TEST(ServiceManagerTest, PassedSocketIsTakenOnce) {
  EXPECT_EQ(AsService(AF_UNIX, 1,
                      [] {
                        const auto passed = TakePassedSocket();
                        if (!passed.ok() || *passed != std::optional<int>(3)) return 1;
                        if (getenv("LISTEN_FDS") != nullptr) return 2;
                        return accept(3, nullptr, nullptr) < 0 && errno == EAGAIN ? 0 : 3;
                      }),
            0);
}

TEST(ServiceManagerTest, OtherSocketsAndSeveralAreRefused) {
  const auto refused = [] { return absl::IsInvalidArgument(TakePassedSocket().status()) ? 0 : 1; };
  EXPECT_EQ(AsService(AF_INET, 1, refused), 0);
  EXPECT_EQ(AsService(AF_UNIX, 2, refused), 0);
}

TEST(ServiceManagerTest, WithoutAManagerThereIsNothing) {
  unsetenv("LISTEN_FDS");
  unsetenv("WATCHDOG_USEC");
  const auto passed = TakePassedSocket();
  ASSERT_TRUE(passed.ok());
  EXPECT_FALSE(passed->has_value());
  EXPECT_EQ(WatchdogPeriodNs(), 0u);
  TellAlive();
}

// The queue of a socket that nobody reads is full at some point; the sampler must not stand still then.
TEST(ServiceManagerTest, AManagerThatDoesNotReadHoldsNobodyUp) {
  const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  socklen_t length = sizeof(address);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)), 0);  // autobind
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), 0);
  const std::string name(address.sun_path + 1, length - offsetof(sockaddr_un, sun_path) - 1);
  setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
  for (int i = 0; i < 5000; ++i) TellAlive();
  TellStopping();
  char message[64];
  const ssize_t size = recv(fd, message, sizeof(message), MSG_DONTWAIT);
  EXPECT_EQ(std::string(message, size > 0 ? static_cast<size_t>(size) : 0), "WATCHDOG=1");
  while (recv(fd, message, sizeof(message), MSG_DONTWAIT) > 0) {
  }
  TellStopping();
  EXPECT_EQ(recv(fd, message, sizeof(message), MSG_DONTWAIT), 10) << "it is told again once there is room";
  unsetenv("NOTIFY_SOCKET");
  close(fd);
}

TEST(ServiceManagerTest, WatchdogPeriodIsTheManagers) {
  setenv("WATCHDOG_USEC", "30000000", 1);
  unsetenv("WATCHDOG_PID");
  EXPECT_EQ(WatchdogPeriodNs(), 30'000'000'000u);
  setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(WatchdogPeriodNs(), 0u) << "it is another process's";
  unsetenv("WATCHDOG_USEC");
}

}  // namespace
}  // namespace taskmon::daemon

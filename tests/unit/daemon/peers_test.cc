// SPDX-License-Identifier: Apache-2.0
#include "daemon/peers.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <set>
#include <vector>

#include <fmt/format.h>

namespace taskmon::daemon {
namespace {

struct Pair {
  int fds[2];
  Pair() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0); }
};

TEST(Peers, KnowsTheCallerByTheNumberThatGrpcNames) {
  Peers peers("taskmon", "taskmon-admin");
  const Pair pair;
  auto fd = peers.Register(pair.fds[0]);
  ASSERT_TRUE(fd.ok()) << fd.status();
  const auto caller = peers.Find(fmt::format("fd:{}", *fd));
  ASSERT_TRUE(caller.has_value());
  EXPECT_EQ(caller->uid, geteuid());
  EXPECT_EQ(caller->sees_everything, geteuid() == 0);
  EXPECT_NE(fcntl(*fd, F_GETFL) & O_NONBLOCK, 0);
  close(*fd);
  close(pair.fds[1]);
}

TEST(Peers, UnknownPeersAreNobody) {
  Peers peers("taskmon", "taskmon-admin");
  EXPECT_FALSE(peers.Find("fd:99999").has_value());
  EXPECT_FALSE(peers.Find("unix:/tmp/x").has_value());
  EXPECT_FALSE(peers.Find("fd:12x").has_value());
  EXPECT_FALSE(peers.Find("").has_value());
}

TEST(Peers, NumberOfAClosedConnectionIsNotGivenOutAgainSoon) {
  Peers peers("", "");
  std::set<int> numbers;
  for (int i = 0; i < 100; ++i) {
    const Pair pair;
    auto fd = peers.Register(pair.fds[0]);
    ASSERT_TRUE(fd.ok());
    EXPECT_TRUE(numbers.insert(*fd).second) << "number " << *fd << " came back";
    close(*fd);
    close(pair.fds[1]);
  }
}

TEST(Peers, TooManyConnectionsAreRefusedUntilSomeAreClosed) {
  Peers peers("", "", 4);
  std::vector<int> open;
  std::vector<int> others;
  const size_t limit = geteuid() == 0 ? 4 : 1;
  for (size_t i = 0; i < limit + 1; ++i) {
    const Pair pair;
    others.push_back(pair.fds[1]);
    const auto fd = peers.Register(pair.fds[0]);
    EXPECT_EQ(fd.ok(), i < limit) << fd.status();
    open.push_back(fd.ok() ? *fd : pair.fds[0]);
  }
  EXPECT_EQ(peers.refused(), 1u);
  close(open[0]);
  const Pair pair;
  const auto again = peers.Register(pair.fds[0]);
  EXPECT_TRUE(again.ok()) << again.status();
  EXPECT_FALSE(peers.Find(fmt::format("fd:{}", open[0])).has_value()) << "it is closed";
  for (int fd : open) close(fd);
  for (int fd : others) close(fd);
  close(*again);
  close(pair.fds[1]);
}

}  // namespace
}  // namespace taskmon::daemon

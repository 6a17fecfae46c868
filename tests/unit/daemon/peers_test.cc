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

uint64_t Never() { return 0; }

TEST(Peers, KnowsTheCallerByTheNumberThatGrpcNames) {
  Peers peers({.reader_group = "taskmon", .admin_group = "taskmon-admin", .now_ns = Never});
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
  Peers peers({.reader_group = "taskmon", .admin_group = "taskmon-admin", .now_ns = Never});
  EXPECT_FALSE(peers.Find("fd:99999").has_value());
  EXPECT_FALSE(peers.Find("unix:/tmp/x").has_value());
  EXPECT_FALSE(peers.Find("fd:12x").has_value());
  EXPECT_FALSE(peers.Find("").has_value());
}

TEST(Peers, NumberOfAClosedConnectionIsNotGivenOutAgainSoon) {
  Peers peers({.now_ns = Never});
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
  Peers peers({.max_connections = 4, .now_ns = Never});
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

TEST(Peers, WhoIsSentAwayLosesWhatHeHasAndGetsNothingForAWhile) {
  uint64_t now_ns = 1;
  Peers peers({.now_ns = [&now_ns] { return now_ns; }});
  const Pair pair;
  const auto fd = peers.Register(pair.fds[0]);
  ASSERT_TRUE(fd.ok()) << fd.status();
  char byte = 0;
  ASSERT_EQ(write(pair.fds[1], "unread", 6), 6);
  peers.SendAway(geteuid() + 1);
  ASSERT_EQ(recv(*fd, &byte, 1, MSG_PEEK), 1) << "it is somebody else's";
  peers.SendAway(geteuid());
  EXPECT_EQ(read(*fd, &byte, 1), 0);
  EXPECT_EQ(read(pair.fds[1], &byte, 1), 0);

  const Pair early;
  EXPECT_TRUE(absl::IsResourceExhausted(peers.Register(early.fds[0]).status()));
  EXPECT_EQ(peers.refused(), 1u);
  now_ns += 10'000'000'000;
  const auto again = peers.Register(early.fds[0]);
  EXPECT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(peers.refused(), 1u);
  for (int open : {*fd, pair.fds[1], *again, early.fds[1]}) close(open);
}

}  // namespace
}  // namespace taskmon::daemon

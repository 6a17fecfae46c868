// SPDX-License-Identifier: Apache-2.0
// Bytes over loopback, by all the calls that carry them, and connections.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <vector>

#include "tests/truth/thing.h"

namespace taskmon::truth {
namespace {

int ends[2] = {-1, -1};  // what is sent to the first arrives at the second

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = port;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

sockaddr_in Bind(int fd) {
  sockaddr_in address = Loopback(0);
  socklen_t length = sizeof(address);
  Must(bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0, "bind");
  Must(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0, "getsockname");
  return address;
}

int Connect(int type, sockaddr_in address) {
  const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  Must(fd >= 0 && connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0, "connect");
  return fd;
}

int listener = -1;
sockaddr_in listening;

void Listen() {
  listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  listening = Bind(listener);
  Must(listen(listener, 64) == 0, "listen");
}

void PrepareConnects(const Args&, Report*) { Listen(); }

void ConnectSome(const Args& args, Report* report) {
  for (int64_t i = 0; i < args[0]; ++i) {
    const int client = Connect(SOCK_STREAM, listening);
    const int server = accept(listener, nullptr, nullptr);
    Must(server >= 0, "accept");
    close(client);
    close(server);
  }
  report->Set("connects", args[0]);
}

void PrepareTcp(const Args&, Report*) {
  Listen();
  ends[0] = Connect(SOCK_STREAM, listening);
  ends[1] = accept(listener, nullptr, nullptr);
  Must(ends[1] >= 0, "accept");
}

void PrepareUdp(const Args&, Report*) {
  ends[1] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ends[0] = Connect(SOCK_DGRAM, Bind(ends[1]));
}

void PrepareUnix(const Args&, Report*) {
  Must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
}

int64_t SendIn4Ways(const std::vector<char>& bytes) {
  iovec part = {const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  const auto size = static_cast<ssize_t>(bytes.size());
  Must(send(ends[0], bytes.data(), bytes.size(), 0) == size, "send");
  Must(write(ends[0], bytes.data(), bytes.size()) == size, "write");
  Must(writev(ends[0], &part, 1) == size, "writev");
  Must(sendmsg(ends[0], &message, 0) == size, "sendmsg");
  return 4 * size;
}

// Looks first, which does not take anything.
int64_t Receive(int64_t wanted) {
  std::vector<char> bytes(static_cast<size_t>(wanted));
  Must(recv(ends[1], bytes.data(), bytes.size(), MSG_PEEK) > 0, "recv(MSG_PEEK)");
  int64_t taken = 0;
  while (taken < wanted) {
    const ssize_t more = recv(ends[1], bytes.data(), bytes.size(), 0);
    Must(more > 0, "recv");
    taken += more;
  }
  return taken;
}

// args: bytes of one call; four calls.
void SendAndReceive(const Args& args, Report* report) {
  const std::vector<char> bytes(static_cast<size_t>(args[0]), 'x');
  const int64_t sent = SendIn4Ways(bytes);
  report->Set("sent", sent);
  report->Set("received", Receive(sent));
}

// What fails carries nothing: the queue is empty.
void ReceiveNothing(const Args& args, Report* report) {
  char byte;
  int64_t failed = 0;
  for (int64_t i = 0; i < args[0]; ++i) failed += recv(ends[1], &byte, 1, MSG_DONTWAIT) < 0;
  report->Set("failed", failed);
}

constexpr Thing kThings[] = {
    {"connects", "TIMES", 1, PrepareConnects, ConnectSome},
    {"tcp", "BYTES, four times", 1, PrepareTcp, SendAndReceive},
    {"udp", "BYTES, four times", 1, PrepareUdp, SendAndReceive},
    {"unix", "BYTES, four times", 1, PrepareUnix, SendAndReceive},
    {"empty_recv", "TIMES", 1, PrepareTcp, ReceiveNothing},
};

}  // namespace

std::span<const Thing> SocketThings() { return kThings; }

}  // namespace taskmon::truth

// SPDX-License-Identifier: Apache-2.0
#include "daemon/peers.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "daemon/proc_mount.h"

namespace taskmon::daemon {
namespace {

constexpr int kReservedFds = 256;  // below: the daemon's own files
constexpr int kMostConnections = 60'000;

std::optional<gid_t> GroupId(const std::string& name) {
  std::vector<char> buffer(65536);
  group entry{};
  group* found = nullptr;
  if (name.empty() || getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0) return std::nullopt;
  return found == nullptr ? std::nullopt : std::optional<gid_t>(found->gr_gid);
}

std::vector<gid_t> PeerGroups(int fd) {
  std::vector<gid_t> groups(64);
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto length = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    const int result = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &length);
    groups.resize(length / sizeof(gid_t));
    if (result == 0) return groups;
    if (errno != ERANGE) return {};
  }
  return {};
}

// 0: closed.
uint64_t InodeOf(int fd) {
  struct stat file {};
  return fstat(fd, &file) == 0 ? file.st_ino : 0;
}

// -1: of no connection.
int FdOf(const std::string& peer) {
  constexpr char kPrefix[] = "fd:";
  if (!peer.starts_with(kPrefix)) return -1;
  int fd = -1;
  const char* begin = peer.data() + strlen(kPrefix);
  const char* end = peer.data() + peer.size();
  return std::from_chars(begin, end, fd).ptr == end ? fd : -1;
}

// What the other side has sent already would else still be read, and be answered.
void EndSocket(int fd) {
  shutdown(fd, SHUT_RDWR);
  std::array<char, 65536> unread;
  while (recv(fd, unread.data(), unread.size(), MSG_DONTWAIT) > 0) {
  }
}

rlim_t RaiseFdLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);  // a refusal leaves fewer connections, nothing worse
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace

Peers::Peers(const Options& options)
    : now_ns_(options.now_ns),
      reader_gid_(GroupId(options.reader_group)),
      admin_gid_(GroupId(options.admin_group)),
      shares_(options.max_connections) {
  const auto limit = static_cast<int>(std::min<rlim_t>(RaiseFdLimit(), kReservedFds + kMostConnections));
  first_fd_ = std::min(kReservedFds, limit / 2);
  limit_fd_ = limit;
  absl::MutexLock lock(&mutex_);
  next_fd_ = first_fd_;
}

absl::StatusOr<query::Caller> Peers::ReadCredentials(int fd) const {
  ucred credentials{};
  socklen_t length = sizeof(credentials);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
    return absl::InternalError(fmt::format("SO_PEERCRED: {}", std::strerror(errno)));
  }
  std::vector<gid_t> groups = PeerGroups(fd);
  groups.push_back(credentials.gid);
  auto member = [&groups](std::optional<gid_t> gid) {
    return gid.has_value() && std::find(groups.begin(), groups.end(), *gid) != groups.end();
  };
  query::Caller caller;
  caller.uid = credentials.uid;
  caller.admin = credentials.uid == 0 || member(admin_gid_);
  caller.sees_everything = caller.admin || member(reader_gid_);
  const ProcMount proc = ReadProcMount();
  caller.hide_cmdline = proc.hides_others && !member(proc.gid);
  return caller;
}

absl::StatusOr<int> Peers::Register(int fd) {
  auto caller = ReadCredentials(fd);
  if (!caller.ok()) return caller.status();
  absl::MutexLock lock(&mutex_);
  if (IsAway(caller->uid)) {
    ++refused_away_;
    return absl::ResourceExhaustedError("sent away for a while");
  }
  if (!shares_.WouldGrant(*caller)) ForgetClosed();
  Shares::Share share = shares_.Take(*caller);
  if (!share.granted()) return absl::ResourceExhaustedError("too many connections");
  int moved = fcntl(fd, F_DUPFD_CLOEXEC, next_fd_);
  if (moved < 0 || moved >= limit_fd_) {  // the end of the range: go round once
    if (moved >= 0) close(moved);
    moved = fcntl(fd, F_DUPFD_CLOEXEC, first_fd_);
  }
  if (moved < 0) return absl::ResourceExhaustedError(fmt::format("no room for a connection: {}", std::strerror(errno)));
  next_fd_ = moved + 1 < limit_fd_ ? moved + 1 : first_fd_;
  close(fd);
  fcntl(moved, F_SETFL, fcntl(moved, F_GETFL) | O_NONBLOCK);
  connections_.erase(moved);
  connections_.emplace(moved, Connection{*caller, std::move(share), InodeOf(moved)});
  return moved;
}

void Peers::ForgetClosed() {
  std::erase_if(connections_, [](const auto& entry) { return InodeOf(entry.first) != entry.second.inode; });
}

std::optional<query::Caller> Peers::Find(const std::string& peer) const {
  absl::MutexLock lock(&mutex_);
  auto it = connections_.find(FdOf(peer));
  return it == connections_.end() ? std::nullopt : std::optional<query::Caller>(it->second.caller);
}

void Peers::SendAway(uint32_t uid) {
  absl::MutexLock lock(&mutex_);
  away_until_ns_[uid] = now_ns_() + kAwayNs;
  for (auto& [fd, connection] : connections_) {
    if (connection.caller.uid != uid || std::exchange(connection.ended, true)) continue;
    if (InodeOf(fd) == connection.inode) EndSocket(fd);
  }
}

bool Peers::IsAway(uint32_t uid) {
  std::erase_if(away_until_ns_, [now_ns = now_ns_()](const auto& away) { return away.second <= now_ns; });
  return away_until_ns_.contains(uid);
}

uint64_t Peers::refused() const {
  absl::MutexLock lock(&mutex_);
  return shares_.refused() + refused_away_;
}

}  // namespace taskmon::daemon

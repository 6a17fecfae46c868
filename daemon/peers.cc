// SPDX-License-Identifier: Apache-2.0
#include "daemon/peers.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
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

rlim_t RaiseFdLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);  // a refusal leaves fewer connections, nothing worse
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace

Peers::Peers(const std::string& reader_group, const std::string& admin_group, uint32_t max_connections)
    : reader_gid_(GroupId(reader_group)), admin_gid_(GroupId(admin_group)), shares_(max_connections) {
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
  constexpr char kPrefix[] = "fd:";
  int fd = -1;
  if (!peer.starts_with(kPrefix)) return std::nullopt;
  const char* begin = peer.data() + strlen(kPrefix);
  const char* end = peer.data() + peer.size();
  if (std::from_chars(begin, end, fd).ptr != end) return std::nullopt;
  absl::MutexLock lock(&mutex_);
  auto it = connections_.find(fd);
  return it == connections_.end() ? std::nullopt : std::optional<query::Caller>(it->second.caller);
}

}  // namespace taskmon::daemon

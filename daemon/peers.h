// SPDX-License-Identifier: Apache-2.0
//
// Who is at the other end of each connection: credentials taken by SO_PEERCRED and SO_PEERGROUPS when it was accepted,
// looked up by the fd that gRPC names in ServerContext::peer().
//
// A closed fd's number could come back for another connection while a request of the old one is still being started.
// Connections therefore get numbers in rotation from a range of their own, so that a number returns only after all
// others were used. gRPC closes a connection without telling: those that are gone are looked for when there seem to be
// too many.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>

#include <absl/base/thread_annotations.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "daemon/query/caller.h"
#include "daemon/shares.h"

namespace taskmon::daemon {

class Peers {
 public:
  struct Options {
    // By name; one that does not exist grants nothing.
    std::string reader_group;
    std::string admin_group;
    uint32_t max_connections = 1024;
    std::function<uint64_t()> now_ns;  // any clock that only goes on
  };
  explicit Peers(const Options& options);

  // Reads the credentials of a connected socket and moves it to a number of its own. On success the old fd is closed
  // and the new one, non-blocking, belongs to the caller. ResourceExhausted: too many connections, in all or of this
  // user, or no free number; or the user has been sent away.
  absl::StatusOr<int> Register(int fd) ABSL_LOCKS_EXCLUDED(mutex_);

  // `peer` as ServerContext::peer() gives it. nullopt: not one of ours, to be refused.
  std::optional<query::Caller> Find(const std::string& peer) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends all connections of a user, with what is still unread of them: gRPC cancels their calls, and closes them. For
  // some seconds he gets no new ones.
  void SendAway(uint32_t uid) ABSL_LOCKS_EXCLUDED(mutex_);

  uint64_t refused() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Connection {
    query::Caller caller;
    Shares::Share share;
    uint64_t inode = 0;  // of the socket: whether the number still is this connection
    bool ended = false;  // by us
  };

  absl::StatusOr<query::Caller> ReadCredentials(int fd) const;
  bool IsAway(uint32_t uid) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ForgetClosed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  static constexpr uint64_t kAwayNs = 10'000'000'000;

  const std::function<uint64_t()> now_ns_;
  std::optional<gid_t> reader_gid_;
  std::optional<gid_t> admin_gid_;
  int first_fd_ = 0;
  int limit_fd_ = 0;
  mutable absl::Mutex mutex_;
  int next_fd_ ABSL_GUARDED_BY(mutex_) = 0;
  Shares shares_;  // before the connections, which hold some
  std::unordered_map<int, Connection> connections_ ABSL_GUARDED_BY(mutex_);
  std::unordered_map<uint32_t, uint64_t> away_until_ns_ ABSL_GUARDED_BY(mutex_);  // by uid
  uint64_t refused_away_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace taskmon::daemon

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
  // Groups by name; one that does not exist grants nothing.
  Peers(const std::string& reader_group, const std::string& admin_group, uint32_t max_connections = 1024);

  // Reads the credentials of a connected socket and moves it to a number of its own. On success the old fd is closed
  // and the new one, non-blocking, belongs to the caller. ResourceExhausted: too many connections, in all or of this
  // user, or no free number.
  absl::StatusOr<int> Register(int fd) ABSL_LOCKS_EXCLUDED(mutex_);

  // `peer` as ServerContext::peer() gives it. nullopt: not one of ours, to be refused.
  std::optional<query::Caller> Find(const std::string& peer) const ABSL_LOCKS_EXCLUDED(mutex_);

  uint64_t refused() const { return shares_.refused(); }

 private:
  struct Connection {
    query::Caller caller;
    Shares::Share share;
    uint64_t inode = 0;  // of the socket: whether the number still is this connection
  };

  absl::StatusOr<query::Caller> ReadCredentials(int fd) const;
  void ForgetClosed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::optional<gid_t> reader_gid_;
  std::optional<gid_t> admin_gid_;
  int first_fd_ = 0;
  int limit_fd_ = 0;
  mutable absl::Mutex mutex_;
  int next_fd_ ABSL_GUARDED_BY(mutex_) = 0;
  Shares shares_;  // before the connections, which hold some
  std::unordered_map<int, Connection> connections_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace taskmon::daemon

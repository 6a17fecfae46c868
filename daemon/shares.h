// SPDX-License-Identifier: Apache-2.0
//
// A limit on how many things of one kind there are at once, shared so that no ordinary user can keep the others out: of
// `limit`, one user gets a quarter, and an eighth, at least one, is kept for uid 0 and administrators, who may take
// all. One more is not granted, and counted. Safe from every thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "daemon/query/caller.h"

namespace taskmon::daemon {

class Shares {
 public:
  explicit Shares(uint32_t limit) : limit_(limit) {}

  // Held for as long as it lives.
  class Share {
   public:
    Share(Shares* shares, uint32_t uid) : shares_(shares), uid_(uid) {}
    Share(Share&& o) noexcept : shares_(std::exchange(o.shares_, nullptr)), uid_(o.uid_) {}
    Share& operator=(Share&&) = delete;
    ~Share() {
      if (shares_ != nullptr) shares_->GiveBack(uid_);
    }
    bool granted() const { return shares_ != nullptr; }

   private:
    Shares* shares_;  // null: not granted
    const uint32_t uid_;
  };

  Share Take(const query::Caller& caller) {
    absl::MutexLock lock(&mutex_);
    if (!HasRoom(caller)) {
      ++refused_;
      return Share(nullptr, caller.uid);
    }
    ++taken_;
    ++taken_by_[caller.uid];
    return Share(this, caller.uid);
  }
  // Whether Take would grant one now; nothing is counted.
  bool WouldGrant(const query::Caller& caller) const {
    absl::MutexLock lock(&mutex_);
    return HasRoom(caller);
  }

  uint32_t limit() const { return limit_; }
  uint32_t of_one_user() const { return limit_ < 4 ? 1 : limit_ / 4; }
  uint32_t taken() const {
    absl::MutexLock lock(&mutex_);
    return taken_;
  }
  uint64_t refused() const {
    absl::MutexLock lock(&mutex_);
    return refused_;
  }

 private:
  bool HasRoom(const query::Caller& caller) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (caller.admin) return taken_ < limit_;
    const auto of_user = taken_by_.find(caller.uid);
    const uint32_t kept = std::max(1u, limit_ / 8);
    return taken_ + kept < limit_ && (of_user == taken_by_.end() || of_user->second < of_one_user());
  }
  void GiveBack(uint32_t uid) {
    absl::MutexLock lock(&mutex_);
    --taken_;
    if (--taken_by_[uid] == 0) taken_by_.erase(uid);
  }

  const uint32_t limit_;
  mutable absl::Mutex mutex_;
  uint32_t taken_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unordered_map<uint32_t, uint32_t> taken_by_ ABSL_GUARDED_BY(mutex_);
  uint64_t refused_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace taskmon::daemon

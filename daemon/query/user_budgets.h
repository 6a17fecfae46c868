// SPDX-License-Identifier: Apache-2.0
//
// The memory that questions may hold, shared out so that no ordinary user can keep the others from asking: one has at
// most half of it, and an eighth is kept for uid 0 and administrators, who may take all. Safe from every thread.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "daemon/query/caller.h"
#include "daemon/query/memory_budget.h"

namespace taskmon::query {

class UserBudgets {
 public:
  // Of all together, as Budgets has them.
  UserBudgets(int64_t tests, int64_t bytes) : tests_(tests), bytes_(bytes) {}

  // What a question of his takes from. Its parts may outlive this.
  Budgets Of(const Caller& caller) { return {.tests = tests_.Of(caller), .bytes = bytes_.Of(caller)}; }

  // Tests that stayed unknown, and answers that were refused.
  uint64_t turned_away() const { return tests_.turned_away() + bytes_.turned_away(); }

 private:
  class SharedOut {
   public:
    explicit SharedOut(int64_t amount);
    std::shared_ptr<MemoryBudget> Of(const Caller& caller) ABSL_LOCKS_EXCLUDED(mutex_);
    uint64_t turned_away() const { return whole_->turned_away(); }

   private:
    const int64_t of_one_user_;
    const std::shared_ptr<MemoryBudget> whole_;
    const std::shared_ptr<MemoryBudget> ordinary_;  // of all users together
    absl::Mutex mutex_;
    // By uid; those that nobody holds are forgotten as others come.
    std::unordered_map<uint32_t, std::weak_ptr<MemoryBudget>> of_user_ ABSL_GUARDED_BY(mutex_);
  };

  SharedOut tests_;
  SharedOut bytes_;
};

}  // namespace taskmon::query

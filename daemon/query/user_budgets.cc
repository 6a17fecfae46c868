// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/user_budgets.h"

namespace taskmon::query {

UserBudgets::SharedOut::SharedOut(int64_t amount)
    : of_one_user_(amount / 2),
      whole_(std::make_shared<MemoryBudget>(amount)),
      ordinary_(std::make_shared<MemoryBudget>(amount - amount / 8, whole_)) {}

std::shared_ptr<MemoryBudget> UserBudgets::SharedOut::Of(const Caller& caller) {
  if (caller.admin) return whole_;
  absl::MutexLock lock(&mutex_);
  std::weak_ptr<MemoryBudget>& known = of_user_[caller.uid];
  std::shared_ptr<MemoryBudget> budget = known.lock();
  if (budget == nullptr) {
    budget = std::make_shared<MemoryBudget>(of_one_user_, ordinary_);
    known = budget;
    std::erase_if(of_user_, [](const auto& entry) { return entry.second.expired(); });
  }
  return budget;
}

}  // namespace taskmon::query

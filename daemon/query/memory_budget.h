// SPDX-License-Identifier: Apache-2.0
//
// What all questions of one owner may hold together: anybody may ask what needs memory, and many at once. Safe from
// every thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include <absl/status/status.h>

namespace taskmon::query {

class MemoryBudget {
 public:
  // `whole`: what it is a part of; of both is taken what is taken of it. Null: it is the whole.
  explicit MemoryBudget(int64_t amount, std::shared_ptr<MemoryBudget> whole = nullptr)
      : whole_(std::move(whole)), left_(amount) {}

  bool Take(int64_t amount) {
    if (left_.fetch_sub(amount) < amount) {
      CountTurnedAway();
    } else if (whole_ == nullptr || whole_->Take(amount)) {
      return true;
    }
    left_.fetch_add(amount);
    return false;
  }
  void Return(int64_t amount) {
    left_.fetch_add(amount);
    if (whole_ != nullptr) whole_->Return(amount);
  }
  // By it and its parts; a part counts with its whole.
  uint64_t turned_away() const { return turned_away_.load(); }

 private:
  void CountTurnedAway() {
    if (whole_ != nullptr) return whole_->CountTurnedAway();
    turned_away_.fetch_add(1);
  }

  const std::shared_ptr<MemoryBudget> whole_;
  std::atomic<int64_t> left_;
  std::atomic<uint64_t> turned_away_{0};
};

// The two that questions have.
struct Budgets {
  std::shared_ptr<MemoryBudget> tests;  // that TestMemories remember of tasks, up to about 250 bytes each
  std::shared_ptr<MemoryBudget> bytes;  // of answers in the making, which grow with the tasks that were there
};

inline absl::Status NoRoom() {
  return absl::ResourceExhaustedError(
      "no room for an answer of this size beside the others in the making; choose a shorter time or step, an "
      "expression "
      "or fewer fields, or try again in a moment");
}

// What one of them has taken, given back at its end. Without a budget there is always enough.
class BudgetShare {
 public:
  explicit BudgetShare(std::shared_ptr<MemoryBudget> budget) : budget_(std::move(budget)) {}
  ~BudgetShare() { Return(taken_); }
  BudgetShare(BudgetShare&& other) noexcept
      : budget_(std::move(other.budget_)), taken_(std::exchange(other.taken_, 0)) {}
  BudgetShare& operator=(BudgetShare&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(taken_, other.taken_);
    return *this;
  }

  bool Take(int64_t amount) {
    if (budget_ != nullptr && !budget_->Take(amount)) return false;
    taken_ += amount;
    return true;
  }
  void Return(int64_t amount) {
    taken_ -= amount;
    if (budget_ != nullptr) budget_->Return(amount);
  }
  void ReturnAll() { Return(taken_); }
  // All that was taken so far, for somebody else to hold.
  BudgetShare Split() {
    BudgetShare all(budget_);
    all.taken_ = std::exchange(taken_, 0);
    return all;
  }

 private:
  std::shared_ptr<MemoryBudget> budget_;
  int64_t taken_ = 0;
};

}  // namespace taskmon::query

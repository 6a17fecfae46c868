// SPDX-License-Identifier: Apache-2.0
//
// What all TestMemories of one owner may remember together, counted in tests of one task (up to about 250 bytes each):
// anybody may ask questions that need memory, and many at once. Safe from every thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace taskmon::query {

class MemoryBudget {
 public:
  explicit MemoryBudget(int64_t tests) : left_(tests) {}

  bool Take(int64_t tests) {
    if (left_.fetch_sub(tests) >= tests) return true;
    left_.fetch_add(tests);
    turned_away_.fetch_add(1);
    return false;
  }
  void Return(int64_t tests) { left_.fetch_add(tests); }
  uint64_t turned_away() const { return turned_away_.load(); }

 private:
  std::atomic<int64_t> left_;
  std::atomic<uint64_t> turned_away_{0};
};

// What one memory has taken, given back at its end. Without a budget there is always enough.
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

  bool Take(int64_t tests) {
    if (budget_ != nullptr && !budget_->Take(tests)) return false;
    taken_ += tests;
    return true;
  }
  void Return(int64_t tests) {
    taken_ -= tests;
    if (budget_ != nullptr) budget_->Return(tests);
  }
  void ReturnAll() { Return(taken_); }

 private:
  std::shared_ptr<MemoryBudget> budget_;
  int64_t taken_ = 0;
};

}  // namespace taskmon::query

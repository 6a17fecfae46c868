// SPDX-License-Identifier: Apache-2.0
//
// A limit on how many things of one kind run at once. A slot is held for as long as its object lives; one more than the
// limit is not granted, and counted. Safe from every thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace taskmon::daemon {

class Slots {
 public:
  explicit Slots(uint32_t limit) : limit_(limit) {}

  class Slot {
   public:
    explicit Slot(Slots* slots) : slots_(slots), granted_(slots->taken_.fetch_add(1) < slots->limit_) {
      if (!granted_) slots_->refused_.fetch_add(1);
    }
    ~Slot() { slots_->taken_.fetch_sub(1); }
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;

    bool granted() const { return granted_; }

   private:
    Slots* const slots_;
    const bool granted_;
  };

  Slot Take() { return Slot(this); }
  uint32_t limit() const { return limit_; }
  uint64_t refused() const { return refused_.load(); }

 private:
  const uint32_t limit_;
  std::atomic<uint32_t> taken_{0};
  std::atomic<uint64_t> refused_{0};
};

}  // namespace taskmon::daemon

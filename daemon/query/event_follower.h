// SPDX-License-Identifier: Apache-2.0
//
// Which events of the ticks to come somebody asked for who follows them. Made by Engine::Follow, which knows what was
// before; owned by one stream.
#pragma once

#include <memory>
#include <optional>

#include "daemon/query/caller.h"
#include "daemon/query/event_selector.h"
#include "daemon/query/expression.h"
#include "daemon/query/test_memory.h"

namespace taskmon::query {

inline constexpr int kEventsPerBatch = 500;  // of a message, stored or followed

class EventFollower {
 public:
  EventFollower(EventSelector selector, const Caller& caller, std::shared_ptr<MemoryBudget> budget);

  // The next tick, before the events of it.
  void Observe(const Snapshot& snapshot);
  bool Matches(const Event& event) const;

  const Expression& expression() const { return selector_.expression(); }
  const Tick& newest() const { return newest_; }  // observed; seq 0: none was

 private:
  EventSelector selector_;
  Caller caller_;
  Tick newest_;
  std::optional<TestMemory> memory_;  // when the expression needs one
};

}  // namespace taskmon::query

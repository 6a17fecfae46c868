// SPDX-License-Identifier: Apache-2.0
//
// Where the sampler publishes and everybody else reads: the newest snapshot ("latest wins"), and the events of the last
// ticks for followers. Publishing never waits for a reader; a reader that is too slow learns how much it missed.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "storage/sample.h"

namespace taskmon::daemon {

struct Publication {
  std::shared_ptr<const Snapshot> snapshot;
  std::shared_ptr<const std::vector<Event>> events;  // of this tick
};

struct EventsOfTick {
  uint64_t seq = 0;
  std::shared_ptr<const std::vector<Event>> events;
};

class SnapshotHub {
 public:
  void Publish(Publication publication) ABSL_LOCKS_EXCLUDED(mutex_);

  // nullptr before the first tick.
  std::shared_ptr<const Snapshot> Newest() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits until a tick with seq > after is there, Close was called or the time is up. nullopt-like: snapshot is null.
  Publication WaitAfter(uint64_t after_seq, absl::Duration timeout) const ABSL_LOCKS_EXCLUDED(mutex_);

  // All events of ticks with seq > after that are still kept, in order; sets `after` to the newest tick and `missed` to
  // the number of ticks whose events are gone.
  std::vector<EventsOfTick> EventsAfter(uint64_t* after_seq, uint64_t* missed_ticks) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Wakes all waiters for good.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);
  bool closed() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  static constexpr size_t kKeptTicks = 64;
  // In a storm of short lives a tick has tens of thousands of events. The last two ticks are always kept.
  static constexpr size_t kKeptBytes = 8u << 20;

  mutable absl::Mutex mutex_;
  Publication newest_ ABSL_GUARDED_BY(mutex_);
  struct Kept {
    EventsOfTick tick;
    size_t bytes;
  };
  std::deque<Kept> recent_ ABSL_GUARDED_BY(mutex_);
  size_t recent_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace taskmon::daemon

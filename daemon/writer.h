// SPDX-License-Identifier: Apache-2.0
//
// The writer thread (tm-writer): takes finished ticks from a bounded queue and appends them to the ring. The sampler
// never waits: when the queue is full the tick is turned away and counted. A failing disk is logged once per change of
// state; writing resumes by itself with the next tick that succeeds, and the gap becomes an event.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "storage/ring_writer.h"
#include "storage/sample.h"

namespace taskmon::daemon {

class Writer {
 public:
  struct Stats {
    storage::RingStats ring;
    uint64_t ticks_turned_away = 0;  // queue full
    uint64_t ticks_not_stored = 0;   // the ring refused them
    uint64_t events_lost = 0;        // with them
    uint64_t past_rows_lost = 0;     // of promoted tasks
    std::string error;               // empty: writing works
  };

  explicit Writer(std::unique_ptr<storage::RingWriter> ring);
  ~Writer() { Stop(); }

  void Start();
  // Stores what is queued, closes the ring and ends the thread.
  void Stop();

  // `past`: rows that ticks before this one are to have after all.
  void Post(std::shared_ptr<const Snapshot> snapshot, std::shared_ptr<const std::vector<Event>> events,
            std::vector<storage::PastTick> past = {}) ABSL_LOCKS_EXCLUDED(mutex_);

  Stats stats() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  static constexpr size_t kQueueTicks = 16;
  // Of all ticks that wait, about 1 KiB each; one tick may have more.
  static constexpr size_t kQueueEvents = 100'000;

  struct Item {
    std::shared_ptr<const Snapshot> snapshot;
    std::shared_ptr<const std::vector<Event>> events;
    std::vector<storage::PastTick> past;
  };

  void Run();
  void Store(const Item& item) ABSL_LOCKS_EXCLUDED(mutex_);
  void StorePast(const Item& item) ABSL_LOCKS_EXCLUDED(mutex_);
  void NoteFailure(const Item& item, const std::string& error) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::unique_ptr<storage::RingWriter> ring_;  // tm-writer only, but for stats() before Start
  std::thread thread_;
  mutable absl::Mutex mutex_;
  std::deque<Item> queue_ ABSL_GUARDED_BY(mutex_);
  size_t queued_events_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  Stats stats_ ABSL_GUARDED_BY(mutex_);
  // The gap that the next stored tick reports.
  uint64_t gap_ticks_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string gap_reason_ ABSL_GUARDED_BY(mutex_);
  int64_t gap_begin_wall_ns_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace taskmon::daemon

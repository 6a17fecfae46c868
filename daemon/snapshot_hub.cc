// SPDX-License-Identifier: Apache-2.0
#include "daemon/snapshot_hub.h"

#include <utility>

namespace taskmon::daemon {
namespace {

// Nearly: texts that tasks share are left out, and infos that a snapshot has as well are counted.
size_t BytesOfAll(const std::vector<Event>& events) {
  size_t bytes = 0;
  for (const Event& event : events) {
    bytes += sizeof event + (event.task != nullptr ? sizeof *event.task : 0);
    if (event.final_sample != nullptr) bytes += BytesOf(*event.final_sample);
  }
  return bytes;
}

}  // namespace

void SnapshotHub::Publish(Publication publication) {
  const size_t bytes = BytesOfAll(*publication.events);
  // What goes is let go of without the lock.
  std::vector<Kept> dropped;
  std::shared_ptr<const Snapshot> before;
  absl::MutexLock lock(&mutex_);
  recent_.push_back({{publication.snapshot->tick.seq, publication.events}, bytes});
  recent_bytes_ += bytes;
  while (recent_.size() > kKeptTicks || (recent_.size() > 2 && recent_bytes_ > kKeptBytes)) {
    recent_bytes_ -= recent_.front().bytes;
    dropped.push_back(std::move(recent_.front()));
    recent_.pop_front();
  }
  before = std::exchange(newest_, std::move(publication)).snapshot;
}

std::shared_ptr<const Snapshot> SnapshotHub::Newest() const {
  absl::MutexLock lock(&mutex_);
  return newest_.snapshot;
}

Publication SnapshotHub::WaitAfter(uint64_t after_seq, absl::Duration timeout) const {
  absl::MutexLock lock(&mutex_);
  auto ready = [this, after_seq]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return closed_ || (newest_.snapshot != nullptr && newest_.snapshot->tick.seq > after_seq);
  };
  mutex_.AwaitWithTimeout(absl::Condition(&ready), timeout);
  if (newest_.snapshot == nullptr || newest_.snapshot->tick.seq <= after_seq) return {};
  return newest_;
}

std::vector<EventsOfTick> SnapshotHub::EventsAfter(uint64_t* after_seq, uint64_t* missed_ticks) const {
  absl::MutexLock lock(&mutex_);
  std::vector<EventsOfTick> result;
  *missed_ticks = 0;
  if (recent_.empty()) return result;
  if (recent_.front().tick.seq > *after_seq + 1) *missed_ticks = recent_.front().tick.seq - *after_seq - 1;
  for (const Kept& kept : recent_) {
    if (kept.tick.seq > *after_seq) result.push_back(kept.tick);
  }
  *after_seq = recent_.back().tick.seq;
  return result;
}

void SnapshotHub::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
}

bool SnapshotHub::closed() const {
  absl::MutexLock lock(&mutex_);
  return closed_;
}

}  // namespace taskmon::daemon

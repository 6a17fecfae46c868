// SPDX-License-Identifier: Apache-2.0
#include "daemon/writer.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "daemon/recording_thread.h"

namespace taskmon::daemon {

Writer::Writer(std::unique_ptr<storage::RingWriter> ring) : ring_(std::move(ring)) {
  absl::MutexLock lock(&mutex_);
  stats_.ring = ring_->stats();
}

namespace {

uint64_t RowsOf(const std::vector<storage::PastTick>& past) {
  uint64_t rows = 0;
  for (const storage::PastTick& tick : past) rows += tick.tasks.size();
  return rows;
}

}  // namespace

void Writer::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Writer::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void Writer::Post(std::shared_ptr<const Snapshot> snapshot, std::shared_ptr<const std::vector<Event>> events,
                  std::vector<storage::PastTick> past) {
  absl::MutexLock lock(&mutex_);
  const bool room = queue_.empty() || queued_events_ + events->size() <= kQueueEvents;
  if (queue_.size() < kQueueTicks && room) {
    queued_events_ += events->size();
    queue_.push_back({std::move(snapshot), std::move(events), std::move(past)});
    return;
  }
  stats_.past_rows_lost += RowsOf(past);
  ++stats_.ticks_turned_away;
  stats_.events_lost += events->size();
  if (gap_ticks_++ == 0) gap_begin_wall_ns_ = snapshot->tick.wall_ns;
  gap_reason_ = "the disk was too slow";
}

Writer::Stats Writer::stats() const {
  absl::MutexLock lock(&mutex_);
  return stats_;
}

void Writer::Run() {
  const RecordingThread recording("tm-writer");
  while (true) {
    Item item;
    {
      absl::MutexLock lock(&mutex_);
      auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || !queue_.empty(); };
      mutex_.Await(absl::Condition(&ready));
      if (queue_.empty()) break;
      item = std::move(queue_.front());
      queue_.pop_front();
      queued_events_ -= item.events->size();
    }
    Store(item);
    StorePast(item);
  }
  if (absl::Status status = ring_->Close(); !status.ok()) {
    spdlog::error("closing the history: {}", status.ToString());
  }
}

void Writer::Store(const Item& item) {
  std::vector<Event> events = *item.events;
  uint64_t reported = 0;
  {
    absl::MutexLock lock(&mutex_);
    reported = gap_ticks_;
    if (reported != 0) {
      Event gap;
      gap.type = EventType::kGap;
      gap.wall_ns = item.snapshot->tick.wall_ns;
      gap.boot_ns = item.snapshot->tick.boot_ns;
      gap.duration_ns = static_cast<uint64_t>(std::max<int64_t>(0, gap.wall_ns - gap_begin_wall_ns_));
      gap.detail = fmt::format("{} ticks not stored: {}", gap_ticks_, gap_reason_);
      gap.lost = gap_ticks_;
      events.insert(events.begin(), std::move(gap));
    }
  }
  const absl::Status status = ring_->Append(*item.snapshot, &events);
  if (!status.ok()) return NoteFailure(item, std::string(status.message()));
  absl::MutexLock lock(&mutex_);
  if (!stats_.error.empty()) spdlog::info("history is written again");
  stats_.error.clear();
  stats_.ring = ring_->stats();
  gap_ticks_ -= reported;
}

// The past of promoted tasks is an extra: when it cannot be stored, what is recorded anyway is not touched.
void Writer::StorePast(const Item& item) {
  if (item.past.empty()) return;
  const absl::Status status = ring_->AddPast(item.past);
  if (status.ok()) return;
  absl::MutexLock lock(&mutex_);
  if (stats_.past_rows_lost == 0) spdlog::warn("the past of a promoted task is not stored: {}", status.ToString());
  stats_.past_rows_lost += RowsOf(item.past);
}

void Writer::NoteFailure(const Item& item, const std::string& error) {
  absl::MutexLock lock(&mutex_);
  if (stats_.error.empty()) spdlog::error("history cannot be written, sampling goes on: {}", error);
  stats_.error = error;
  ++stats_.ticks_not_stored;
  stats_.events_lost += item.events->size();
  if (gap_ticks_++ == 0) gap_begin_wall_ns_ = item.snapshot->tick.wall_ns;
  gap_reason_ = error;
}

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
//
// Small worlds for tests of the query library: tasks, snapshots and a history kept in memory, built beside the
// assertion. Tick n is taken at kStart + n seconds, one second after the one before, unless a test says otherwise.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/query/caller.h"
#include "daemon/query/row.h"
#include "storage/ring_reader.h"

namespace taskmon::query {

inline constexpr int64_t kSecond = 1'000'000'000;
inline constexpr int64_t kMs = 1'000'000;
inline constexpr int64_t kStart = 1'700'000'000 * kSecond;  // 2023-11-14T22:13:20Z
inline constexpr uint64_t kBoot = 1000 * kSecond;           // the boot clock at tick 0

inline constexpr Caller kRoot{.uid = 0, .sees_everything = true, .admin = true};
inline constexpr Caller kAlice{.uid = 1000};

class TaskBuilder {
 public:
  explicit TaskBuilder(int32_t tid, std::string comm = "worker") {
    info_.key = {.start_ns = kBoot - 100 * kSecond, .tid = tid, .thread = false};
    info_.tgid = tid;
    info_.ppid = 1;
    info_.process_start_ns = info_.key.start_ns;
    info_.start_wall_ns = kStart - 100 * kSecond;
    info_.comm = std::move(comm);
    info_.cmdline = info_.comm + " --serve";
    info_.exe = "/usr/bin/" + info_.comm;
    info_.user = "root";
  }

  TaskBuilder& Thread(int32_t tgid) {
    info_.key.thread = true;
    info_.tgid = tgid;
    return *this;
  }
  TaskBuilder& Uid(uint32_t uid, std::string user = "") {
    info_.uid = uid;
    info_.user = std::move(user);
    return *this;
  }
  template <typename Change>
  TaskBuilder& Info(Change change) {
    change(info_);
    return *this;
  }
  TaskBuilder& Set(v1::Metric metric, int64_t value, int64_t delta = 0) {
    sample_.valid.set(metric);
    sample_.values.Set(metric, value);
    sample_.deltas.Set(metric, delta);
    return *this;
  }
  TaskBuilder& TakenAt(v1::Metric metric, int64_t boot_ns) {
    sample_.taken_boot_ns.Set(static_cast<MetricId>(metric), boot_ns);
    return *this;
  }
  // The sample was taken at an earlier tick; nothing happened since.
  TaskBuilder& IdleSince(uint64_t tick_seq) {
    idle_since_ = tick_seq;
    return *this;
  }

  std::shared_ptr<const TaskSample> Build(uint64_t tick_seq) const {
    auto sample = std::make_shared<TaskSample>(sample_);
    sample->info = std::make_shared<const TaskInfo>(info_);
    sample->tick_seq = idle_since_ != 0 ? idle_since_ : tick_seq;
    return sample;
  }

 private:
  TaskInfo info_;
  TaskSample sample_;
  uint64_t idle_since_ = 0;
};

// Tick `seq` with these tasks, which must stand in a snapshot's order.
inline Snapshot World(uint64_t seq, const std::vector<TaskBuilder>& tasks) {
  Snapshot snapshot;
  snapshot.tick = {.seq = seq,
                   .wall_ns = kStart + static_cast<int64_t>(seq) * kSecond,
                   .boot_ns = kBoot + seq * kSecond,
                   .elapsed_ns = kSecond};
  snapshot.boot_id = "boot-1";
  snapshot.memory_total_bytes = 8ll << 30;
  for (const TaskBuilder& task : tasks) snapshot.tasks.push_back(task.Build(seq));
  return snapshot;
}

// The end of a process, a millisecond before tick `seq`; born before the first tick where it lived for 10 s or more.
inline Event End(int32_t tid, uint64_t seq, int64_t runtime, uint64_t lived_ns) {
  TaskBuilder task(tid);
  task.Info([&](TaskInfo& info) {
    if (lived_ns < 10 * kSecond) info.key.start_ns = info.process_start_ns = kBoot + seq * kSecond - lived_ns;
  });
  Event event;
  event.type = EventType::kExit;
  event.wall_ns = kStart + static_cast<int64_t>(seq) * kSecond - kMs;
  event.boot_ns = kBoot + seq * kSecond - kMs;
  event.duration_ns = lived_ns;
  event.final_sample = task.Set(v1::TASK_RUNTIME_NS, runtime).Build(seq);
  event.task = event.final_sample->info;
  return event;
}

inline std::shared_ptr<const Snapshot> Shared(Snapshot snapshot) {
  return std::make_shared<const Snapshot>(std::move(snapshot));
}

// A history in memory that keeps to the contract of storage::RingReader.
struct FakeRing {
  std::vector<Snapshot> ticks;
  std::vector<Event> events;
  storage::ScanFilter last_filter;
  uint64_t events_read = 0;
};

class FakeRingReader : public storage::RingReader {
 public:
  explicit FakeRingReader(FakeRing* ring) : ring_(ring) {}

  absl::StatusOr<std::optional<storage::Receiver>> MadeFor() override { return std::optional<storage::Receiver>(); }
  absl::StatusOr<std::vector<storage::Life>> Lives(int32_t) override { return std::vector<storage::Life>(); }
  absl::StatusOr<std::optional<storage::Life>> Parent(const storage::Life&) override {
    return std::optional<storage::Life>();
  }
  absl::StatusOr<storage::Children> ChildrenOf(const storage::Life&, size_t) override { return storage::Children(); }

  absl::StatusOr<std::optional<storage::TimeRange>> Range() override {
    if (ring_->ticks.empty()) return std::optional<storage::TimeRange>();
    return std::optional<storage::TimeRange>({ring_->ticks.front().tick.wall_ns, ring_->ticks.back().tick.wall_ns});
  }

  absl::StatusOr<std::optional<storage::StoredEnd>> End() override {
    if (ring_->ticks.empty()) return std::optional<storage::StoredEnd>();
    const uint64_t event_id = ring_->events.empty() ? 0 : ring_->events.back().id;
    return std::optional<storage::StoredEnd>({ring_->ticks.back().tick.seq, event_id});
  }

  absl::StatusOr<std::shared_ptr<const Snapshot>> At(int64_t wall_ns) override {
    const Snapshot* current = nullptr;
    for (const Snapshot& tick : ring_->ticks) {
      if (tick.tick.wall_ns <= wall_ns) current = &tick;
    }
    if (current == nullptr || wall_ns > ring_->ticks.back().tick.wall_ns) {
      return absl::OutOfRangeError("outside of the fake");
    }
    return Shared(*current);
  }

  absl::Status Scan(int64_t begin_wall_ns, int64_t end_wall_ns, const storage::ScanFilter& filter,
                    const TickSink& sink) override {
    ring_->last_filter = filter;
    for (const Snapshot& tick : ring_->ticks) {
      if (tick.tick.wall_ns < begin_wall_ns || tick.tick.wall_ns > end_wall_ns) continue;
      if (filter.after_seq != 0 && tick.tick.seq <= filter.after_seq) continue;
      if (!sink(Filtered(tick, filter))) break;
    }
    return absl::OkStatus();
  }

  absl::Status ScanEvents(int64_t begin_wall_ns, int64_t end_wall_ns, const storage::EventFilter& filter,
                          const EventSink& sink) override {
    for (const Event& event : ring_->events) {
      if (event.wall_ns < begin_wall_ns || event.wall_ns > end_wall_ns || event.id <= filter.after_id) continue;
      if (event.id > filter.until_id) continue;
      if ((filter.types & 1u << static_cast<uint32_t>(event.type)) == 0) continue;
      ++ring_->events_read;
      if (!sink(event)) break;
    }
    return absl::OkStatus();
  }

 private:
  static Snapshot Filtered(const Snapshot& tick, const storage::ScanFilter& filter) {
    Snapshot kept = tick;
    kept.tasks.clear();
    for (const auto& task : tick.tasks) {
      if (filter.tid != 0 && task->info->key.tid != filter.tid) continue;
      if (filter.thread && task->info->key.thread != *filter.thread) continue;
      auto sample = std::make_shared<TaskSample>(*task);
      sample->valid &= filter.metrics;
      kept.tasks.push_back(std::move(sample));
    }
    return kept;
  }

  FakeRing* ring_;
};

}  // namespace taskmon::query

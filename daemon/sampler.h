// SPDX-License-Identifier: Apache-2.0
//
// The sampler thread (tm-sampler): one epoll over timer, ring buffer and stop. At each tick it drains the ring, passes
// over the tasks, builds the snapshot, publishes it and posts it to the writer. It waits for nobody.
//
// Owns the probe and the builder from Start to Stop; hook states are copied out at each tick for `status`.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>

#include "bpf/probe.h"
#include "daemon/names.h"
#include "daemon/sample_builder.h"
#include "daemon/self_stats.h"
#include "daemon/snapshot_hub.h"
#include "daemon/writer.h"

namespace taskmon::daemon {

class Sampler {
 public:
  struct Options {
    uint64_t interval_ns = 1'000'000'000;
    uint64_t first_seq = 1;  // the ring numbers on over restarts
  };

  struct Stats {
    uint64_t ticks = 0;
    uint64_t late_ticks = 0;     // began more than half an interval late, or were skipped
    uint64_t failed_passes = 0;
    uint64_t last_tick_ns = 0;   // wall time the last tick took
    uint64_t threads = 0;
    uint64_t processes = 0;
    bpf::DropCounters drops{};
    std::vector<bpf::Hook> hooks;
    int64_t hooks_since_wall_ns = 0;
  };

  Sampler(Options options, std::unique_ptr<bpf::Probe> probe, SampleBuilder builder, SnapshotHub* hub, Writer* writer,
          NameReader* names, SelfStats* self);
  ~Sampler() { Stop(); }

  // Takes the first tick on the caller's thread, so that an error is the caller's, then starts the thread.
  absl::Status Start();
  // Takes one last tick, publishes and posts it, ends the thread.
  void Stop();

  Stats stats() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run();
  absl::Status Tick();
  void NoteTick(uint64_t began_boot_ns);
  uint64_t LostRecords();

  const Options options_;
  const std::unique_ptr<bpf::Probe> probe_;
  SampleBuilder builder_;
  SnapshotHub* const hub_;
  Writer* const writer_;
  NameReader* const names_;
  SelfStats* const self_;

  std::thread thread_;
  int stop_fd_ = -1;
  uint64_t next_seq_ = 1;
  uint64_t last_boot_ns_ = 0;
  uint64_t ticks_since_all_ = 0;
  bool want_all_ = true;
  uint64_t lost_before_ = 0;
  uint64_t late_ticks_ = 0;
  uint64_t failed_passes_ = 0;
  int64_t started_wall_ns_ = 0;

  mutable absl::Mutex mutex_;
  Stats stats_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace taskmon::daemon

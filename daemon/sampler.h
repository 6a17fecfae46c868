// SPDX-License-Identifier: Apache-2.0
//
// The sampler thread (tm-sampler): one epoll over timer, ring buffer, questions and stop. At each tick it puts new
// rules in force, drains the ring, passes over the tasks, builds the snapshot, publishes it and posts it to the writer.
// It waits for nobody. Questions about what only it knows are answered between ticks.
//
// Owns the probe and the builder from Start to Stop; hook states are copied out at each tick for `status`.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>

#include "bpf/probe.h"
#include "daemon/connection_scan.h"
#include "daemon/hook_demand.h"
#include "daemon/hook_meter.h"
#include "daemon/load_shedder.h"
#include "daemon/names.h"
#include "daemon/rule_driver.h"
#include "daemon/rules/rule_book.h"
#include "daemon/sample_builder.h"
#include "daemon/self_stats.h"
#include "daemon/smaps_reader.h"
#include "daemon/smaps_wanted.h"
#include "daemon/snapshot_hub.h"
#include "daemon/writer.h"

namespace taskmon::daemon {

class Sampler {
 public:
  struct Options {
    uint64_t interval_ns = 1'000'000'000;
    uint64_t first_seq = 1;      // the ring numbers on over restarts
    bool keep_untracked = true;  // baseline "all"
    uint64_t sign_every_ns = 0;  // how often to give a sign of life; 0: never
    SelfControl::Options budget;
  };

  struct Stats {
    uint64_t ticks = 0;
    uint64_t late_ticks = 0;   // began more than half an interval late, or were skipped
    uint64_t early_ticks = 0;  // did not wait for their time, because many events did
    uint64_t failed_passes = 0;
    uint64_t last_tick_ns = 0;  // wall time the last tick took
    uint64_t threads = 0;
    uint64_t processes = 0;
    uint64_t tracked = 0;  // threads of tracked processes
    bpf::LeftOut left_out;
    PreRoll::Stats pre_roll;
    uint64_t rule_memory_turned_away = 0;  // questions of "for" and anomaly() that found no room
    bpf::DropCounters drops{};
    std::vector<bpf::Hook> hooks;
    std::vector<HookMeter::Cost> hook_costs;  // by position in hooks; may be shorter
    bool hook_costs_refused = false;
    SelfControl::Figures budget;
    int64_t shed_since_wall_ns = 0;  // 0: nothing is shed
    std::array<int64_t, TM_HOOK_GROUP_MAX> attached_wall_ns = {};
  };

  // The parts it works with; all outlive it.
  struct Parts {
    SnapshotHub* hub;
    Writer* writer;
    NameReader* names;
    SmapsReader* smaps;
    SmapsWanted* smaps_wanted;
    HookDemand* demand;
    rules::RuleBook* rules;
    rules::Admission* admission;
    ConnectionScan* connections;
    SelfStats* self;
    std::function<void()> sign_of_life;  // must not block
  };

  Sampler(Options options, std::unique_ptr<bpf::Probe> probe, SampleBuilder builder, Parts parts);
  ~Sampler() { Stop(); }

  // Takes the first tick on the caller's thread, so that an error is the caller's, then starts the thread.
  absl::Status Start();
  // Takes one last tick, publishes and posts it, ends the thread.
  void Stop();

  Stats stats() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs a question on the sampler's thread, between two ticks. Unavailable: it is stopping, or does not come to it.
  absl::Status Ask(const std::function<void(SampleBuilder&)>& question) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Question {
    const std::function<void(SampleBuilder&)>* ask;
    bool taken = false;  // by the sampler
    bool done = false;
  };

  void Run();
  void GiveSign();
  absl::Status Tick();
  void AnswerOne() ABSL_LOCKS_EXCLUDED(mutex_);
  bool AttachWanted(uint64_t boot_ns, int64_t wall_ns);
  void TakeAnswers();
  void TakeConnections();
  void Tell(const std::vector<bpf::UserVerdict>& verdicts);
  void TakeRuleEdits(std::vector<Event>* events);
  void PostSmapsTargets(uint64_t boot_ns);
  void KeepBudget(const taskmon::Tick& tick, uint64_t recording_cpu_ns, std::vector<Event>* events);
  uint64_t interval_ns() const { return options_.interval_ns * shedder_.interval_factor(); }
  void NoteTick(uint64_t began_boot_ns, const bpf::LeftOut& left_out);
  uint64_t LostRecords();

  const Options options_;
  const std::unique_ptr<bpf::Probe> probe_;
  SampleBuilder builder_;
  const Parts parts_;
  RuleDriver rule_driver_;
  HookMeter meter_;
  LoadShedder shedder_;

  std::thread thread_;
  int stop_fd_ = -1;
  int ask_fd_ = -1;  // counts what is asked
  uint64_t answers_cpu_ns_ = 0;
  uint64_t next_seq_ = 1;
  uint64_t last_boot_ns_ = 0;
  uint64_t ticks_since_all_ = 0;
  bool want_all_ = true;
  bool scan_connections_ = false;  // hooks were attached: look for connections that they did not see
  uint64_t lost_before_ = 0;
  bpf::DropCounters drops_{};  // as of the newest tick
  bool hooks_changed_ = true;
  uint64_t late_ticks_ = 0;
  uint64_t early_ticks_ = 0;
  int64_t shed_since_wall_ns_ = 0;
  uint64_t failed_passes_ = 0;
  bool last_tick_failed_ = false;
  uint64_t last_sign_ns_ = 0;
  std::array<int64_t, TM_HOOK_GROUP_MAX> attached_wall_ns_ = {};
  HookGroups failed_groups_;  // told once

  mutable absl::Mutex mutex_;
  Stats stats_ ABSL_GUARDED_BY(mutex_);
  std::deque<Question*> questions_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
//
// The sampler's picture of all tasks between ticks: processes own their threads, threads own their counters. Mutable
// and private to SampleBuilder; what others see are the immutable samples and infos that hang on it.
//
//   FORK or first sight ──► Thread in Process.threads ──► FINAL: Thread removed, its counters stay in Process.total
//                                                           └─ last one: Process.exited, kept while it is a zombie
//
// Exec by a thread other than the leader ends that thread's line and goes on in the leader's: see Succession.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>

#include "daemon/editable_info.h"
#include "daemon/metric_sources.h"
#include "daemon/rules/standing.h"
#include "daemon/smaps_reader.h"
#include "daemon/window_maxima.h"
#include "storage/sample.h"

namespace taskmon::daemon {

struct Process;

// Another task goes on in this line: it has called exec and got the leader's number and start time. What it did under
// its own number was told when that ended; what the leader did stays with the line, so that a line's counters never
// fall.
struct Succession {
  Counters offset{};           // added to the kernel's counters of the task, modulo 2^64
  bool awaits_leader = false;  // the old leader's last record is still to come
  Counters leader{};           // then: what is known of it
};

// A leader that ended because another of its threads called exec: its line goes on if that succeeds.
struct LeftLine {
  uint64_t boot_ns = 0;
  int32_t wait_status = 0;
};

// Page cache adds and lookups at the last sample, modulo 2^32.
struct CacheHits {
  uint32_t adds = 0;
  uint32_t lookups = 0;
};

struct Thread {
  // What every tick looks at comes first: of an idle thread it is all that is touched, whether or not others of its
  // process have news.
  TaskKey key;
  Process* process = nullptr;
  std::shared_ptr<const TaskSample> sample;
  bool known = false;  // counters hold a record, not just zeroes from birth
  bool born_in_tick = false;
  bool changed = false;  // since the last sample
  bool info_changed = true;
  bool stored = false;  // its row of the tick before went into the history
  char state = 'S';
  uint32_t flags = 0;  // enum tm_task_flags
  uint64_t off_since_ns = 0;

  std::shared_ptr<const TaskInfo> info;
  std::array<char, TM_COMM_LEN> comm{};  // as the kernel has it
  Counters counters{};                   // see SetCounters
  CpuSplit split;
  WindowMaxima maxima;  // where its process is `multi`
  uint32_t valid = 0;   // enum tm_valid
  uint32_t cpu = 0;
  int16_t nice = 0;
  int16_t priority = 0;
  CacheHits hits;
  uint64_t seen_pass = 0;
  std::unique_ptr<LeftLine> left;
  std::unique_ptr<Succession> succession;
  Thread* older = nullptr;  // added before it, of the same number: its end was not seen yet

  std::string_view name() const { return {comm.data(), strnlen(comm.data(), comm.size())}; }
};

struct Process {
  // As in Thread.
  std::vector<std::unique_ptr<Thread>> threads;  // alive, sorted by tid
  std::shared_ptr<const TaskSample> sample;
  bool multi = false;  // has, or had, more than one thread: thread rows exist
  bool known = false;  // a record was seen; before, there is no row
  bool exited = false;
  bool changed = false;
  bool info_changed = true;
  bool born_in_tick = false;
  bool wants_names = false;       // command line, exe, cgroup still to be read from /proc
  bool names_read = false;        // … or known from exec: what they say can be relied on
  bool cgroup_read = false;       // … and its cgroup's, as of cgroup_id
  bool crossed = false;           // a threshold in the kernel, of which the rules are not told yet
  bool names_may_differ = false;  // it has done something since /proc was last asked
  bool wants_dead_sums = true;    // threads that ended before it was first seen are still to be taken over
  bool answered_wanted = false;   // whether the kernel side was told that it is wanted, see answered_seq
  uint32_t names_pause = 1;       // ticks until /proc is asked again, …
  uint64_t names_seq = 0;         // … since this one
  // What has happened to it since rules were last asked about it, and when.
  std::optional<rules::Occasion> occasion;
  int16_t nice = 0;  // the leader's, kept after it is gone
  int16_t priority = 0;
  uint64_t occasion_boot_ns = 0;
  rules::Standing standing;  // what matters of it each tick comes first, too

  uint64_t zombie_pass = 0;   // the last pass that showed it as a zombie
  tm_decision decision = {};  // the kernel side's latest
  uint32_t answered_seq = 0;  // the decision that was answered last
  uint32_t cpu = 0;           // the leader's
  EditableInfo info;          // of the process row; its identity from the beginning
  uint64_t cgroup_id = 0;
  // Of its threads, of ended ones, and what signal_struct held at first sight. Null: what its only thread has, if any.
  std::unique_ptr<Counters> own_total;
  CpuSplit split;
  WindowMaxima maxima;
  uint64_t gauges[TM_P_MAX] = {};
  uint32_t valid = 0;
  uint32_t used_flags = 0;  // TM_TASK_TCP_USED, TM_TASK_UDP_USED of all threads ever
  CacheHits hits;
  std::unique_ptr<SmapsAnswer> smaps;  // null: not read yet

  int32_t tgid() const { return info->tgid; }
  uint64_t start_ns() const { return info->process_start_ns; }
  // Who it was copied from has another identity.
  void Identify(int32_t tgid, uint64_t start_ns);

  const Counters& total() const;
  // From now on apart from what its thread has.
  Counters& OwnTotal();
};

// The thread has come to these; its process's total goes with it.
void SetCounters(Thread* thread, const Counters& counters);

// Rules are to be asked about it anew. An exec is not outdone by what comes with it.
void Touch(Process* process, rules::Occasion occasion, uint64_t boot_ns);

class TaskTable {
 public:
  Process* FindProcess(int32_t tgid, uint64_t start_ns);
  Process* AddProcess(int32_t tgid, uint64_t start_ns);
  void RemoveProcess(Process* process);

  Thread* FindThread(int32_t tid, uint64_t start_ns);
  Thread* FindThreadByTid(int32_t tid);  // the last added of that number
  Thread* AddThread(Process* process, int32_t tid, uint64_t start_ns);
  void RemoveThread(Thread* thread);

  // To pass over all of it is what every tick does, hence no nodes of their own for each process.
  using Processes = absl::btree_map<std::pair<int32_t, uint64_t>, std::unique_ptr<Process>>;
  Processes& processes() { return processes_; }
  const Processes& processes() const { return processes_; }
  size_t thread_count() const { return thread_count_; }

 private:
  void Index(Thread* thread);
  void Unindex(Thread* thread);

  Processes processes_;                            // by (tgid, start)
  absl::flat_hash_map<int32_t, Thread*> threads_;  // the last added of each number
  size_t thread_count_ = 0;
};

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
//
// The C++ face of the kernel side: loads the BPF programs, attaches hook groups, runs the task iterator and drains the
// ring buffer. Owned by the sampler thread; nothing here is safe from two threads.
//
// Life: Open -> Load -> Attach -> (Collect | DrainRing)* -> destruction, which detaches everything.
// Attach comes before the first Collect, so that no task falls between the hooks and the iterator.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "bpf/kernel_rules.h"
#include "bpf/taskmon_abi.h"

namespace taskmon::bpf {

struct ProbeOptions {
  uint32_t ring_bytes = 8u << 20;   // a power of two, at least one page
  uint32_t block_requests = 16384;  // in flight at once; also: tasks alive that ever submitted one
  uint32_t refuse_storage = 0;      // for tests: 1: a new task's storage; 2: what is tried later; 3: both
  std::string spoil_program;        // for tests: made such that the verifier refuses it
};

// What newer kernels let us do better.
struct HookLimit {
  std::string reason;
  std::vector<std::string> metrics;  // names of the catalogue; empty: all that the hook's group fills
};

// One BPF program as `status` shows it.
struct Hook {
  std::string name;  // tracepoint, or how a pass comes by the tasks
  tm_hook_group group;
  bool available = false;  // the kernel has the tracepoint with arguments we know
  bool attached = false;
  bool own_time = false;  // runs in ours, not in that of the tasks it is about
  uint64_t runs = 0;      // since load; counted only while statistics are on
  uint64_t run_time_ns = 0;
  std::string reason;             // why it is unavailable; empty otherwise
  std::vector<HookLimit> limits;  // of one that is available
};

using DropCounters = std::array<uint64_t, TM_DROP_MAX>;

class Probe {
 public:
  // Any record of the ring: the header says which. Valid only during the call.
  using RingSink = std::function<void(const tm_record_header&)>;
  using TaskSink = std::function<void(const tm_task_record&)>;

  // Reads the kernel's BTF and decides which programs fit it. FailedPrecondition: no BTF.
  static absl::StatusOr<std::unique_ptr<Probe>> Open(const ProbeOptions& options);
  virtual ~Probe() = default;

  // Loads maps and programs. PermissionDenied names the missing capability. A program that does not load is set aside
  // as unavailable with the verifier's last line as reason, and the rest of its group with it; only the iterator and
  // the life cycle hooks are required.
  virtual absl::Status Load() = 0;

  // Attaches or detaches one group. Idempotent. A group none of whose tracepoints exist: FailedPrecondition.
  virtual absl::Status Attach(tm_hook_group group) = 0;
  virtual void Detach(tm_hook_group group) = 0;
  virtual bool IsAttached(tm_hook_group group) const = 0;

  // Closes the current window of maxima and passes over all tasks, one record each; storage is made for tasks that have
  // none. With `all` false, tasks that did not run and did not change since they were last sent are left out; dead ones
  // that wait to be reaped are sent every time, and gone when they are not.
  // A failed pass is Unavailable, and the next one sends everything again.
  virtual absl::Status Collect(bool all, const TaskSink& sink) = 0;

  // Wakes who waits for it each time that another 32nd of the ring waits to be drained, so that few records cost no
  // wake: drain it at each pass as well. Lives as long as the probe.
  virtual int ring_fd() const = 0;
  // Hands over what is in the ring now; what comes meanwhile may wait for the next call, so that each ends however much
  // comes. Returns the number of records.
  virtual size_t DrainRing(const RingSink& sink) = 0;
  // So much waits in the ring that nobody may be woken for it any more: drain it before you wait for anything.
  virtual bool WantsDrain() const = 0;

  // Puts a whole set of rules in force, at once for every event; nothing is detached, no counter touched. Each process
  // is decided anew when it is next seen, and sent if it is wanted or pending, or for the first time is not. Before the
  // first call everybody is wanted, and nothing is looked up. Waits some grace periods of the kernel's (tens of ms).
  // InvalidArgument names the limit that is exceeded, or the key that stands twice; the rules in force stay. After any
  // other error they stay too.
  virtual absl::Status SetRules(const KernelRules& rules) = 0;
  // Answers pending decisions, from the next pass on. An answer to a decision that no longer stands is void. At most
  // kMaxUserVerdicts between two passes: the rest is dropped (TM_DROP_VERDICT), ResourceExhausted.
  virtual absl::Status SetVerdicts(std::span<const UserVerdict> verdicts) = 0;
  virtual LeftOut left_out() const = 0;

  virtual DropCounters Drops() const = 0;
  virtual std::vector<Hook> Hooks() const = 0;

  // Switches the kernel's BPF run statistics on or off (costs some ns per run while on).
  virtual absl::Status SetStatistics(bool on) = 0;
};

}  // namespace taskmon::bpf

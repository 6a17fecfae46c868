// SPDX-License-Identifier: Apache-2.0
//
// What the kernel side knows of the rules: enough to decide by itself what it can, so that a task that no rule can want
// is never sent up. Plain data, made by the push-down plan (daemon/rules), given to Probe::SetRules as a whole.
//
// A rule's expression is a disjunction of conjunctions of tests. A conjunction of a single test on a name, an owner or
// a cgroup is an entry in a map: thousands of names cost what one costs. One of several tests that the kernel can
// decide becomes a Term over at most 64 numbered tests. Whatever needs more (a command line, a regex, a past) is left
// to user space: the task is then pending until SetVerdicts, unless a rule before it has matched already.
//
//   a key (comm, prefix, uid, cgroup) ──► KeyVerdict { first rule it satisfies alone, tests it makes true }
//   tests of all keys together        ──► Terms      ──► the smallest rule number of all wins
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace taskmon::bpf {

// A rule's place in the order, and whether it drops: order * 2 + drop. The smallest wins.
using RuleRef = uint32_t;
inline constexpr RuleRef kNoRule = UINT32_MAX;
constexpr RuleRef MakeRuleRef(uint32_t place, bool drop) { return place * 2 + drop; }
constexpr uint32_t PlaceOf(RuleRef ref) { return ref / 2; }
constexpr bool Drops(RuleRef ref) { return ref != kNoRule && ref % 2 != 0; }

inline constexpr int kMaxKernelTests = 64;
inline constexpr int kMaxKernelTerms = 64;
inline constexpr int kMaxKernelThresholds = 16;
inline constexpr uint32_t kMaxKernelNames = 65536;   // exact names, and as many prefixes, owners and cgroups
inline constexpr uint32_t kMaxUserVerdicts = 16384;  // between two passes

struct KeyVerdict {
  RuleRef rule = kNoRule;
  uint64_t tests = 0;

  bool operator==(const KeyVerdict&) const = default;
};

struct KernelTerm {
  uint64_t yes = 0;  // all of these tests hold
  uint64_t no = 0;   // and none of these
  RuleRef rule = kNoRule;

  bool operator==(const KernelTerm&) const = default;
};

// A fixed threshold over what hooks keep. Asked in each pass of the iterator.
struct KernelThreshold {
  enum class Of : uint8_t { kTotal = 1, kRate = 2, kMaximum = 3 };
  Of of = Of::kTotal;
  uint32_t index = 0;  // enum tm_counter (hook-kept ones) or enum tm_maximum
  uint64_t limit = 0;  // crossed above it; kRate: per second
  KeyVerdict verdict;

  bool operator==(const KernelThreshold&) const = default;
};

struct KernelRules {
  uint32_t version = 0;
  bool send_unwanted = true;  // baseline = "all": everybody is sent, wanted or not
  // The first rule that only user space can decide: a task that no rule before it takes is pending.
  RuleRef first_user_rule = kNoRule;

  std::vector<std::pair<std::string, KeyVerdict>> comms;     // at most 15 bytes each; no key stands twice
  std::vector<std::pair<std::string, KeyVerdict>> prefixes;  // of comm; an entry already includes its shorter ones
  std::vector<std::pair<uint32_t, KeyVerdict>> uids;
  std::vector<std::pair<uint64_t, KeyVerdict>> cgroups;
  KeyVerdict kthread;   // holds for kernel threads
  KeyVerdict tcp_used;  // holds once the task has made or used such a connection
  KeyVerdict udp_used;
  std::vector<KernelThreshold> thresholds;
  std::vector<KernelTerm> terms;

  bool operator==(const KernelRules&) const = default;
};

// What user space decided of a process that was pending. Holds for the decision it answers, and may be changed while
// that stands: a later exec, rename, change of owner or cgroup, first connection or crossed threshold makes another
// one. A decision that a threshold made can be taken back in the same way; crossed again, it is made again.
struct UserVerdict {
  int32_t tgid = 0;
  uint64_t start_ns = 0;      // of the process
  uint32_t decision_seq = 0;  // tm_decision.seq that it answers; 0: none, only `used` is told
  bool wanted = true;
  uint32_t used = 0;  // TM_TASK_TCP_USED, TM_TASK_UDP_USED: connections that were open before a hook could see them
};

// What was left out because no rule wants it, with send_unwanted off. CPU time of all tasks is the sum of
//   record.counters[TM_C_RUNTIME_NS] - record.accounted_ns   of the first record of a task after which one knows it,
//   what that counter grew by                                from record to record after that,
//   live_ns + dead_ns                                        of what was left out.
struct LeftOut {
  uint64_t tasks = 0;      // in the latest pass, idle ones included
  uint64_t processes = 0;  // those of them that are processes
  uint64_t lives = 0;      // final records, since load; so are the following
  uint64_t records = 0;    // of fork, exec and rename
  uint64_t live_ns = 0;    // CPU time, as passes came by
  uint64_t dead_ns = 0;    // and what was spent from the latest pass to the end of those lives
};

}  // namespace taskmon::bpf

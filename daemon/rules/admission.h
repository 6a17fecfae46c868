// SPDX-License-Identifier: Apache-2.0
//
// Decides which rule a process comes under: at once by who it is (name, command line, owner, cgroup, connections used),
// and at each tick by its metrics. Pure; on the sampler's thread.
//
//   born ── inherits ──► exec, rename, owner, cgroup, names read, first connection ─► Decide   (all rules, no metrics)
//                        each tick, its row ──────────────────────────────────────► Tick     (rules that read metrics)
//                        new rules ───────────────────────────────────────────────► Decide, at the next tick
//
// The first rule by order that matches wins. What a task is changes its rule at once; where metrics cease to match, the
// rule keeps it for its hold time, unless an earlier one matches. Of a task that no drop rule took, every rule's
// thresholds are watched, whoever has it: crossings are told as events.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/query/row.h"
#include "daemon/query/test_memory.h"
#include "daemon/rules/rule_index.h"
#include "daemon/rules/rule_set.h"
#include "daemon/rules/standing.h"
#include "storage/sample.h"

namespace taskmon::rules {

// What Decide is told of a process.
struct Subject {
  const TaskInfo* info = nullptr;
  std::optional<bool> tcp_used;  // nullopt: nobody looks
  std::optional<bool> udp_used;
  bool names_known = true;   // command line, executable and user have been read
  bool cgroup_known = true;  // so has its cgroup's path
};

class Admission {
 public:
  // Until rules are set, everything is pending.
  void SetRules(std::shared_ptr<const RuleSet> rules);
  // What the kernel side has of the rules that SetRules was given: the version of what it was told, and which rules it
  // watches by itself, by place.
  void SetKernel(uint32_t version, std::vector<bool> kernel_alone);
  const RuleSet* rules() const { return rules_.get(); }
  const std::vector<RulePtr>& enabled() const { return index_.enabled(); }

  // True when the rule or the outcome changed. Rules that only metrics can make match wait for the next tick.
  bool Decide(const Subject& subject, Occasion occasion, uint64_t boot_ns, Standing* standing);
  // A child begins as its parent is. Where rules ask for kinship, Decide follows.
  void Inherit(const Standing& parent, uint64_t boot_ns, Standing* child);
  bool asks_kinship() const { return index_.asks_kinship(); }
  // Decided by other rules than those of now, or not at all.
  bool IsOutdated(const Standing& standing) const { return standing.generation != generation_; }
  // The kernel side saw metrics bring the process under the rule at a place of its version: it looks at all times, ends
  // and tasks that it left out included, of which there is no increase here. True as for Decide. `row`: null at an end.
  bool BelieveKernel(uint32_t place, uint32_t version, uint64_t boot_ns, const query::Row* row, Standing* standing);
  // Before the processes of a tick.
  void BeginTick(const Snapshot& snapshot);
  // Once a tick for each living process, with its row. True as for Decide.
  bool Tick(const query::Row& row, Standing* standing);
  // The process has ended.
  void Forget(Standing* standing);

  // Thresholds crossed since the last call, and tasks that came under a rule by metrics or left it: events without
  // times where those are the tick's.
  std::vector<Event> TakeEvents();

  // Living processes that are with the rule.
  uint64_t matched(uint32_t place) const { return place < matched_.size() ? matched_[place] : 0; }
  // nullopt: the rule is not in force, as it was edited since; 0 where it is switched off.
  std::optional<uint64_t> MatchedBy(const CheckedRule* rule) const;
  uint64_t tracked() const { return tracked_; }
  // Questions of tests with memory that found no room, by the rules in force.
  uint64_t turned_away() const;
  // The places of the rules that a process of that name may match, ascending.
  std::vector<uint32_t> Candidates(std::string_view comm) const { return index_.Candidates(comm); }

  // What the tests with memory of an enabled rule last said of a task; nullopt: the rule has none.
  std::optional<query::Verdicts> VerdictsOf(uint32_t place, const TaskKey& key) const;

 private:
  struct Watch {  // a rule that reads metrics
    uint32_t place;
    query::TestMemory memory;
  };

  // The first rule that matches without asking metrics, and those that metrics may make match.
  struct IdentityVerdict {
    uint32_t place = kNoPlace;
    std::vector<uint32_t> watched;
    bool may_match = false;
  };
  struct MetricVerdict {
    uint32_t place = kNoPlace;
    std::string detail;
  };

  IdentityVerdict AskIdentity(const Subject& subject, uint64_t boot_ns);
  MetricVerdict AskMetrics(const query::Row& row, Standing* standing);
  bool Settle(uint32_t place, Occasion occasion, uint64_t boot_ns, std::string detail, Standing* standing);
  bool HoldOrLeave(uint32_t place, uint64_t boot_ns, Standing* standing);
  void Renew(Standing* standing);
  void Count(const Standing& standing, int by);
  Outcome OutcomeOf(uint32_t place) const;
  uint64_t HoldOf(const Standing& standing) const;
  Event MakeEvent(EventType type, const query::Row& row) const;
  std::string TellCrossings(Watch* watch, const query::Row& row);
  void TellRule(const query::Row& row, const RulePtr& before, const Standing& standing);

  std::shared_ptr<const RuleSet> rules_;
  RuleIndex index_;
  std::vector<bool> kernel_alone_;
  std::optional<uint32_t> kernel_since_;  // the first version that has these rules' places
  uint64_t generation_ = 0;               // of rules: grows with SetRules
  std::vector<Watch> watches_;            // by place
  std::vector<uint64_t> matched_;         // by place
  uint64_t tracked_ = 0;
  std::vector<Event> events_;
  Snapshot scratch_snapshot_;
  TaskSample scratch_sample_;
};

}  // namespace taskmon::rules

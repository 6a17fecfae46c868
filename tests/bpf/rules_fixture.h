// SPDX-License-Identifier: Apache-2.0
//
// Rules made of little, processes that do one thing after the other when told, and what a test expects of both.
#pragma once

#include <pthread.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/bpf/probe_fixture.h"

namespace taskmon::bpf {

inline constexpr RuleRef kTrack = MakeRuleRef(1, false);
inline constexpr RuleRef kDrop = MakeRuleRef(2, true);
inline constexpr RuleRef kLater = MakeRuleRef(3, false);

// Rules that leave out whom they do not want: without any, everybody.
KernelRules Filter(uint32_t version = 1);
KernelRules FilterByName(const std::string& name, RuleRef rule = kTrack);
KernelRules FilterByThreshold(KernelThreshold::Of of, uint32_t index, uint64_t limit);
// Everybody is wanted but processes of one name.
KernelRules AllBut(const std::string& name);

void Fork(int times);
pthread_t StartThread(std::function<void()> body);

// A child that acts when told, and is asleep in between. Named once it is there.
class Actor {
 public:
  explicit Actor(std::vector<std::function<void()>> acts, const std::string& name = "tm-actor");
  void Act();
  void End();
  pid_t tid() const { return child_.tid(); }

 private:
  int Run(const std::string& name);

  std::vector<std::function<void()>> acts_;
  Gate next_, ready_;
  Child child_;
};

class RulesTest : public ProbeTest {
 protected:
  void SetUp() override { Start({TM_HOOKS_LIFECYCLE}); }

  void SetRules(const KernelRules& rules);
  void AttachOrSkip(tm_hook_group group);
  UserVerdict Answer(const tm_task_record& task, bool wanted);
  void Tell(const UserVerdict& verdict);

  // Each takes a pass over all tasks.
  bool IsSent(pid_t tid) { return Pass().count(tid) != 0; }
  std::optional<tm_decision> Decision(pid_t tid);
  // A task that was known must first be told to be unwanted: that takes a pass more.
  bool IsLeftOut(pid_t tid);
  void ExpectWanted(pid_t tid, tm_decided_at at, RuleRef rule = kTrack);
  // Sent once more as one that is not wanted, then no more.
  void ExpectDropped(pid_t tid, tm_decided_at at);
};

}  // namespace taskmon::bpf

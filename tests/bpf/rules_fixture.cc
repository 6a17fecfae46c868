// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/rules_fixture.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <utility>

namespace taskmon::bpf {

KernelRules Filter(uint32_t version) {
  KernelRules rules;
  rules.version = version;
  rules.send_unwanted = false;
  return rules;
}

KernelRules FilterByName(const std::string& name, RuleRef rule) {
  KernelRules rules = Filter();
  rules.comms = {{name, {.rule = rule}}};
  return rules;
}

KernelRules FilterByThreshold(KernelThreshold::Of of, uint32_t index, uint64_t limit) {
  KernelRules rules = Filter();
  rules.thresholds = {{.of = of, .index = index, .limit = limit, .verdict = {.rule = kTrack}}};
  return rules;
}

KernelRules AllBut(const std::string& name) {
  KernelRules rules = Filter();
  rules.prefixes = {{"", {.rule = kLater}}};
  rules.comms = {{name, {.rule = kDrop}}};
  return rules;
}

void Fork(int times) {
  for (int i = 0; i < times; ++i) {
    const pid_t child = fork();
    if (child == 0) _exit(0);
    waitpid(child, nullptr, 0);
  }
}

pthread_t StartThread(std::function<void()> body) {
  auto owned = std::make_unique<std::function<void()>>(std::move(body));
  pthread_t thread;
  auto run = [](void* argument) -> void* {
    const std::unique_ptr<std::function<void()>> given(static_cast<std::function<void()>*>(argument));
    (*given)();
    return nullptr;
  };
  if (pthread_create(&thread, nullptr, run, owned.release()) != 0) std::abort();
  return thread;
}

Actor::Actor(std::vector<std::function<void()>> acts, const std::string& name)
    : acts_(std::move(acts)), child_([this, name] { return Run(name); }) {
  child_.Go();
  ready_.Await();
}

int Actor::Run(const std::string& name) {
  prctl(PR_SET_NAME, name.c_str());
  ready_.Signal();
  for (const auto& act : acts_) {
    next_.Await();
    act();
    ready_.Signal();
  }
  next_.Await();
  return 0;
}

void Actor::Act() {
  next_.Signal();
  ready_.Await();
}

void Actor::End() {
  next_.Signal();
  child_.Wait();
}

void RulesTest::SetRules(const KernelRules& rules) {
  const absl::Status set = probe_->SetRules(rules);
  ASSERT_TRUE(set.ok()) << set;
}

void RulesTest::AttachOrSkip(tm_hook_group group) {
  const absl::Status attached = probe_->Attach(group);
  if (!attached.ok()) GTEST_SKIP() << attached;
}

UserVerdict RulesTest::Answer(const tm_task_record& task, bool wanted) {
  return {
      .tgid = task.id.tgid, .start_ns = task.id.process_start_ns, .decision_seq = task.decision.seq, .wanted = wanted};
}

void RulesTest::Tell(const UserVerdict& verdict) {
  const absl::Status told = probe_->SetVerdicts({&verdict, 1});
  ASSERT_TRUE(told.ok()) << told;
}

std::optional<tm_decision> RulesTest::Decision(pid_t tid) {
  const auto tasks = Pass();
  const auto found = tasks.find(tid);
  if (found == tasks.end()) return std::nullopt;
  return found->second.decision;
}

bool RulesTest::IsLeftOut(pid_t tid) {
  Pass();
  return !IsSent(tid);
}

void RulesTest::ExpectWanted(pid_t tid, tm_decided_at at, RuleRef rule) {
  const auto decision = Decision(tid);
  ASSERT_TRUE(decision.has_value()) << "left out";
  EXPECT_EQ(decision->verdict, TM_VERDICT_WANTED);
  EXPECT_EQ(decision->at, at);
  EXPECT_EQ(decision->rule, rule);
}

void RulesTest::ExpectDropped(pid_t tid, tm_decided_at at) {
  const auto decision = Decision(tid);
  ASSERT_TRUE(decision.has_value()) << "user space is never told";
  EXPECT_EQ(decision->verdict, TM_VERDICT_UNWANTED);
  EXPECT_EQ(decision->at, at);
  EXPECT_FALSE(IsSent(tid));
}

}  // namespace taskmon::bpf

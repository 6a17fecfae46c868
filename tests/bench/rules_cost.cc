// SPDX-License-Identifier: Apache-2.0
//
// What rules cost the hooks: rules_cost [--json] [ROUNDS]. ns per run by the kernel's own BPF statistics, without rules
// and with more and more names. All sets are measured in turn within each round, so that whatever else the machine does
// meets all of them; printed is the median of the rounds, as a table or as lines of JSON. Needs root.
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "bpf/probe.h"

namespace {

using taskmon::bpf::Hook;
using taskmon::bpf::KernelRules;
using taskmon::bpf::MakeRuleRef;
using taskmon::bpf::Probe;

constexpr int kRounds = 7;  // where nothing else is said
constexpr int kSpawns = 400;
constexpr int kPingPongs = 20'000;
constexpr int kPasses = 20;

struct Case {
  std::string title;
  int names;  // -1: no rules were ever set
  bool send_unwanted;
};

const std::vector<std::string> kHooks = {"sched_switch", "task_newtask",       "sched_process_exec",
                                         "task_rename",  "sched_process_exit", "iter/task"};

[[noreturn]] void Fail(const std::string& what) {
  fmt::print(stderr, "rules_cost: {}\n", what);
  std::exit(1);
}

void Check(const absl::Status& status) {
  if (!status.ok()) Fail(status.ToString());
}

KernelRules Names(int count, bool send_unwanted) {
  KernelRules rules;
  rules.version = static_cast<uint32_t>(count);
  rules.send_unwanted = send_unwanted;
  for (int i = 0; i < count; ++i) {
    rules.comms.push_back({fmt::format("name-{}", i), {.rule = MakeRuleRef(static_cast<uint32_t>(i), false)}});
  }
  return rules;
}

// The hooks of one process after the other: fork, exec (with its rename), exit.
void Spawn() {
  char name[] = "true";
  char* const arguments[] = {name, nullptr};
  for (int i = 0; i < kSpawns; ++i) {
    pid_t child = 0;
    if (posix_spawn(&child, "/bin/true", nullptr, nullptr, arguments, environ) != 0) Fail("cannot start /bin/true");
    waitpid(child, nullptr, 0);
  }
}

void PingPong() {
  int there[2];
  int back[2];
  if (pipe(there) != 0 || pipe(back) != 0) Fail("no pipe");
  const pid_t child = fork();
  char ball = 0;
  if (child == 0) {
    for (int i = 0; i < kPingPongs; ++i) {
      if (read(there[0], &ball, 1) != 1 || write(back[1], &ball, 1) != 1) _exit(1);
    }
    _exit(0);
  }
  for (int i = 0; i < kPingPongs; ++i) {
    if (write(there[1], &ball, 1) != 1 || read(back[0], &ball, 1) != 1) Fail("the other player is gone");
  }
  waitpid(child, nullptr, 0);
  for (int fd : {there[0], there[1], back[0], back[1]}) close(fd);
}

struct Sum {
  uint64_t runs = 0;
  uint64_t ns = 0;
};

std::map<std::string, Sum> Take(Probe* probe) {
  std::map<std::string, Sum> sums;
  for (const Hook& hook : probe->Hooks()) {
    sums[hook.name].runs += hook.runs;
    sums[hook.name].ns += hook.run_time_ns;
  }
  return sums;
}

// A probe of its own for each case: "no rules" cannot be gone back to.
class Bench {
 public:
  explicit Bench(Case which) : case_(std::move(which)) {
    auto probe = Probe::Open({});
    if (!probe.ok()) Fail(probe.status().ToString());
    probe_ = *std::move(probe);
    Check(probe_->Load());
    if (case_.names < 0) return;
    const auto began = std::chrono::steady_clock::now();
    Check(probe_->SetRules(Names(case_.names, case_.send_unwanted)));
    set_ms_ = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count();
  }

  void Round() {
    Check(probe_->Attach(TM_HOOKS_LIFECYCLE));
    Check(probe_->Attach(TM_HOOKS_SCHED));
    Pass(true);
    const auto before = Take(probe_.get());
    Spawn();
    PingPong();
    for (int i = 0; i < kPasses; ++i) Pass(true);
    const auto after = Take(probe_.get());
    probe_->Detach(TM_HOOKS_SCHED);
    probe_->Detach(TM_HOOKS_LIFECYCLE);
    for (const std::string& hook : kHooks) {
      const uint64_t runs = after.at(hook).runs - before.at(hook).runs;
      const uint64_t ns = after.at(hook).ns - before.at(hook).ns;
      if (runs != 0) costs_[hook].push_back(static_cast<double>(ns) / static_cast<double>(runs));
    }
  }

  const std::string& title() const { return case_.title; }
  // By hook; without those that never ran.
  std::map<std::string, double> Medians() const {
    std::map<std::string, double> medians;
    for (auto [hook, costs] : costs_) {
      std::sort(costs.begin(), costs.end());
      if (!costs.empty()) medians[hook] = costs[costs.size() / 2];
    }
    return medians;
  }
  // What giving the rules to the kernel took; 0: none were given.
  double set_ms() const { return set_ms_; }

  Probe* probe() { return probe_.get(); }

 private:
  void Pass(bool all) {
    Check(probe_->Collect(all, [](const tm_task_record&) {}));
    probe_->DrainRing([](const tm_record_header&) {});
  }

  Case case_;
  std::unique_ptr<Probe> probe_;
  double set_ms_ = 0;
  std::map<std::string, std::vector<double>> costs_;
};

void PrintTable(const std::vector<std::unique_ptr<Bench>>& benches, int rounds) {
  fmt::print("ns per run, median of {} rounds; iter/task: per task, all of them sent; last: SetRules in ms\n", rounds);
  fmt::print("{:<36}", "");
  for (const std::string& hook : kHooks) {
    fmt::print(" {:>12}", hook.starts_with("sched_process_") ? hook.substr(14) : hook);
  }
  fmt::print(" {:>12}\n", "SetRules");
  for (const auto& bench : benches) {
    const auto medians = bench->Medians();
    fmt::print("{:<36}", bench->title());
    for (const std::string& hook : kHooks) fmt::print(" {:>12.0f}", medians.contains(hook) ? medians.at(hook) : 0);
    fmt::print(" {:>12.0f}\n", bench->set_ms());
  }
}

void PrintLine(const std::string& name, double value, const char* unit) {
  fmt::print("{{\"name\": \"{}\", \"value\": {:.6g}, \"unit\": \"{}\"}}\n", name, value, unit);
}

void PrintJson(const std::vector<std::unique_ptr<Bench>>& benches) {
  for (const auto& bench : benches) {
    for (const auto& [hook, ns] : bench->Medians()) PrintLine(hook + ", " + bench->title(), ns, "ns");
    if (bench->set_ms() != 0) PrintLine("giving them to the kernel, " + bench->title(), bench->set_ms(), "ms");
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool json = argc > 1 && std::string(argv[1]) == "--json";
  const int rounds = argc > (json ? 2 : 1) ? std::atoi(argv[argc - 1]) : kRounds;
  if (rounds < 1) Fail("usage: rules_cost [--json] [ROUNDS]");
  std::vector<std::unique_ptr<Bench>> benches;
  for (const Case& which : std::vector<Case>{{"no rules", -1, true},
                                             {"1 name", 1, true},
                                             {"5,000 names", 5000, true},
                                             {"60,000 names", 60'000, true},
                                             {"1 name, unwanted left out", 1, false},
                                             {"60,000 names, unwanted left out", 60'000, false}}) {
    benches.push_back(std::make_unique<Bench>(which));
  }
  Check(benches.front()->probe()->SetStatistics(true));
  for (int round = 0; round < rounds; ++round) {
    for (const auto& bench : benches) bench->Round();
  }
  json ? PrintJson(benches) : PrintTable(benches, rounds);
  return 0;
}

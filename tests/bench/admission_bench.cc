// SPDX-License-Identifier: Apache-2.0
//
// What the rules cost for each exec: a decision under one rule about a name, and under thousands of them.
#include <benchmark/benchmark.h>

#include "daemon/rules/admission.h"
#include "daemon/rules/push_down.h"

namespace taskmon::rules {
namespace {

std::shared_ptr<const RuleSet> NamedRules(int64_t count) {
  std::vector<Rule> rules;
  for (int64_t i = 0; i < count; ++i) {
    Rule rule;
    rule.name = "rule-" + std::to_string(i);
    rule.order = static_cast<uint32_t>(i + 1);
    rule.expression = "comm == name-" + std::to_string(i);
    rules.push_back(rule);
  }
  return std::make_shared<const RuleSet>(RuleSet::Make(std::move(rules)).value());
}

void Decide(benchmark::State& state) {
  Admission admission;
  admission.SetRules(NamedRules(state.range(0)));
  TaskInfo info;
  Standing standing;
  uint64_t now = 1;
  bool matches = false;
  for (auto _ : state) {
    matches = !matches;
    info.comm = matches ? "name-0" : "other";
    benchmark::DoNotOptimize(
        admission.Decide({.info = &info, .tcp_used = false, .udp_used = false}, Occasion::kExec, ++now, &standing));
  }
}
BENCHMARK(Decide)->Arg(1)->Arg(100)->Arg(5000);

void MakePlan(benchmark::State& state) {
  const auto set = NamedRules(state.range(0));
  const HookedMetrics none = {.counter = [](v1::Metric) { return std::nullopt; },
                              .maximum = [](v1::Metric) { return std::nullopt; },
                              .grows_open = [](v1::Metric) { return false; }};
  for (auto _ : state) benchmark::DoNotOptimize(PushDown(set->rules(), none, {}, true));
}
BENCHMARK(MakePlan)->Arg(1)->Arg(5000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace taskmon::rules

// SPDX-License-Identifier: Apache-2.0
//
// What an answer costs: rows of 10,000 tasks found, made into messages, and those into bytes. The argument is the
// number of metrics that were asked for, 0 all. `items_per_second` are rows.
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "daemon/query/engine.h"
#include "tests/unit/query/world.h"

namespace taskmon::query {
namespace {

constexpr int32_t kTasks = 10'000;

Snapshot Machine() {
  std::vector<TaskBuilder> tasks;
  for (int32_t tid = 1; tid <= kTasks; ++tid) {
    tasks.push_back(TaskBuilder(tid, "worker-" + std::to_string(tid % 100))
                        .Set(v1::TASK_RUNTIME_NS, 90 * kSecond, tid % 100 * 10 * kMs)
                        .Set(v1::TASK_PM_SIZE, 100'000ll * tid)
                        .Set(v1::TASK_READ_BYTES, 5000, 4096));
  }
  return World(1, tasks);
}

Plan Question(int64_t metrics) {
  v1::Selection selection;
  const v1::Metric wanted[] = {v1::TASK_RUNTIME_NS, v1::TASK_PM_SIZE, v1::TASK_READ_BYTES, v1::TASK_WRITE_BYTES};
  for (int64_t i = 0; i < metrics; ++i) selection.add_metrics(static_cast<uint32_t>(wanted[i]));
  return Plan::Make(selection).value();
}

void Rows(benchmark::State& state) {
  const Snapshot machine = Machine();
  const Plan plan = Question(4);
  for (auto _ : state) benchmark::DoNotOptimize(plan.Rows(machine, kRoot));
  state.SetItemsProcessed(state.iterations() * kTasks);
}
BENCHMARK(Rows);

void Messages(benchmark::State& state) {
  const Snapshot machine = Machine();
  const Plan plan = Question(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(Engine::SelectPages(machine, plan, kRoot));
  state.SetItemsProcessed(state.iterations() * kTasks);
}
BENCHMARK(Messages)->Arg(4)->Arg(0);

void Bytes(benchmark::State& state) {
  const std::vector<v1::TaskBatch> pages = Engine::SelectPages(Machine(), Question(state.range(0)), kRoot);
  int64_t bytes = 0;
  for (auto _ : state) {
    for (const v1::TaskBatch& page : pages) bytes += static_cast<int64_t>(page.SerializeAsString().size());
  }
  state.SetItemsProcessed(state.iterations() * kTasks);
  state.SetBytesProcessed(bytes);
}
BENCHMARK(Bytes)->Arg(4)->Arg(0);

}  // namespace
}  // namespace taskmon::query

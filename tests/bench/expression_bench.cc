// SPDX-License-Identifier: Apache-2.0
//
// What asking an expression about 10,000 rows costs; `items_per_second` are rows. One in ten tasks does something in a
// tick, the others are idle, as on a real machine.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "daemon/query/expression.h"
#include "daemon/query/test_memory.h"
#include "tests/unit/query/world.h"

namespace taskmon::query {
namespace {

constexpr int kTasks = 10'000;

TaskBuilder Worker(int32_t tid) {
  return TaskBuilder(tid, "worker-" + std::to_string(tid % 100))
      .Info([&](TaskInfo& info) {
        info.cmdline = "/usr/lib/jvm/bin/java -Xmx4g -cp /opt/app/lib/app.jar org.example.service.Main --port 8080";
        info.uid = static_cast<uint32_t>(tid % 7);
      })
      .Set(v1::TASK_RUNTIME_NS, 90 * kSecond, tid % 100 * 10 * kMs)
      .Set(v1::TASK_PM_SIZE, 100'000ll * tid)
      .Set(v1::TASK_READ_BYTES, 5000, 4096);
}

// Tasks 0, 10, 20 … have news in every tick.
const std::vector<Snapshot>& Ticks() {
  static const auto* const ticks = [] {
    auto* made = new std::vector<Snapshot>;
    std::vector<TaskBuilder> tasks;
    for (int32_t tid = 1; tid <= kTasks; ++tid) tasks.push_back(Worker(tid));
    made->push_back(World(1, tasks));
    for (uint64_t seq = 2; seq <= 128; ++seq) {
      made->push_back(made->back());
      Snapshot& next = made->back();
      next.tick = World(seq, {}).tick;
      for (size_t i = 0; i < next.tasks.size(); i += 10) next.tasks[i] = tasks[i].Build(seq);
    }
    return made;
  }();
  return *ticks;
}

void Evaluate(benchmark::State& state, const std::string& text) {
  const absl::StatusOr<Expression> expression = Expression::Parse(text, kRuleLimits);
  if (!expression.ok()) return state.SkipWithError(expression.status().ToString().c_str());
  std::optional<TestMemory> memory;
  size_t at = 0;
  for (auto unused : state) {
    // The stream begins anew where the ticks end; that is no part of what is measured.
    if (at == 0) {
      state.PauseTiming();
      if (expression->needs_memory()) memory.emplace(*expression);
      for (; memory && at < 70; ++at) {
        for (const auto& task : Ticks()[at].tasks) expression->Matches({&Ticks()[at], task.get()}, &*memory);
      }
      state.ResumeTiming();
    }
    int matched = 0;
    const Snapshot& tick = Ticks()[at];
    for (const auto& task : tick.tasks)
      matched += expression->Matches({&tick, task.get()}, memory ? &*memory : nullptr);
    benchmark::DoNotOptimize(matched);
    at = (at + 1) % Ticks().size();
  }
  state.SetItemsProcessed(state.iterations() * kTasks);
}

std::string FiveThousandNames() {
  std::string text = "comm in (name0";
  for (int i = 1; i < 5000; ++i) text += ", name" + std::to_string(i);
  return text + ")";
}

BENCHMARK_CAPTURE(Evaluate, comm_equal, "comm == nginx");
BENCHMARK_CAPTURE(Evaluate, comm_in_3, "app in (mysql, postgres, redis)");
BENCHMARK_CAPTURE(Evaluate, comm_in_5000, FiveThousandNames());
BENCHMARK_CAPTURE(Evaluate, comm_regex, "comm =~ \"^(kswapd|jbd2|kworker)\"");
BENCHMARK_CAPTURE(Evaluate, cmdline_regex, "uid != 0 && cmdline =~ \"org\\.apache\\.(catalina|kafka)\"");
BENCHMARK_CAPTURE(Evaluate, metrics, "cpu > 80% || task_pm_size > 2GiB || read > 10MiB");
BENCHMARK_CAPTURE(Evaluate, held, "cpu > 80% for 10s");
BENCHMARK_CAPTURE(Evaluate, anomaly, "anomaly(cpu)");
BENCHMARK_CAPTURE(Evaluate, abnormal,
                  "cpu > 80% for 10s || task_pm_size > 2GiB || anomaly(task_pm_size) || anomaly(cpu, 6)");

}  // namespace
}  // namespace taskmon::query

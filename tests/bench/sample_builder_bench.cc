// SPDX-License-Identifier: Apache-2.0
//
// What a tick costs the builder: 10,000 threads in processes of so many (the second argument), of which so many have
// news (the first). Caches are cold, as after a second of other work. `items_per_second` are records with news; the
// rest of the cost is of those that have none.
#include <algorithm>
#include <vector>

#include <benchmark/benchmark.h>

#include "daemon/sample_builder.h"
#include "tests/unit/daemon/records.h"

namespace taskmon::daemon {
namespace {

constexpr int32_t kThreads = 10'000;
constexpr size_t kLargerThanCaches = 64 << 20;

std::vector<tm_task_record> Everybody(int32_t threads_per_process) {
  std::vector<tm_task_record> records;
  for (int32_t i = 0; i < kThreads; ++i) {
    const int32_t tgid = 1000 + i / threads_per_process * threads_per_process;
    const Who who = {1000 + i, tgid, kSecond + static_cast<uint64_t>(i), kSecond + static_cast<uint64_t>(tgid - 1000)};
    records.push_back(TaskRecord(who, "worker", 1));
  }
  return records;
}

class Machine {
 public:
  explicit Machine(int32_t threads_per_process)
      : builder_({.boot_id = "boot", .memory_total_bytes = 1ll << 30}), records_(Everybody(threads_per_process)) {
    builder_.SetAttached(HookGroups().set());
    Tick(kThreads);
  }

  // The first `active` of every so many.
  void Tick(int64_t active) {
    builder_.BeginPass(active == kThreads);
    for (int64_t i = 0; i < active; ++i) {
      tm_task_record& record = records_[static_cast<size_t>(i * kThreads / active)];
      record.counters[TM_C_RUNTIME_NS] += 50'000;
      ++record.counters[TM_C_NVCSW];
      builder_.OnTask(record);
    }
    ++seq_;
    benchmark::DoNotOptimize(builder_.EndTick({.seq = seq_,
                                               .wall_ns = static_cast<int64_t>(seq_ * kSecond),
                                               .boot_ns = seq_ * kSecond,
                                               .elapsed_ns = kSecond,
                                               .lost_records = 0}));
  }

 private:
  SampleBuilder builder_;
  std::vector<tm_task_record> records_;
  uint64_t seq_ = 0;
};

void Tick(benchmark::State& state) {
  Machine machine(static_cast<int32_t>(state.range(1)));
  std::vector<char> other_work(kLargerThanCaches);
  for (auto _ : state) {
    state.PauseTiming();
    std::fill(other_work.begin(), other_work.end(), 1);
    benchmark::DoNotOptimize(other_work.data());
    state.ResumeTiming();
    machine.Tick(state.range(0));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Tick)->ArgsProduct({{0, 1'000, 10'000}, {20, 1}})->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
//
// Coarser resolutions: what a folded tick says, when a scan takes which resolution, and what stays when others go.
#include <map>

#include <gtest/gtest.h>

#include "storage/sqlite_db.h"
#include "tests/unit/storage/fake_world.h"

namespace taskmon::storage {
namespace {

constexpr MetricId kCounter = 3, kGauge = 1, kMaximum = 2, kWitness = 4, kRatio = 7, kWeight = 6;

std::vector<ColumnSpec> Columns() {
  std::vector<ColumnSpec> columns;
  for (MetricId m = 1; m <= 10; ++m) columns.push_back({m, static_cast<ColumnKind>(1 + m % 3), true});
  for (ColumnSpec& column : columns) {
    column.kind = column.id == kCounter || column.id == kWeight ? ColumnKind::kCounter
                  : column.id == kMaximum                       ? ColumnKind::kWindowMax
                                                                : ColumnKind::kGauge;
    if (column.id == kGauge) column.ranged = true;
    if (column.id == kWitness) column.witness_of = kMaximum, column.witness_from = 1;
    if (column.id == kRatio) column.weight = kWeight;
  }
  return columns;
}

// A few tasks that do what the test says, a tick a second from the start of a minute.
class Machine {
 public:
  explicit Machine(const RingOptions& options) : writer_(OpenWriter(options)) {}

  TaskSample& Task(int32_t tid) {
    auto [at, is_new] = tasks_.try_emplace(tid);
    if (!is_new) return at->second;
    auto info = std::make_shared<TaskInfo>();
    info->key = {static_cast<uint64_t>(tid), tid, false};
    info->tgid = tid;
    info->comm = "task";
    at->second.info = info;
    for (MetricId m : {kCounter, kGauge, kMaximum, kWeight}) at->second.valid.set(m);
    return at->second;
  }
  void End(int32_t tid) { tasks_.erase(tid), samples_.erase(tid); }
  // The task did something in the tick that comes.
  void Work(int32_t tid, int64_t increase, int64_t gauge, int64_t maximum, int64_t witness) {
    TaskSample& task = Task(tid);
    task.values.Add(kCounter, increase);
    task.deltas.Set(kCounter, increase);
    task.values.Set(kGauge, gauge);
    task.values.Set(kMaximum, maximum);
    task.valid.set(kWitness, witness != 0);
    task.values.Set(kWitness, witness);
    task.tick_seq = seq_ + 1;
  }
  void Ratio(int32_t tid, int64_t percent, int64_t weight) {
    TaskSample& task = Task(tid);
    task.valid.set(kRatio);
    task.values.Set(kRatio, percent);
    task.values.Add(kWeight, weight);
    task.deltas.Set(kWeight, weight);
  }
  // The daemon stops and starts again: its first tick knows of none before.
  void Restart() { restarted_ = true; }
  void Tick() {
    ++seq_;
    Snapshot snapshot;
    const int64_t wall = kWorldStartNs + static_cast<int64_t>(seq_ - 1) * kSecondNs;
    snapshot.tick = {seq_, wall, seq_ * kSecondNs, static_cast<uint64_t>(restarted_ ? 0 : kSecondNs), 1};
    restarted_ = false;
    snapshot.boot_id = "boot-a";
    for (auto& [tid, task] : tasks_) {
      std::shared_ptr<const TaskSample>& sample = samples_[tid];
      if (sample == nullptr || sample->tick_seq != task.tick_seq) sample = std::make_shared<TaskSample>(task);
      snapshot.tasks.push_back(sample);
      task.deltas.Clear();
      task.valid.reset(kRatio);
      task.values.Set(kRatio, 0);
    }
    std::vector<Event> none;
    const absl::Status status = writer_->Append(snapshot, &none);
    ASSERT_TRUE(status.ok()) << status;
  }
  RingWriter* writer() { return writer_.get(); }

 private:
  std::unique_ptr<RingWriter> writer_;
  uint64_t seq_ = 0;
  bool restarted_ = false;
  std::map<int32_t, TaskSample> tasks_;
  std::map<int32_t, std::shared_ptr<const TaskSample>> samples_;
};

class Resolution : public ::testing::Test {
 protected:
  Resolution() {
    options_.chunk_ticks = 60;
    options_.columns = Columns();
  }
  std::vector<Snapshot> Scan(int64_t step_ns) {
    std::vector<Snapshot> ticks;
    auto reader = RingReader::Open(options_.path, Columns());
    ScanFilter filter;
    filter.step_ns = step_ns;
    const absl::Status status = (*reader)->Scan(INT64_MIN, INT64_MAX, filter, [&](const Snapshot& tick) {
      ticks.push_back(tick);
      return true;
    });
    EXPECT_TRUE(status.ok()) << status;
    return ticks;
  }
  static const TaskSample* Find(const Snapshot& tick, int32_t tid) {
    for (const auto& task : tick.tasks) {
      if (task->info->key.tid == tid) return task.get();
    }
    return nullptr;
  }

  TempDir dir_;
  RingOptions options_ = TestOptions(dir_.Path("h.db"));
};

TEST_F(Resolution, AFoldedTickSaysWhatItsTicksSaid) {
  Machine machine(options_);
  for (int second = 0; second < 60; ++second) {
    machine.Work(1, 5, 1000 + second % 10, second == 25 ? 900 : 10, second == 25 ? 77 : second + 1);
    if (second < 4) machine.Work(2, 1, 50, 0, 0);
    if (second < 10) machine.Ratio(1, second == 0 ? 100 : 40, second == 0 ? 3 : 1);
    machine.Tick();
  }
  const std::vector<Snapshot> ticks = Scan(10 * kSecondNs);
  ASSERT_EQ(ticks.size(), 6u);
  for (size_t i = 0; i < ticks.size(); ++i) {
    const Snapshot& tick = ticks[i];
    EXPECT_EQ(tick.tick.seq, 10 * (i + 1));
    EXPECT_EQ(tick.tick.elapsed_ns, 10 * static_cast<uint64_t>(kSecondNs));
    EXPECT_EQ(tick.tick.lost_records, 10u);
    const TaskSample& task = *Find(tick, 1);
    EXPECT_EQ(task.tick_seq, tick.tick.seq);
    EXPECT_EQ(task.values[kCounter], static_cast<int64_t>(50 * (i + 1)));
    EXPECT_EQ(task.deltas[kCounter], 50);
    EXPECT_EQ(task.values[kGauge], 1009);
    ASSERT_NE(task.range, nullptr);
    EXPECT_EQ(task.range->least[kGauge], 1000);
    EXPECT_EQ(task.range->largest[kGauge], 1009);
    EXPECT_EQ(task.values[kMaximum], i == 2 ? 900 : 10);
    EXPECT_EQ(task.values[kWitness] == 77, i == 2);
    const TaskSample& idle = *Find(tick, 2);
    EXPECT_EQ(idle.tick_seq == tick.tick.seq, i == 0);
    EXPECT_EQ(idle.values[kCounter], 4);
    EXPECT_EQ(idle.range, nullptr);
  }
  EXPECT_EQ(Find(ticks[0], 1)->values[kRatio], (100 * 3 + 40 * 9) / 12);
  EXPECT_FALSE(Find(ticks[1], 1)->valid[kRatio]);
}

TEST_F(Resolution, TheFirstTickOfARunStaysAloneInEveryResolution) {
  Machine machine(options_);
  for (int second = 0; second < 1800; ++second) {
    if (second == 0 || second == 907) machine.Restart();
    machine.Work(1, 1, 1, 1, 1);
    machine.Tick();
  }
  for (int64_t step : {10 * kSecondNs, 60 * kSecondNs}) {
    std::vector<uint64_t> first;
    for (const Snapshot& tick : Scan(step)) {
      if (tick.tick.elapsed_ns == 0) first.push_back(tick.tick.seq);
    }
    EXPECT_EQ(first, (std::vector<uint64_t>{1, 908})) << step;
  }
}

TEST_F(Resolution, ATaskThatEndsIsInTheTickOfItsEnd) {
  Machine machine(options_);
  for (int second = 0; second < 60; ++second) {
    machine.Work(1, 1, 1, 1, 1);
    if (second == 13) machine.Work(2, 7, 3, 5, 0);
    if (second == 15) machine.End(2);
    machine.Tick();
  }
  const std::vector<Snapshot> ticks = Scan(10 * kSecondNs);
  ASSERT_EQ(ticks.size(), 6u);
  for (size_t i = 0; i < ticks.size(); ++i) EXPECT_EQ(Find(ticks[i], 2) != nullptr, i == 1);
  EXPECT_EQ(Find(ticks[1], 2)->deltas[kCounter], 7);
}

TEST_F(Resolution, SumsAreTheSameInEveryResolution) {
  Machine machine(options_);
  int64_t sum = 0;
  for (int second = 0; second < 60 * 60; ++second) {
    for (int32_t tid = 1; tid <= 4; ++tid) {
      if ((second + tid) % (tid * 3) != 0) continue;
      machine.Work(tid, second % 17 + tid, second % 100, second % 50, tid);
      sum += second % 17 + tid;
    }
    machine.Tick();
  }
  ASSERT_TRUE(machine.writer()->Close().ok());
  size_t fewer = SIZE_MAX;
  for (int64_t step : {int64_t{0}, 10 * kSecondNs, 60 * kSecondNs}) {
    const std::vector<Snapshot> ticks = Scan(step);
    EXPECT_LT(ticks.size(), fewer);
    fewer = ticks.size();
    int64_t total = 0;
    uint64_t elapsed = 0;
    for (const Snapshot& tick : ticks) {
      elapsed += tick.tick.elapsed_ns;
      for (const auto& task : tick.tasks) {
        if (task->tick_seq == tick.tick.seq) total += task->deltas[kCounter];
      }
    }
    EXPECT_EQ(elapsed, 3600u * static_cast<uint64_t>(kSecondNs));
    EXPECT_EQ(total, sum) << "step " << step;
  }
  // Of an hour in chunks of a minute all but the last few fragments are joined.
  auto db = Database::Open(options_.path, Database::Mode::kReadOnly);
  EXPECT_LT(*db->QueryInt("SELECT count(*) FROM chunk WHERE tier = 1"), 20);
  EXPECT_GE(*db->QueryInt("SELECT count(*) FROM chunk WHERE tier = 2"), 1);
  EXPECT_EQ(IntegrityCheck(options_.path), "ok");
}

// As when a hook is detached in the middle of a minute.
TEST_F(Resolution, ACounterThatIsNotKnownAtTheEndOfATickKeepsItsIncrease) {
  Machine machine(options_);
  int64_t sum = 0;
  for (int second = 0; second < 600; ++second) {
    const bool known = second % 60 < 57;
    machine.Work(1, known ? 10 : 0, second, 0, 0);
    machine.Task(1).valid.set(kCounter, known);
    sum += known ? 10 : 0;
    machine.Tick();
  }
  ASSERT_TRUE(machine.writer()->Close().ok());
  for (int64_t step : {int64_t{0}, 10 * kSecondNs, 60 * kSecondNs}) {
    int64_t total = 0;
    for (const Snapshot& tick : Scan(step)) {
      const TaskSample& task = *Find(tick, 1);
      if (task.tick_seq == tick.tick.seq && task.valid[kCounter]) total += task.deltas[kCounter];
    }
    EXPECT_EQ(total, sum) << "step " << step;
  }
}

TEST_F(Resolution, AStepThatNoResolutionDividesIsReadAsSampled) {
  Machine machine(options_);
  for (int second = 0; second < 120; ++second) machine.Work(1, 1, 1, 1, 1), machine.Tick();
  EXPECT_EQ(Scan(15 * kSecondNs).size(), 120u);
  EXPECT_EQ(Scan(30 * kSecondNs).size(), 12u);
  EXPECT_EQ(Scan(5 * kSecondNs).size(), 120u);
}

TEST_F(Resolution, TheLatestTicksComeAsSampledAndNoneTwice) {
  Machine machine(options_);
  for (int second = 0; second < 200; ++second) machine.Work(1, 1, 1, 1, 1), machine.Tick();
  const std::vector<Snapshot> ticks = Scan(10 * kSecondNs);
  int64_t total = 0;
  uint64_t seq = 0;
  for (const Snapshot& tick : ticks) {
    EXPECT_GT(tick.tick.seq, seq);
    seq = tick.tick.seq;
    total += tick.tasks.front()->deltas[kCounter];
  }
  EXPECT_EQ(total, 200);
  EXPECT_EQ(seq, 200u);
  EXPECT_EQ(ticks.size(), 18u + 20u);
}

TEST_F(Resolution, CoarserTicksAnswerWhereTheFinerOnesAreGone) {
  options_.resolutions[0].max_age_ns = 300 * kSecondNs;
  options_.resolutions[1].max_age_ns = 1800 * kSecondNs;
  Machine machine(options_);
  for (int second = 0; second < 7200; ++second) machine.Work(1, 1, second, 1, 1), machine.Tick();
  auto reader = RingReader::Open(options_.path, Columns());
  EXPECT_EQ((*(*reader)->Range())->begin_wall_ns, kWorldStartNs + 59 * kSecondNs);
  std::map<uint64_t, int> lengths;
  int64_t total = 0;
  uint64_t seq = 0;
  for (const Snapshot& tick : Scan(0)) {
    EXPECT_GT(tick.tick.seq, seq);
    seq = tick.tick.seq;
    ++lengths[tick.tick.elapsed_ns / static_cast<uint64_t>(kSecondNs)];
    total += tick.tasks.front()->deltas[kCounter];
  }
  EXPECT_EQ(total, 7200);
  EXPECT_GT(lengths[60], 60);
  EXPECT_GT(lengths[10], 60);
  EXPECT_GT(lengths[1], 200);
  auto old = (*reader)->At(kWorldStartNs + 600 * kSecondNs);
  ASSERT_TRUE(old.ok()) << old.status();
  EXPECT_EQ((*old)->tick.elapsed_ns, 60u * static_cast<uint64_t>(kSecondNs));
  auto recent = (*reader)->At(kWorldStartNs + 7100 * kSecondNs);
  ASSERT_TRUE(recent.ok()) << recent.status();
  EXPECT_EQ((*recent)->tick.elapsed_ns, static_cast<uint64_t>(kSecondNs));
}

TEST_F(Resolution, AByteLimitHoldsForItsResolutionAlone) {
  options_.resolutions[0].max_bytes = 20000;
  Machine machine(options_);
  for (int second = 0; second < 3600; ++second) {
    for (int32_t tid = 1; tid < 20; ++tid) machine.Work(tid, second * tid % 97, second * 31 % 1009, second % 77, tid);
    machine.Tick();
  }
  auto db = Database::Open(options_.path, Database::Mode::kReadOnly);
  EXPECT_LT(*db->QueryInt("SELECT sum(bytes) FROM chunk WHERE tier = 0"), 30000);
  EXPECT_EQ(Scan(60 * kSecondNs).front().tick.wall_ns / (60 * kSecondNs), kWorldStartNs / (60 * kSecondNs));
}

}  // namespace
}  // namespace taskmon::storage

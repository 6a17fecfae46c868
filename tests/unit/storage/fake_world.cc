// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/storage/fake_world.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include "storage/sqlite_db.h"

namespace taskmon::storage {
namespace {

ColumnKind KindOf(MetricId metric) { return static_cast<ColumnKind>(1 + metric % 3); }

bool Ordered(const std::shared_ptr<const TaskSample>& a, const std::shared_ptr<const TaskSample>& b) {
  const TaskInfo &x = *a->info, &y = *b->info;
  return std::tuple(x.tgid, x.key.thread, x.key.tid) < std::tuple(y.tgid, y.key.thread, y.key.tid);
}

// In memory where possible: what is tested is the order of writes, not the disk.
std::filesystem::path Root() {
  return access("/dev/shm", W_OK) == 0 ? "/dev/shm" : std::filesystem::temp_directory_path();
}

}  // namespace

std::vector<ColumnSpec> TestColumns() {
  std::vector<ColumnSpec> columns;
  for (MetricId m = 1; m <= kLastMetric; ++m) columns.push_back({m, KindOf(m), m != kDerivedMetric});
  return columns;
}

MetricSet StoredMetrics() {
  MetricSet metrics;
  for (const ColumnSpec& column : TestColumns()) metrics[column.id] = column.stored;
  return metrics;
}

FakeWorld::FakeWorld(const WorldOptions& options)
    : options_(options), random_(options.seed), seq_(options.first_seq - 1) {}

std::shared_ptr<const TaskSample> FakeWorld::Birth() {
  auto info = std::make_shared<TaskInfo>();
  const int32_t tid = next_tid_++;
  const bool thread = Chance(0.3) && !snapshot_.tasks.empty();
  info->key = {boot_ns_ - static_cast<uint64_t>(Number(0, 500000000)), tid, thread};
  info->tgid =
      thread ? snapshot_.tasks[static_cast<size_t>(Number(0, 1 << 30)) % snapshot_.tasks.size()]->info->tgid : tid;
  info->ppid = static_cast<int32_t>(Number(1, 99));
  info->process_start_ns = info->key.start_ns;
  info->start_wall_ns = wall_ns_;
  info->uid = static_cast<uint32_t>(Number(0, 3)) * 1000;
  info->comm = fmt::format("task{}", tid);
  info->cmdline = fmt::format("/usr/bin/task{} --verbose", tid);
  info->unit = "work.service";
  if (Chance(0.5)) info->rules = {"first", "second"};
  auto sample = std::make_shared<TaskSample>();
  sample->info = info;
  sample->tick_seq = seq_;
  for (MetricId m = 1; m <= kLastMetric; ++m) {
    sample->valid[m] = m != kDerivedMetric && m % 11 != 5;
    if (!sample->valid[m] || Chance(0.5)) continue;
    sample->values.Set(m, Number(0, 1000) << (m % 5 * 4));
    if (KindOf(m) == ColumnKind::kCounter && !first_) sample->deltas.Set(m, sample->values[m]);
  }
  Event event;
  event.type = EventType::kFork;
  event.wall_ns = wall_ns_;
  event.boot_ns = boot_ns_;
  event.task = info;
  if (!first_) events_.push_back(event);
  return sample;
}

void FakeWorld::MakeOdd(TaskSample* sample) {
  const auto m = static_cast<MetricId>(Number(1, kLastMetric));
  switch (Number(0, 4)) {
    case 0: sample->valid[m] = m != kDerivedMetric && !sample->valid[m]; break;
    case 1: sample->deltas.Set(m, Number(-5, 5)); break;
    case 2: sample->values.Set(m, static_cast<int64_t>(random_())); break;
    case 3:
      sample->taken_boot_ns.Set(
          m, sample->taken_boot_ns[m] != 0 ? 0 : static_cast<int64_t>(boot_ns_) - Number(1, 9999999));
      break;
    default: {
      auto info = std::make_shared<TaskInfo>(*sample->info);
      info->comm = fmt::format("renamed{}", Number(0, 999));
      sample->info = info;
    }
  }
  if (sample->valid[m]) return;
  sample->values.Set(m, 0);
  sample->deltas.Set(m, 0);
}

std::shared_ptr<const TaskSample> FakeWorld::Work(const TaskSample& before) {
  auto sample = std::make_shared<TaskSample>(before);
  // Now and then a sample is made anew though the task did nothing: its names changed, say.
  const bool idle = Chance(options_.oddity);
  sample->deltas.Clear();
  if (!idle) sample->tick_seq = seq_;
  for (MetricId m = 1; m <= kLastMetric && !idle; ++m) {
    if (!sample->valid[m] || m % 7 == 0 || Chance(0.4)) continue;
    const int64_t step = Number(0, 300) * (m % 4 == 0 ? 4096 : 1);
    sample->values.Set(m, KindOf(m) == ColumnKind::kWindowMax ? Number(0, 100000) : sample->values[m] + step);
    if (KindOf(m) == ColumnKind::kCounter) sample->deltas.Set(m, step);
  }
  if (Chance(10 * options_.oddity)) MakeOdd(sample.get());
  return sample;
}

void FakeWorld::Death(const TaskSample& sample) {
  Event event;
  event.type = EventType::kExit;
  event.wall_ns = wall_ns_;
  event.boot_ns = boot_ns_;
  event.task = sample.info;
  event.wait_status = static_cast<int32_t>(Number(0, 255)) << 8;
  event.duration_ns = static_cast<uint64_t>(Number(0, 1 << 30));
  auto final = std::make_shared<TaskSample>(sample);
  final->tick_seq = seq_;
  event.final_sample = final;
  events_.push_back(event);
}

// A rule's decision and a crossing, or its end; chosen by the tick alone.
void FakeWorld::Decide(const TaskSample& sample) {
  Event event;
  event.type = EventType::kRule;
  event.wall_ns = wall_ns_;
  event.boot_ns = boot_ns_;
  event.task = sample.info;
  event.rule = "database";
  events_.push_back(event);
  event.type = EventType::kThreshold;
  event.begins = seq_ % 2 == 0;
  event.metric = static_cast<MetricId>(seq_ % 60);
  event.value = 0.1 * static_cast<double>(seq_);
  event.baseline = -1e300;
  events_.push_back(event);
}

const Snapshot& FakeWorld::Next() {
  ++seq_;
  wall_ns_ += kSecondNs + (first_ ? 0 : Number(-1000, 1000));
  boot_ns_ += static_cast<uint64_t>(kSecondNs);
  events_.clear();
  Snapshot next;
  next.tick = {seq_, wall_ns_, boot_ns_, first_ ? 0 : static_cast<uint64_t>(kSecondNs), 0};
  if (Chance(0.1)) next.tick.lost_records = static_cast<uint64_t>(Number(1, 9));
  if (!options_.lost) next.tick.lost_records = 0;
  next.boot_id = options_.boot_id;
  next.memory_total_bytes = 8ll << 30;
  for (const auto& sample : snapshot_.tasks) {
    if (Chance(options_.churn)) {
      Death(*sample);
    } else {
      next.tasks.push_back(Chance(options_.activity) ? Work(*sample) : sample);
    }
  }
  while (next.tasks.size() < options_.tasks) next.tasks.push_back(Birth());
  std::sort(next.tasks.begin(), next.tasks.end(), Ordered);
  snapshot_ = std::move(next);
  if (seq_ % 5 == 0) Decide(*snapshot_.tasks.front());
  first_ = false;
  return snapshot_;
}

void ExpectSameEvent(const Event& want, const Event& got, const std::string& boot_id) {
  SCOPED_TRACE(fmt::format("event {}", want.id));
  EXPECT_EQ(want.id, got.id);
  EXPECT_EQ(want.type, got.type);
  EXPECT_EQ(want.wall_ns, got.wall_ns);
  EXPECT_EQ(want.boot_ns, got.boot_ns);
  EXPECT_EQ(want.wait_status, got.wait_status);
  EXPECT_EQ(want.duration_ns, got.duration_ns);
  EXPECT_EQ(want.detail, got.detail);
  EXPECT_EQ(want.lost, got.lost);
  EXPECT_EQ(want.rule, got.rule);
  EXPECT_EQ(want.begins, got.begins);
  EXPECT_EQ(want.metric, got.metric);
  EXPECT_EQ(want.value, got.value);
  EXPECT_EQ(want.baseline, got.baseline);
  ASSERT_EQ(want.task != nullptr, got.task != nullptr);
  if (want.task != nullptr) ExpectSameInfo(*want.task, *got.task, boot_id);
  ASSERT_EQ(want.final_sample != nullptr, got.final_sample != nullptr);
  for (MetricId m = 1; want.final_sample != nullptr && m <= kLastMetric; ++m) {
    EXPECT_EQ(want.final_sample->valid[m], got.final_sample->valid[m]);
    if (!want.final_sample->valid[m]) continue;
    EXPECT_EQ(want.final_sample->values[m], got.final_sample->values[m]);
  }
}

void ExpectSameInfo(const TaskInfo& want, const TaskInfo& got, const std::string& boot_id) {
  EXPECT_EQ(want.key, got.key);
  EXPECT_EQ(got.boot_id, boot_id);
  EXPECT_EQ(want.tgid, got.tgid);
  EXPECT_EQ(want.ppid, got.ppid);
  EXPECT_EQ(want.process_start_ns, got.process_start_ns);
  EXPECT_EQ(want.start_wall_ns, got.start_wall_ns);
  EXPECT_EQ(std::pair(want.uid, want.gid), std::pair(got.uid, got.gid));
  EXPECT_EQ(std::pair(want.kthread, want.tracked), std::pair(got.kthread, got.tracked));
  EXPECT_EQ(want.comm, got.comm);
  EXPECT_EQ(want.cmdline, got.cmdline);
  EXPECT_EQ(want.exe, got.exe);
  EXPECT_EQ(want.user, got.user);
  EXPECT_EQ(want.cgroup, got.cgroup);
  EXPECT_EQ(want.unit, got.unit);
  EXPECT_EQ(want.container, got.container);
  EXPECT_EQ(want.app, got.app);
  EXPECT_EQ(want.rules, got.rules);
}

namespace {

void ExpectSameSample(const TaskSample& want, const TaskSample& got, uint64_t seq, const MetricSet& metrics) {
  EXPECT_EQ(want.tick_seq == seq, got.tick_seq == seq);
  EXPECT_EQ(want.tick_seq, got.tick_seq);
  const MetricSet valid = want.valid & StoredMetrics() & metrics;
  EXPECT_EQ(valid, got.valid);
  for (MetricId m = 1; m <= kLastMetric; ++m) {
    if (!valid[m]) continue;
    EXPECT_EQ(want.values[m], got.values[m]) << "metric " << m;
    if (want.tick_seq == seq) {
      EXPECT_EQ(want.deltas[m], got.deltas[m]) << "metric " << m;
    }
    EXPECT_EQ(want.taken_boot_ns[m], got.taken_boot_ns[m]) << "metric " << m;
  }
}

}  // namespace

void ExpectSameSnapshot(const Snapshot& want, const Snapshot& got, const MetricSet& metrics) {
  SCOPED_TRACE(fmt::format("tick {}", want.tick.seq));
  EXPECT_EQ(want.tick.seq, got.tick.seq);
  EXPECT_EQ(want.tick.wall_ns, got.tick.wall_ns);
  EXPECT_EQ(want.tick.boot_ns, got.tick.boot_ns);
  EXPECT_EQ(want.tick.elapsed_ns, got.tick.elapsed_ns);
  EXPECT_EQ(want.tick.lost_records, got.tick.lost_records);
  EXPECT_EQ(want.boot_id, got.boot_id);
  EXPECT_EQ(want.memory_total_bytes, got.memory_total_bytes);
  ASSERT_EQ(want.tasks.size(), got.tasks.size());
  for (size_t i = 0; i < want.tasks.size(); ++i) {
    SCOPED_TRACE(fmt::format("tid {}", want.tasks[i]->info->key.tid));
    ExpectSameInfo(*want.tasks[i]->info, *got.tasks[i]->info, want.boot_id);
    ExpectSameSample(*want.tasks[i], *got.tasks[i], want.tick.seq, metrics);
  }
}

TempDir::TempDir() {
  std::string name = (Root() / "taskmon-storage-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;  // a directory left behind fails no test
  std::filesystem::remove_all(path_, ignored);
}

RingOptions TestOptions(const std::string& path) {
  RingOptions options;
  options.path = path;
  options.cap_bytes = 64u << 20;
  options.chunk_ticks = 10;
  options.columns = TestColumns();
  return options;
}

std::unique_ptr<RingWriter> OpenWriter(const RingOptions& options) {
  auto writer = RingWriter::Open(options);
  EXPECT_TRUE(writer.ok()) << writer.status();
  return writer.ok() ? *std::move(writer) : nullptr;
}

std::unique_ptr<RingReader> OpenReader(const std::string& path) {
  auto reader = RingReader::Open(path, TestColumns());
  EXPECT_TRUE(reader.ok()) << reader.status();
  return reader.ok() ? *std::move(reader) : nullptr;
}

void Record(RingWriter* writer, FakeWorld* world, int ticks, Recorded* out) {
  for (int i = 0; i < ticks; ++i) {
    out->snapshots.push_back(world->Next());
    std::vector<Event> events = world->TakeEvents();
    absl::Status status = writer->Append(out->snapshots.back(), &events);
    ASSERT_TRUE(status.ok()) << status;
    for (Event& event : events) out->events.push_back(event);
  }
}

std::vector<Snapshot> ReadAll(const std::string& path) {
  std::vector<Snapshot> snapshots;
  auto reader = OpenReader(path);
  absl::Status status = reader->Scan(INT64_MIN, INT64_MAX, {}, [&](const Snapshot& snapshot) {
    snapshots.push_back(snapshot);
    return true;
  });
  EXPECT_TRUE(status.ok()) << status;
  return snapshots;
}

void ExpectHolds(const std::string& path, const std::vector<Snapshot>& snapshots) {
  const std::vector<Snapshot> got = ReadAll(path);
  ASSERT_EQ(got.size(), snapshots.size());
  for (size_t i = 0; i < got.size() && !::testing::Test::HasFailure(); ++i) ExpectSameSnapshot(snapshots[i], got[i]);
}

std::string IntegrityCheck(const std::string& path) {
  auto db = Database::Open(path, Database::Mode::kReadOnly);
  if (!db.ok()) return db.status().ToString();
  auto check = db->Prepare("PRAGMA integrity_check");
  if (!check.ok()) return check.status().ToString();
  auto row = check->Step();
  return row.ok() ? check->Text(0) : row.status().ToString();
}

uint64_t FileBytes(const std::string& path) {
  uint64_t total = 0;
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat st {};
    if (stat((path + suffix).c_str(), &st) == 0) total += static_cast<uint64_t>(st.st_size);
  }
  return total;
}

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
//
// A made-up machine for storage tests: tasks that are born, work, idle, change their names and die, tick by tick, from
// a seed. Its snapshots follow the contract of storage/sample.h, and ExpectSameSnapshot says whether a history file
// gave one back as it was.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "storage/ring_reader.h"
#include "storage/ring_writer.h"
#include "storage/sample.h"

namespace taskmon::storage {

inline constexpr MetricId kLastMetric = 63;
inline constexpr MetricId kDerivedMetric = 32;
inline constexpr int64_t kSecondNs = 1000000000;
inline constexpr int64_t kWorldStartNs = 1767225600 * kSecondNs;  // 2026-01-01T00:00:00Z

// Metrics 1 … 63 with their kinds in turn; kDerivedMetric is not stored.
std::vector<ColumnSpec> TestColumns();
MetricSet StoredMetrics();

struct WorldOptions {
  uint64_t seed = 1;
  size_t tasks = 20;
  double activity = 0.3;  // share of tasks that do something in a tick
  double churn = 0.05;    // share that is replaced in a tick
  double oddity = 0.02;   // share of updates with something unusual: validity, odd deltas, renames, aged values
  uint64_t first_seq = 1;
  std::string boot_id = "boot-a";
  bool lost = true;  // some ticks lose records
};

class FakeWorld {
 public:
  explicit FakeWorld(const WorldOptions& options);
  // The next tick, one second later.
  const Snapshot& Next();
  // What happened in it.
  std::vector<Event> TakeEvents() { return std::move(events_); }
  void StepClock(int64_t by_ns) { wall_ns_ += by_ns; }
  void Skip(int64_t by_ns) { wall_ns_ += by_ns, boot_ns_ += static_cast<uint64_t>(by_ns); }

 private:
  std::shared_ptr<const TaskSample> Birth();
  std::shared_ptr<const TaskSample> Work(const TaskSample& before);
  void MakeOdd(TaskSample* sample);
  void Death(const TaskSample& sample);
  void Decide(const TaskSample& sample);
  bool Chance(double p) { return std::uniform_real_distribution<>(0, 1)(random_) < p; }
  int64_t Number(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random_); }

  const WorldOptions options_;
  std::mt19937_64 random_;
  uint64_t seq_;
  int64_t wall_ns_ = kWorldStartNs;
  uint64_t boot_ns_ = 1000 * kSecondNs;
  int32_t next_tid_ = 100;
  bool first_ = true;
  Snapshot snapshot_;
  std::vector<Event> events_;
};

// Also says whether the event came back with what rules and thresholds add to it.
void ExpectSameEvent(const Event& want, const Event& got, const std::string& boot_id = "boot-a");
void ExpectSameInfo(const TaskInfo& want, const TaskInfo& got, const std::string& boot_id);
// `metrics`: those that were asked for.
void ExpectSameSnapshot(const Snapshot& want, const Snapshot& got, const MetricSet& metrics = StoredMetrics());

// A directory that is removed with all that is in it.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

RingOptions TestOptions(const std::string& path);
std::unique_ptr<RingWriter> OpenWriter(const RingOptions& options);
std::unique_ptr<RingReader> OpenReader(const std::string& path);

// What was appended: the oracle.
struct Recorded {
  std::vector<Snapshot> snapshots;
  std::vector<Event> events;
};
void Record(RingWriter* writer, FakeWorld* world, int ticks, Recorded* out);
// The file holds exactly these ticks, oldest first.
void ExpectHolds(const std::string& path, const std::vector<Snapshot>& snapshots);
std::vector<Snapshot> ReadAll(const std::string& path);
// SQLite's own verdict; "ok" when all is well.
std::string IntegrityCheck(const std::string& path);

// Database + WAL + shared memory.
uint64_t FileBytes(const std::string& path);

}  // namespace taskmon::storage

// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/request_world.h"

#include <cstdlib>
#include <filesystem>
#include <random>
#include <utility>
#include <vector>

#include "daemon/query/ring_columns.h"
#include "proto/catalogue.h"
#include "storage/ring_writer.h"
#include "tests/unit/query/world.h"

namespace taskmon::fuzz {
namespace {

using query::kBoot;
using query::kSecond;

constexpr uint64_t kTicks = 25;
constexpr uint32_t kChunkTicks = 8;  // so that the history has closed chunks, coarser ones and an open one

struct Person {
  int32_t tid;
  int32_t tgid;
  uint32_t uid;
  const char* user;
  const char* comm;
  bool thread = false;
};

constexpr Person kPeople[] = {
    {10, 10, kOrdinaryUid, "alice", "nginx"}, {20, 20, 1001, "bob", "postgres"},
    {20, 20, 1001, "bob", "postgres", true},  {21, 20, 1001, "bob", "writer", true},
    {30, 30, 0, "root", "kworker/0:1"},
};

void Must(bool holds) {
  if (!holds) std::abort();
}

class Maker {
 public:
  Maker(uint64_t secret, bool hides_cmdlines) : secret_(secret), hides_cmdlines_(hides_cmdlines) {
    for (const Person& person : kPeople) tasks_.push_back(Born(person));
  }

  Snapshot Next() {
    ++seq_;
    Snapshot snapshot = query::World(seq_, {});
    for (auto& task : tasks_) {
      // Each third tick a task is idle and keeps its sample.
      if (seq_ == 1 || open_() % 3 != 0) task = Worked(*task);
      snapshot.tasks.push_back(task);
    }
    return snapshot;
  }

  std::vector<Event> Events() {
    std::vector<Event> events;
    const int64_t wall_ns = query::kStart + static_cast<int64_t>(seq_) * kSecond - 1;
    for (const auto& task : tasks_) {
      Event event{.type = EventType::kThreshold, .wall_ns = wall_ns, .boot_ns = kBoot + seq_ * kSecond - 1};
      event.task = task->info;
      event.rule = "heavy-use";
      event.metric = v1::TASK_READ_BYTES;
      event.value = static_cast<double>(Number(v1::TASK_READ_BYTES, *task->info) % 1000);
      event.baseline = 100;
      events.push_back(event);
      event.type = EventType::kExit;
      event.task = Dead(*task->info);
      event.final_sample = task;
      event.duration_ns = kSecond;
      events.push_back(std::move(event));
    }
    return events;
  }

 private:
  bool Hidden(const TaskInfo& info) const { return info.uid != kOrdinaryUid; }

  // One stream of numbers for what everybody may see, another one for the rest: what is secret moves nothing else.
  int64_t Number(MetricId metric, const TaskInfo& info) {
    const bool guarded = Describe(static_cast<v1::Metric>(metric)).visibility == v1::GUARDED;
    return static_cast<int64_t>((guarded && Hidden(info) ? secret_() : open_()) % 1'000'000);
  }

  std::shared_ptr<const TaskSample> Born(const Person& person) {
    query::TaskBuilder builder(person.tid, person.comm);
    builder.Uid(person.uid, person.user).Info([&](TaskInfo& info) {
      info.tgid = person.tgid;
      info.key.thread = person.thread;
      info.kthread = person.tid == 30;
      info.rules = {"heavy-use"};
      info.unit = std::string(person.user) + ".service";
      if (!Hidden(info)) return;
      if (!info.kthread) info.exe = "/srv/" + std::to_string(secret_());
      if (hides_cmdlines_) info.cmdline = "secret " + std::to_string(secret_());
    });
    return builder.Build(0);
  }

  std::shared_ptr<const TaskInfo> Dead(const TaskInfo& like) {
    auto info = std::make_shared<TaskInfo>(like);
    info->key.tid = next_tid_++;
    info->tgid = info->key.tid;
    info->key.thread = false;
    return info;
  }

  std::shared_ptr<const TaskSample> Worked(const TaskSample& before) {
    auto now = std::make_shared<TaskSample>(before);
    now->tick_seq = seq_;
    now->taken_boot_ns.Clear();
    for (const MetricDesc& metric : AllMetrics()) {
      if (query::IsDerived(metric.id)) continue;
      const bool secret = metric.visibility == v1::GUARDED && Hidden(*now->info);
      const int64_t number = Number(metric.id, *now->info);
      const bool valid = (secret ? secret_() : open_()) % 8 != 0;
      const bool counter = metric.kind == v1::COUNTER;
      const int64_t value = counter ? before.values[metric.id] + number : number;
      // A counter that was known stays known.
      now->valid.set(metric.id, valid || (counter && before.valid.test(metric.id)));
      if (!now->valid.test(metric.id)) continue;
      now->deltas.Set(metric.id, counter && before.valid.test(metric.id) ? number : 0);
      now->values.Set(metric.id, metric.id == v1::TASK_STATE ? 'S' : value);
      if (metric.group == v1::SMAPS)
        now->taken_boot_ns.Set(metric.id, kBoot + seq_ * kSecond - static_cast<uint64_t>(number));
    }
    return now;
  }

  std::mt19937_64 open_{1};
  std::mt19937_64 secret_;
  const bool hides_cmdlines_;
  uint64_t seq_ = 0;
  int32_t next_tid_ = 1000;
  std::vector<std::shared_ptr<const TaskSample>> tasks_;
};

}  // namespace

Machine::Machine(uint64_t secret, bool hides_cmdlines) {
  directory_ = (std::filesystem::temp_directory_path() / "taskmon-fuzz-XXXXXX").string();
  Must(mkdtemp(directory_.data()) != nullptr);
  storage::RingOptions ring{.path = ring_path(), .chunk_ticks = kChunkTicks};
  ring.columns = query::RingColumns();
  ring.durable = false;
  auto writer = storage::RingWriter::Open(ring);
  Must(writer.ok());
  Maker maker(secret, hides_cmdlines);
  for (uint64_t i = 0; i < kTicks; ++i) {
    newest_ = query::Shared(maker.Next());
    std::vector<Event> events = maker.Events();
    Must((*writer)->Append(*newest_, &events).ok());
  }
  query::EngineOptions options{.ring_path = ring.path};
  options.newest = [this] { return newest_; };
  options.now_wall_ns = [this] { return newest_->tick.wall_ns; };
  engine_ = std::make_unique<query::Engine>(std::move(options));
}

Machine::~Machine() {
  std::error_code ignored;  // only a directory that stays behind
  std::filesystem::remove_all(directory_, ignored);
}

}  // namespace taskmon::fuzz

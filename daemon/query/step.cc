// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/step.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

namespace taskmon::query {
namespace {

// A dead task waits no longer: what was open when it was last seen is closed, and the maxima hold it already.
void CloseWait(const Snapshot& last_seen, v1::Metric total, v1::Metric since, TaskSample* sample) {
  const Row row{.snapshot = &last_seen, .sample = sample};
  if (const std::optional<int64_t> closed = ResolveValue(row, total)) sample->values.Set(total, *closed);
  sample->values.Set(since, 0);
}

bool InOrder(const TaskInfo& a, const TaskInfo& b) {
  return std::tie(a.tgid, a.process_start_ns, a.key.thread, a.key.tid, a.key.start_ns) <
         std::tie(b.tgid, b.process_start_ns, b.key.thread, b.key.tid, b.key.start_ns);
}

}  // namespace

StepFolder::StepFolder(int64_t step_ns, const MetricSet& metrics, std::shared_ptr<MemoryBudget> bytes, Sink sink)
    : step_ns_(step_ns), sink_(std::move(sink)), room_(std::move(bytes)) {
  for (const MetricDesc& metric : AllMetrics()) {
    if (metrics[metric.id] && !IsDerived(metric.id)) metrics_.push_back(metric.id);
  }
}

bool StepFolder::Add(const Snapshot& snapshot) {
  const bool same_step = ticks_ > 0 && snapshot.tick.wall_ns / step_ns_ == last_.tick.wall_ns / step_ns_ &&
                         snapshot.boot_id == last_.boot_id;
  if (ticks_ > 0 && !same_step && !Finish()) return false;
  ++ticks_;
  std::vector<Folded*> alive_before = std::exchange(alive_, {});
  for (const auto& sample : snapshot.tasks) {
    if (!FoldTask(snapshot, sample)) return false;
  }
  MarkEnded(alive_before, snapshot);
  const Tick before = last_.tick;
  last_.tick = snapshot.tick;
  last_.tick.elapsed_ns += before.elapsed_ns;
  last_.tick.lost_records += before.lost_records;
  last_.boot_id = snapshot.boot_id;
  last_.memory_total_bytes = snapshot.memory_total_bytes;
  return true;
}

bool StepFolder::FoldTask(const Snapshot& snapshot, const std::shared_ptr<const TaskSample>& sample) {
  const auto [at, is_new] = tasks_.try_emplace(sample->info->key);
  if (is_new && !room_.Take(BytesOfTask())) {
    status_ = NoRoom();
    return false;
  }
  Folded& folded = at->second;
  alive_.push_back(&folded);
  folded.sample.info = sample->info;
  folded.sample.taken_boot_ns = sample->taken_boot_ns;
  folded.seen = ticks_;
  folded.ended_wall_ns = 0;
  const Row row{.snapshot = &snapshot, .sample = sample.get()};
  for (v1::Metric metric : metrics_) FoldValue(row, metric, &folded);
  return true;
}

// At most: a value and an increase of each metric, and names that no other task has.
int64_t StepFolder::BytesOfTask() const {
  constexpr size_t kNode = 64;
  return static_cast<int64_t>(kNode + sizeof(Folded) + sizeof(TaskInfo) + metrics_.size() * 2 * sizeof(int64_t));
}

void StepFolder::FoldValue(const Row& row, v1::Metric metric, Folded* folded) const {
  if (metric == v1::TASK_PAGE_CACHE_HIT_PERCENT) return FoldCacheHits(row, folded);
  TaskSample& sum = folded->sample;
  if (Describe(metric).kind == v1::WINDOW_MAX) {
    // Known for a part of the step is known: a maximum of fewer ticks is still one that happened.
    const std::optional<int64_t> value = ResolveValue(row, metric);
    if (!value || (sum.valid[metric] && *value <= sum.values[metric])) return;
    sum.values.Set(metric, *value);
    sum.valid.set(metric);
    return TakeWitnesses(row, metric, &sum);
  }
  if (Describe(metric).witness_of != v1::METRIC_UNSPECIFIED) return;  // comes with its maximum
  sum.valid.set(metric, row.sample->valid[metric]);
  if (!row.sample->valid[metric]) return;
  sum.values.Set(metric, row.sample->values[metric]);
  if (!row.idle()) sum.deltas.Add(metric, row.sample->deltas[metric]);
}

void StepFolder::TakeWitnesses(const Row& row, v1::Metric maximum, TaskSample* sum) const {
  for (v1::Metric metric : metrics_) {
    if (Describe(metric).witness_of != maximum) continue;
    const std::optional<int64_t> value = ResolveValue(row, metric);
    sum->valid.set(metric, value.has_value());
    sum->values.Set(metric, value.value_or(0));
  }
}

void StepFolder::FoldCacheHits(const Row& row, Folded* folded) const {
  const std::optional<int64_t> percent = ResolveValue(row, v1::TASK_PAGE_CACHE_HIT_PERCENT);
  if (!percent) return;
  // A tick that has a percentage had lookups, whether or not the column was read.
  const int64_t lookups = row.sample->deltas[v1::TASK_PAGE_CACHE_LOOKUP_COUNT];
  const double weight = static_cast<double>(std::max<int64_t>(1, lookups));
  folded->hit_weight += weight;
  folded->hit_sum += weight * static_cast<double>(*percent);
  folded->sample.valid.set(v1::TASK_PAGE_CACHE_HIT_PERCENT);
  folded->sample.values.Set(v1::TASK_PAGE_CACHE_HIT_PERCENT, std::llround(folded->hit_sum / folded->hit_weight));
}

void StepFolder::MarkEnded(const std::vector<Folded*>& alive_before, const Snapshot& snapshot) {
  for (Folded* folded : alive_before) {
    if (folded->seen == ticks_) continue;
    folded->ended_wall_ns = snapshot.tick.wall_ns;
    CloseWait(last_, v1::TASK_OFFCPU_TIME, v1::TASK_OFFCPU_SINCE, &folded->sample);
    CloseWait(last_, v1::TASK_IO_WAIT_TIME, v1::TASK_IOWAIT_SINCE, &folded->sample);
  }
}

bool StepFolder::Finish() {
  if (ticks_ == 0) return true;
  std::vector<Folded*> order;
  for (auto& [key, folded] : tasks_) order.push_back(&folded);
  std::sort(order.begin(), order.end(),
            [](const Folded* a, const Folded* b) { return InOrder(*a->sample.info, *b->sample.info); });
  Snapshot folded = std::exchange(last_, Snapshot());
  std::vector<int64_t> ended;
  for (Folded* task : order) {
    task->sample.tick_seq = folded.tick.seq;  // not idle: its values are of this step
    ended.push_back(task->ended_wall_ns);
    folded.tasks.push_back(std::make_shared<const TaskSample>(std::move(task->sample)));
  }
  tasks_.clear();
  alive_.clear();
  ticks_ = 0;
  const BudgetShare shown = room_.Split();
  return sink_(folded, ended);
}

absl::Status ScanSteps(storage::RingReader* reader, const storage::TimeRange& range, const storage::ScanFilter& filter,
                       int64_t step_ns, const StepLimits& limits, const StepFolder::Sink& sink) {
  storage::ScanFilter scan = filter;
  scan.step_ns = step_ns;  // a coarser resolution will do where it is stored
  const auto go_on = [&limits] { return !limits.go_on || limits.go_on(); };
  if (step_ns == 0) {
    return reader->Scan(range.begin_wall_ns, range.end_wall_ns, scan,
                        [&](const Snapshot& snapshot) { return go_on() && sink(snapshot, {}); });
  }
  bool more = true;
  StepFolder folder(step_ns, filter.metrics, limits.bytes, sink);
  absl::Status status = reader->Scan(range.begin_wall_ns, range.end_wall_ns, scan,
                                     [&](const Snapshot& snapshot) { return more = go_on() && folder.Add(snapshot); });
  if (status.ok() && more) folder.Finish();
  return status.ok() ? folder.status() : status;
}

}  // namespace taskmon::query

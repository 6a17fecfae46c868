// SPDX-License-Identifier: Apache-2.0
#include "client/top/frame.h"

#include <algorithm>
#include <utility>

#include "daemon/query/row.h"

namespace taskmon::client::top {
namespace {

double Scaled(v1::Metric metric, int64_t held) {
  return static_cast<double>(held) / static_cast<double>(Describe(metric).scale);
}

bool IsCounter(v1::Metric metric) { return Describe(metric).kind == v1::COUNTER; }

bool Sums(v1::Metric metric) {
  const MetricDesc& desc = Describe(metric);
  if (desc.kind == v1::COUNTER) return true;
  if (desc.kind != v1::GAUGE || metric == v1::TASK_PAGE_CACHE_HIT_PERCENT) return false;
  return desc.unit == v1::BYTES || desc.unit == v1::COUNT || desc.unit == v1::PERCENT;
}

}  // namespace

TaskId IdOf(const v1::TaskInfo& info) { return {info.tid(), info.start_ns(), info.thread()}; }

int Frame::MetricIndex(v1::Metric metric) const {
  const auto found = std::find(metrics.begin(), metrics.end(), metric);
  return found == metrics.end() ? -1 : static_cast<int>(found - metrics.begin());
}

Value Frame::Get(const std::vector<Value>& values, v1::Metric metric) const {
  const int index = MetricIndex(metric);
  return index < 0 || values.empty() ? Value() : values[static_cast<size_t>(index)];
}

bool Frame::StandsForThreads(const Item& item) const {
  return !item.id.thread && Get(item.values, v1::TASK_THREAD_COUNT).number > 1;
}

absl::Status FrameMaker::Add(const v1::TaskBatch& batch) {
  const absl::Status status = BatchView(&batch).Check();
  if (status.ok()) batches_.push_back(batch);
  return status;
}

uint64_t FrameMaker::Elapsed(const v1::Tick& tick) const {
  const bool follows = tick_before_.boot_ns() > 0 && tick.boot_ns() > tick_before_.boot_ns();
  return follows ? tick.boot_ns() - tick_before_.boot_ns() : tick.elapsed_ns();
}

// What a task born since the frame before has counted, it has counted since then.
Value FrameMaker::RateOf(size_t metric, int64_t total, const Counters* before, const v1::TaskInfo& info,
                         const v1::Tick& tick) const {
  const uint64_t elapsed_ns = Elapsed(tick);
  const bool born = info.start_ns() + elapsed_ns >= tick.boot_ns();
  const bool too_short = elapsed_ns < query::kShortestForRateNs && !born;
  if ((before == nullptr && !born) || elapsed_ns == 0 || too_short) return {.presence = Presence::kUnavailable};
  const int64_t increase = std::max<int64_t>(0, total - (before == nullptr ? 0 : (*before)[metric]));
  const double seconds = static_cast<double>(elapsed_ns) / 1e9;
  return {.presence = Presence::kPresent, .number = Scaled(metrics_[metric], increase) / seconds};
}

std::shared_ptr<Frame> FrameMaker::Finish() {
  auto frame = std::make_shared<Frame>();
  frame->metrics = metrics_;
  std::map<TaskId, Counters> counters;
  for (const v1::TaskBatch& batch : batches_) {
    frame->missed_ticks += batch.missed_ticks();
    if (batch.ticks_size() > 0) frame->tick = batch.ticks(batch.ticks_size() - 1);
    const BatchView view(&batch);
    std::vector<std::shared_ptr<const v1::TaskInfo>> infos;
    for (const v1::TaskInfo& info : batch.tasks()) infos.push_back(std::make_shared<const v1::TaskInfo>(info));
    for (int i = 0; i < view.size(); ++i) {
      const TaskRow row = view.Row(i);
      Item item{.id = IdOf(*row.info), .info = infos[row.sample->task()]};
      const auto before = before_.find(item.id);
      Counters& now = counters.emplace(item.id, Counters(metrics_.size())).first->second;
      for (size_t m = 0; m < metrics_.size(); ++m) {
        const MetricCell cell = row.Get(metrics_[m]);
        Value value{.presence = cell.presence, .number = 0, .stale = cell.age_s.has_value()};
        if (value.known() && IsCounter(metrics_[m])) {
          now[m] = cell.value;
          value = RateOf(m, cell.value, before == before_.end() ? nullptr : &before->second, *row.info, *row.tick);
        } else if (value.known()) {
          value.number = Scaled(metrics_[m], cell.value);
        }
        item.values.push_back(value);
      }
      frame->items.push_back(std::move(item));
    }
  }
  batches_.clear();
  before_that_ = std::exchange(before_, std::move(counters));
  tick_before_that_ = std::exchange(tick_before_, frame->tick);
  return frame;
}

bool FrameMaker::HasRowOfItsOwn(const v1::Event& exit, bool threads) const {
  const v1::TaskInfo& info = exit.task();
  if (!threads) return !info.thread();
  for (auto it = before_that_.lower_bound({.tid = info.tgid()}); it != before_that_.end(); ++it) {
    if (it->first.tid != info.tgid()) break;
    if (info.thread() || it->first.start_ns == info.start_ns()) return it->first.thread == info.thread();
  }
  if (info.thread()) return true;
  const MetricIndex index(exit.metrics());
  const MetricCells cells(&index, &exit.values(), exit.unavailable(), exit.redacted());
  return cells.Get(v1::TASK_THREAD_CREATE_COUNT).value == 0;
}

// Only rates can be told of somebody who is gone: what it had used by the frame before is taken from its final totals.
void FrameMaker::AddEnded(const v1::Event& exit, Frame* frame) const {
  Item item{.id = IdOf(exit.task()),
            .info = std::make_shared<const v1::TaskInfo>(exit.task()),
            .values = std::vector<Value>(metrics_.size(), {.presence = Presence::kUnavailable}),
            .ended_time_ns = exit.time_ns(),
            .exit_code = exit.exit_code(),
            .exit_signal = exit.exit_signal()};
  const v1::Tick& tick = frame->tick;
  const auto before = before_that_.find(item.id);
  const bool follows = tick_before_that_.boot_ns() > 0 && tick.boot_ns() > tick_before_that_.boot_ns();
  const uint64_t elapsed_ns = follows ? tick.boot_ns() - tick_before_that_.boot_ns() : tick.elapsed_ns();
  const double seconds = static_cast<double>(std::max<uint64_t>(1, elapsed_ns)) / 1e9;
  const bool born = exit.duration_ns() <= elapsed_ns;
  const MetricIndex index(exit.metrics());
  if (exit.values_size() != exit.metrics_size()) return;
  const MetricCells cells(&index, &exit.values(), exit.unavailable(), exit.redacted());
  const auto rate = [&](v1::Metric metric) -> Value {
    const MetricCell cell = cells.Get(metric);
    if (cell.presence != Presence::kPresent) return {.presence = cell.presence};
    const auto at = std::find(metrics_.begin(), metrics_.end(), metric);
    if (at == metrics_.end() || (before == before_that_.end() && !born)) return {.presence = Presence::kUnavailable};
    const int64_t base = before == before_that_.end() ? 0 : before->second[static_cast<size_t>(at - metrics_.begin())];
    const int64_t increase = std::max<int64_t>(0, cell.value - base);
    return {.presence = Presence::kPresent, .number = Scaled(metric, increase) / seconds};
  };
  for (size_t m = 0; m < metrics_.size(); ++m) {
    const v1::Metric metric = metrics_[m];
    if (IsCounter(metric)) item.values[m] = rate(metric);
    if (metric == v1::TASK_CPU_PERCENT) {
      item.values[m] = rate(v1::TASK_RUNTIME_NS);
      item.values[m].number /= 1e7;  // ns per second to percent
    }
    if (metric == v1::TASK_STATE) item.values[m] = {.presence = Presence::kPresent, .number = 'X'};
  }
  frame->items.push_back(std::move(item));
  ++frame->ended;
}

void GroupSum::Add(const std::vector<Value>& values) {
  for (size_t m = 0; m < values_.size() && m < values.size(); ++m) {
    const Value& value = values[m];
    Value& sum = values_[m];
    const v1::Metric metric = frame_.metrics[m];
    const bool maximum = Describe(metric).kind == v1::WINDOW_MAX;
    if (!maximum && !Sums(metric)) continue;
    if (!value.known()) {
      if (!sum.known() && sum.presence != Presence::kRedacted) sum.presence = value.presence;
      continue;
    }
    if (!sum.known()) sum.number = 0;
    sum.number = maximum ? std::max(sum.number, value.number) : sum.number + value.number;
    sum.stale = sum.stale || value.stale;
    sum.presence = Presence::kPresent;
  }
}

}  // namespace taskmon::client::top

// SPDX-License-Identifier: Apache-2.0
#include "client/task_row.h"

#include <string>

namespace taskmon::client {
namespace {

MetricBits Bits(const MetricNumbers& metrics) {
  MetricBits bits;
  for (const uint32_t metric : metrics) {
    if (metric < bits.size()) bits.set(metric);
  }
  return bits;
}

bool Fits(const v1::TaskBatch& batch, const v1::Sample& sample) {
  return sample.task() < static_cast<uint32_t>(batch.tasks_size()) &&
         sample.tick() < static_cast<uint32_t>(batch.ticks_size()) && sample.values_size() == batch.metrics_size();
}

}  // namespace

MetricIndex::MetricIndex(const MetricNumbers& metrics) : MetricIndex() {
  for (int i = 0; i < metrics.size(); ++i) {
    if (IsMetric(metrics[i])) column_[metrics[i]] = i;
  }
}

MetricCells::MetricCells(const MetricIndex* index, const google::protobuf::RepeatedField<int64_t>* values,
                         const MetricNumbers& unavailable, const MetricNumbers& redacted)
    : index_(index), values_(values), unavailable_(Bits(unavailable)), redacted_(Bits(redacted)) {}

MetricCell MetricCells::Get(v1::Metric metric) const {
  if (index_ == nullptr) return {};
  const int column = index_->column(metric);
  if (column < 0 || column >= values_->size()) return {};
  if (redacted_.test(metric)) return {.presence = Presence::kRedacted};
  if (unavailable_.test(metric)) return {.presence = Presence::kUnavailable};
  return {.presence = Presence::kPresent, .value = values_->Get(column)};
}

MetricCell TaskRow::Get(v1::Metric metric) const {
  MetricCell cell = cells.Get(metric);
  if (cell.presence != Presence::kPresent) return cell;
  for (const v1::Age& age : sample->ages()) {
    if (age.metric() == static_cast<uint32_t>(metric)) cell.age_s = static_cast<double>(age.age_ms()) / 1000;
  }
  return cell;
}

bool StandsForThreads(const TaskRow& row) {
  if (row.info->thread() || row.sample->group_tasks() > 0) return false;
  return row.Get(v1::TASK_THREAD_COUNT).value > 1 || row.Get(v1::TASK_THREAD_CREATE_COUNT).value > 0;
}

absl::Status BatchView::Check() const {
  for (const v1::Sample& sample : batch_->samples()) {
    if (!Fits(*batch_, sample)) {
      return absl::InternalError(
          "the answer does not fit together; check that taskmond and taskmonctl are of one version");
    }
  }
  return absl::OkStatus();
}

TaskRow BatchView::Row(int i) const {
  const v1::Sample& sample = batch_->samples(i);
  return {.info = &batch_->tasks(static_cast<int>(sample.task())),
          .tick = &batch_->ticks(static_cast<int>(sample.tick())),
          .sample = &sample,
          .cells = MetricCells(&index_, &sample.values(), sample.unavailable(), sample.redacted())};
}

absl::Status ForEachRow(const v1::TaskBatch& batch, const std::function<void(const TaskRow&)>& row,
                        const std::function<void(const v1::Gap&)>& gap) {
  const BatchView view(&batch);
  const absl::Status status = view.Check();
  if (!status.ok()) return status;
  int told = 0;
  const auto tell_gaps = [&](int before) {
    for (; gap && told < batch.gaps_size() && batch.gaps(told).before_sample() <= static_cast<uint32_t>(before);
         ++told) {
      gap(batch.gaps(told));
    }
  };
  for (int i = 0; i < view.size(); ++i) {
    tell_gaps(i);
    row(view.Row(i));
  }
  tell_gaps(view.size());
  return absl::OkStatus();
}

}  // namespace taskmon::client

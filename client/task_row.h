// SPDX-License-Identifier: Apache-2.0
//
// One row of an answer, put together from the shared parts of a TaskBatch, and the check that a batch fits together.
// Views only: valid while the batch lives.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <functional>
#include <optional>

#include <absl/status/status.h>
#include <google/protobuf/repeated_field.h>

#include "proto/catalogue.h"
#include "taskmon/v1/taskmon.pb.h"

namespace taskmon::client {

enum class Presence { kNotAsked, kPresent, kUnavailable, kRedacted };

struct MetricCell {
  Presence presence = Presence::kNotAsked;
  int64_t value = 0;            // held value, 1/scale units; meaningful when present
  std::optional<double> age_s;  // the value is older than the tick
};

using MetricNumbers = google::protobuf::RepeatedField<uint32_t>;
using MetricBits = std::bitset<v1::Metric_MAX + 1>;

// Which column of an answer holds a metric. Metrics that this client does not know are skipped.
class MetricIndex {
 public:
  MetricIndex() { column_.fill(-1); }
  explicit MetricIndex(const MetricNumbers& metrics);

  int column(v1::Metric metric) const { return column_[metric]; }

 private:
  std::array<int, v1::Metric_MAX + 1> column_;
};

// The numbers of one sample or one exit record.
class MetricCells {
 public:
  MetricCells() = default;
  MetricCells(const MetricIndex* index, const google::protobuf::RepeatedField<int64_t>* values,
              const MetricNumbers& unavailable, const MetricNumbers& redacted);

  // Age is left to the caller.
  MetricCell Get(v1::Metric metric) const;

 private:
  const MetricIndex* index_ = nullptr;
  const google::protobuf::RepeatedField<int64_t>* values_ = nullptr;
  MetricBits unavailable_;
  MetricBits redacted_;
};

struct TaskRow {
  const v1::TaskInfo* info;
  const v1::Tick* tick;
  const v1::Sample* sample;
  MetricCells cells;

  MetricCell Get(v1::Metric metric) const;
};

// Whether a row among threads is a whole process's: it has had several threads, and their rows are not stored. Needs
// the metrics that tell how many.
bool StandsForThreads(const TaskRow& row);

// A batch read row by row. The batch must outlive the view and its rows, and so must the view its rows.
class BatchView {
 public:
  explicit BatchView(const v1::TaskBatch* batch) : batch_(batch), index_(batch->metrics()) {}

  // Internal: indexes or lengths in the batch do not fit together. To be asked before any row.
  absl::Status Check() const;
  int size() const { return batch_->samples_size(); }
  TaskRow Row(int i) const;

 private:
  const v1::TaskBatch* batch_;
  MetricIndex index_;
};

// Calls row(TaskRow) for each sample in order, and gap for each gap in its place where it is set. Internal: as
// BatchView::Check; nothing has been delivered then.
absl::Status ForEachRow(const v1::TaskBatch& batch, const std::function<void(const TaskRow&)>& row,
                        const std::function<void(const v1::Gap&)>& gap = nullptr);

}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
//
// A sample as it is put together: every metric has its place, so that to set one is to store a number. What is finished
// takes no more room than it has to. One draft is used for one sample after the other.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <utility>

#include "proto/catalogue.h"
#include "storage/sample.h"

namespace taskmon::daemon {

class SampleDraft {
 public:
  // All metrics are unavailable again.
  void Begin(std::shared_ptr<const TaskInfo> info, uint64_t tick_seq) {
    info_ = std::move(info);
    tick_seq_ = tick_seq;
    valid_.reset();
    grown_.reset();
    taken_boot_ns_.Clear();
  }

  // Makes a metric known.
  void Set(v1::Metric metric, int64_t value) {
    values_[metric] = value;
    valid_.set(metric);
  }
  // … that was read at another time.
  void SetTaken(v1::Metric metric, int64_t value, int64_t taken_boot_ns) {
    Set(metric, value);
    taken_boot_ns_.Set(metric, taken_boot_ns);
  }
  void SetDelta(v1::Metric metric, int64_t delta) {
    deltas_[metric] = delta;
    grown_.set(metric);
  }

  bool is_valid(v1::Metric metric) const { return valid_.test(metric); }
  // Precondition: it is valid.
  int64_t value(v1::Metric metric) const { return values_[metric]; }

  std::shared_ptr<const TaskSample> Finish() {
    auto sample = std::make_shared<TaskSample>();
    sample->info = std::move(info_);
    sample->tick_seq = tick_seq_;
    sample->valid = valid_;
    sample->values = MetricValues::Of(values_, valid_);
    sample->deltas = MetricValues::Of(deltas_, grown_);
    if (!taken_boot_ns_.empty()) sample->taken_boot_ns = taken_boot_ns_;
    return sample;
  }

 private:
  std::shared_ptr<const TaskInfo> info_;
  uint64_t tick_seq_ = 0;
  MetricSet valid_;
  MetricSet grown_;
  MetricNumbers values_{};  // of valid metrics
  MetricNumbers deltas_{};  // of grown ones
  MetricValues taken_boot_ns_;
};

}  // namespace taskmon::daemon

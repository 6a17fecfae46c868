// SPDX-License-Identifier: Apache-2.0
//
// How exactly samples are kept: what README.md calls the quantum of a metric. Values are rounded to the nearest
// multiple of it, large maxima to so many binary digits, and the circumstances of small maxima are not kept. What is
// rounded is always the value itself, a counter's running total, never its step: so no sum drifts, and the error of any
// total or difference stays below one quantum however many ticks lie between. Immutable; usable from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "storage/codec.h"
#include "storage/column.h"
#include "storage/ring_writer.h"
#include "storage/sample.h"

namespace taskmon::storage {

class Precision {
 public:
  // Everything is kept exactly.
  Precision() = default;
  explicit Precision(const std::vector<ColumnSpec>& columns);

  // How a column of the metric is written. Precondition: metric < kMetricSlots.
  const ColumnForm& form(MetricId metric) const { return forms_[metric]; }
  // The nearest value that is kept, or the next one where rounded up; rounding twice is rounding once.
  int64_t Round(size_t metric, int64_t value) const {
    return metric < kMetricSlots && rounded_[metric] ? RoundTo(forms_[metric], value, rounds_up_[metric]) : value;
  }
  // The sample's metrics without the circumstances that are not worth keeping.
  MetricBits Kept(const TaskSample& sample) const;

 private:
  struct Witness {
    MetricId metric;
    MetricId maximum;
    int64_t from;
    MetricId with;
  };
  static int64_t RoundTo(const ColumnForm& form, int64_t value, bool up);

  std::array<ColumnForm, kMetricSlots> forms_;
  std::array<bool, kMetricSlots> rounded_{};
  std::array<bool, kMetricSlots> rounds_up_{};
  std::vector<Witness> witnesses_;
};

}  // namespace taskmon::storage

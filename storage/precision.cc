// SPDX-License-Identifier: Apache-2.0
#include "storage/precision.h"

#include <algorithm>
#include <bit>

namespace taskmon::storage {

Precision::Precision(const std::vector<ColumnSpec>& columns) {
  for (const ColumnSpec& column : columns) {
    if (column.id >= kMetricSlots) continue;
    ColumnForm& form = forms_[column.id];
    form.quantum = std::max<int64_t>(1, column.quantum);
    form.digits = column.digits;
    form.instant = column.instant;
    form.spent = column.spent;
    rounds_up_[column.id] = column.rounds_up;
    rounded_[column.id] = column.quantum > 1 || column.digits > 0;
    if (column.witness_of != 0)
      witnesses_.push_back({column.id, column.witness_of, column.witness_from, column.witness_with});
  }
}

int64_t Precision::RoundTo(const ColumnForm& form, int64_t value, bool up) {
  const bool negative = value < 0;
  uint64_t size = negative ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  auto unit = static_cast<uint64_t>(form.quantum);
  const int spare = form.digits == 0 ? 0 : static_cast<int>(std::bit_width(size / unit)) - form.digits;
  if (spare > 0) unit <<= spare;
  const uint64_t rest = size % unit;
  const bool more = up ? rest > 0 && !negative : rest >= unit - unit / 2;
  size = (size / unit + (more ? 1 : 0)) * unit;
  return static_cast<int64_t>(negative ? 0 - size : size);
}

MetricBits Precision::Kept(const TaskSample& sample) const {
  MetricBits kept = MetricBits::Of(sample.valid);
  for (const Witness& witness : witnesses_) {
    if (!kept.test(witness.metric)) continue;
    const bool tells = witness.with != 0 && sample.valid[witness.with] && sample.values[witness.with] != 0;
    if (sample.values[witness.maximum] < witness.from && !tells) kept.clear(witness.metric);
  }
  return kept;
}

}  // namespace taskmon::storage

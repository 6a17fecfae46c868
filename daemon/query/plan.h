// SPDX-License-Identifier: Apache-2.0
//
// A Selection that was checked and parsed: which rows, and which metrics of them. Made once per request or per watcher,
// then applied to any number of snapshots. Immutable, safe from every thread.
//
//   threads  tid      rows
//   no       0        process rows
//   yes      0        thread rows, and the process row of a process that has none (a single thread)
//   no       a leader its process row
//   any      another  the thread row with that tid
//   yes      a leader its thread row, or the process row when there is none
#pragma once

#include <cstdint>
#include <vector>

#include <absl/status/statusor.h>

#include "daemon/query/caller.h"
#include "daemon/query/expression.h"
#include "daemon/query/test_memory.h"
#include "storage/ring_reader.h"
#include "taskmon/v1/taskmon.pb.h"

namespace taskmon::query {

class Plan {
 public:
  // InvalidArgument: bad expression, unknown metric number, negative tid.
  static absl::StatusOr<Plan> Make(const v1::Selection& selection_untrusted);

  // The rows of `snapshot` that belong to the selection and that the caller may match, in the snapshot's order. They
  // point into the snapshot. `Rows` without looking at the expression is `Includes`. The memory takes the tick in.
  std::vector<Row> Rows(const Snapshot& snapshot, const Caller& caller, TestMemory* memory = nullptr) const;
  bool Includes(const Snapshot& snapshot, size_t index) const;

  const std::vector<v1::Metric>& metrics() const { return metrics_; }  // wanted, each once
  const Expression& expression() const { return expression_; }
  MetricSet needed() const;            // what a scan must read: wanted, compared, and their sources
  storage::ScanFilter filter() const;  // a scan that yields at least the rows of the selection, and what is needed
  bool threads() const { return threads_; }
  int32_t tid() const { return tid_; }

 private:
  Expression expression_;
  std::vector<v1::Metric> metrics_;
  bool threads_ = false;
  int32_t tid_ = 0;
};

}  // namespace taskmon::query

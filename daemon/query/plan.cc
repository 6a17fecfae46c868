// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/plan.h"

#include <fmt/format.h>

namespace taskmon::query {
namespace {

absl::StatusOr<std::vector<v1::Metric>> WantedMetrics(const v1::Selection& selection_untrusted) {
  std::vector<v1::Metric> metrics;
  MetricSet seen;
  for (uint32_t number : selection_untrusted.metrics()) {
    if (!IsMetric(number)) return absl::InvalidArgumentError(fmt::format("there is no metric number {}", number));
    if (seen[number]) continue;
    seen.set(number);
    metrics.push_back(static_cast<v1::Metric>(number));
  }
  if (!metrics.empty()) return metrics;
  for (const MetricDesc& metric : AllMetrics()) metrics.push_back(metric.id);
  return metrics;
}

// Whether the process row at `index` has thread rows behind it; with a tid, whether it has that one.
bool HasThreadRow(const Snapshot& snapshot, size_t index, int32_t tid) {
  const int32_t tgid = snapshot.tasks[index]->info->tgid;
  for (size_t i = index + 1; i < snapshot.tasks.size(); ++i) {
    const TaskInfo& info = *snapshot.tasks[i]->info;
    if (info.tgid != tgid || !info.key.thread) return false;
    if (tid == 0 || info.key.tid == tid) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<Plan> Plan::Make(const v1::Selection& selection_untrusted) {
  if (selection_untrusted.tid() < 0) {
    return absl::InvalidArgumentError(fmt::format("bad tid {}: a tid is positive", selection_untrusted.tid()));
  }
  absl::StatusOr<Expression> expression = Expression::Parse(selection_untrusted.expression());
  if (!expression.ok()) return expression.status();
  absl::StatusOr<std::vector<v1::Metric>> metrics = WantedMetrics(selection_untrusted);
  if (!metrics.ok()) return metrics.status();
  Plan plan;
  plan.expression_ = *std::move(expression);
  plan.metrics_ = *std::move(metrics);
  plan.threads_ = selection_untrusted.threads();
  plan.tid_ = selection_untrusted.tid();
  return plan;
}

bool Plan::Includes(const Snapshot& snapshot, size_t index) const {
  const TaskInfo& info = *snapshot.tasks[index]->info;
  if (tid_ != 0 && info.key.tid != tid_) return false;
  if (info.key.thread) return threads_ || (tid_ != 0 && info.key.tid != info.tgid);
  return !threads_ || !HasThreadRow(snapshot, index, tid_);
}

std::vector<Row> Plan::Rows(const Snapshot& snapshot, const Caller& caller, TestMemory* memory) const {
  std::vector<Row> rows;
  for (size_t i = 0; i < snapshot.tasks.size(); ++i) {
    if (!Includes(snapshot, i)) continue;
    const Row row = MakeRow(snapshot, *snapshot.tasks[i], caller);
    if (expression_.Matches(row, memory)) rows.push_back(row);
  }
  return rows;
}

storage::ScanFilter Plan::filter() const {
  storage::ScanFilter filter;
  filter.tid = tid_;
  // A tid may be a thread's, and threads need their process rows where these stand for them.
  if (tid_ == 0 && !threads_) filter.thread = false;
  filter.metrics = needed();
  return filter;
}

MetricSet Plan::needed() const {
  MetricSet needed = expression_.metrics();
  for (v1::Metric metric : metrics_) needed.set(metric);
  return WithSources(needed);
}

}  // namespace taskmon::query

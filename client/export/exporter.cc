// SPDX-License-Identifier: Apache-2.0
#include "client/export/exporter.h"

#include <algorithm>
#include <deque>

#include <fmt/format.h>

#include "client/export/metric_family.h"
#include "client/export/status_metrics.h"

namespace taskmon::client {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kFirstTicks = 3;

std::string Epoch(int64_t time_ns) { return fmt::format("@{}.{:09}", time_ns / kNsPerSecond, time_ns % kNsPerSecond); }

// The rows of all batches, which must outlive them; Internal when one does not fit together.
absl::StatusOr<std::vector<TaskRow>> RowsOf(const std::vector<v1::TaskBatch>& batches, std::deque<BatchView>* views) {
  std::vector<TaskRow> rows;
  for (const v1::TaskBatch& batch : batches) {
    const BatchView& view = views->emplace_back(&batch);
    if (absl::Status status = view.Check(); !status.ok()) return status;
    for (int i = 0; i < view.size(); ++i) rows.push_back(view.Row(i));
  }
  return rows;
}

}  // namespace

Exporter::Exporter(const ExporterOptions& options, Backend* backend)
    : options_(options), backend_(backend), ledger_(options.attribute, options.top) {}

absl::Status Exporter::Refresh() {
  up_ = false;
  absl::StatusOr<v1::Status> status = backend_->GetStatus();
  if (!status.ok()) return status.status();
  status_ = *std::move(status);
  if (absl::Status read = ReadWindow(); !read.ok()) return read;
  if (absl::Status read = ReadMoment(); !read.ok()) return read;
  up_ = true;
  return absl::OkStatus();
}

absl::Status Exporter::ReadRows(v1::ListTasksRequest request, std::vector<v1::TaskBatch>* batches) const {
  request.set_by(options_.by);
  for (const MetricDesc& metric : AllMetrics()) {
    if (IsExported(metric)) request.mutable_selection()->add_metrics(metric.id);
  }
  return backend_->ListTasks(request, [&](const v1::TaskBatch& batch) {
    if (batch.ticks_size() > 0) batches->push_back(batch);  // others are signs of life
    return true;
  });
}

absl::Status Exporter::ReadWindow() {
  const int64_t end_ns = status_.newest_time_ns() - 1;
  if (window_end_ns_ == 0) {
    const int64_t back_ns = options_.since_start ? static_cast<int64_t>(status_.uptime_s() * 1e9)
                                                 : kFirstTicks * static_cast<int64_t>(status_.interval_ms()) * kNsPerMs;
    window_end_ns_ = std::max<int64_t>(status_.newest_time_ns() - back_ns, 0);
  }
  const int64_t begin_ns = std::max(window_end_ns_ + 1, status_.oldest_time_ns());
  if (status_.oldest_time_ns() == 0 || begin_ns > end_ns) return absl::OkStatus();  // nothing new is stored
  v1::ListTasksRequest request;
  request.set_begin(Epoch(begin_ns));
  request.set_end(Epoch(end_ns));
  std::vector<v1::TaskBatch> batches;
  const absl::Status status = ReadRows(std::move(request), &batches);
  if (absl::IsOutOfRange(status) || absl::IsNotFound(status)) {
    // Between two ticks, or taskmond did not run then: nothing is known of that time.
    if (end_ns - begin_ns > 2 * static_cast<int64_t>(status_.interval_ms()) * kNsPerMs) window_end_ns_ = end_ns;
    return absl::OkStatus();
  }
  if (!status.ok()) return status;
  if (batches.empty() || batches.front().ticks(0).time_ns() == 0) return absl::OkStatus();  // no tick in it
  std::deque<BatchView> views;
  const absl::StatusOr<std::vector<TaskRow>> rows = RowsOf(batches, &views);
  if (!rows.ok()) return rows.status();
  const v1::Tick& tick = batches.front().ticks(0);
  window_end_ns_ = tick.time_ns();
  ledger_.AddWindow(*rows, tick.time_ns(), tick.elapsed_ns());
  return absl::OkStatus();
}

absl::Status Exporter::ReadMoment() {
  std::vector<v1::TaskBatch> batches;
  if (absl::Status status = ReadRows(v1::ListTasksRequest(), &batches); !status.ok()) return status;
  std::deque<BatchView> views;
  const absl::StatusOr<std::vector<TaskRow>> rows = RowsOf(batches, &views);
  if (!rows.ok()) return rows.status();
  ledger_.SetMoment(*rows);
  return absl::OkStatus();
}

void Exporter::WriteTasks(Exposition* page) const {
  const std::vector<GroupLedger::Series> all = ledger_.AllSeries();
  page->Begin({.name = "taskmon_group_tasks", .help = "Processes that are in the group now."});
  for (const GroupLedger::Series& series : all) page->Add({{options_.by, series.group}}, series.tasks);
  for (const MetricDesc& metric : AllMetrics()) {
    if (!IsExported(metric)) continue;
    page->Begin(FamilyOf(metric));
    for (const GroupLedger::Series& series : all) {
      const std::optional<int64_t> value = ledger_.Value(series.group, metric);
      if (value) page->Add({{options_.by, series.group}}, ExportedValue(metric, *value));
    }
  }
}

std::string Exporter::Page(Dialect dialect) const {
  Exposition page(dialect);
  page.Single({.name = "taskmon_up", .help = "Whether taskmond answered; if not, nothing else is here."}, up_ ? 1 : 0);
  if (up_) {
    WriteStatusMetrics(status_, &page);
    WriteTasks(&page);
  }
  return page.Finish();
}

}  // namespace taskmon::client

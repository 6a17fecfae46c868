// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <optional>

#include <fmt/format.h>

#include "client/commands/answer.h"
#include "client/commands/commands.h"
#include "client/exit_code.h"
#include "client/output/life_text.h"
#include "client/output/records.h"
#include "client/output/task_block.h"

namespace taskmon::client {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr int64_t kLookBackNs = 5 * kNsPerSecond;  // where the tick lasted longer, twice as long as it did

// The batch that holds the task's row, as a process or else as one thread of a process.
absl::StatusOr<std::optional<v1::TaskBatch>> FindTask(const Options& options, const std::string& at, Backend* backend) {
  for (const bool threads : {false, true}) {
    v1::ListTasksRequest request;
    request.mutable_selection()->set_tid(options.tid);
    request.mutable_selection()->set_threads(threads);
    request.set_at(at);
    std::optional<v1::TaskBatch> found;
    const absl::Status status = backend->ListTasks(request, [&](const v1::TaskBatch& batch) {
      if (batch.samples_size() > 0) found = batch;
      return !found.has_value();
    });
    if (!status.ok()) return status;
    if (found) return found;
  }
  return std::optional<v1::TaskBatch>();
}

std::string EpochTime(int64_t wall_ns) {
  return fmt::format("@{}.{:09}", wall_ns / kNsPerSecond, wall_ns % kNsPerSecond);
}

std::vector<uint32_t> Counters() {
  std::vector<uint32_t> counters;
  for (const MetricDesc& metric : AllMetrics()) {
    if (metric.kind == v1::COUNTER) counters.push_back(metric.id);
  }
  return counters;
}

v1::HistoryRequest TicksBefore(const TaskRow& row) {
  v1::HistoryRequest request;
  request.mutable_selection()->set_tid(row.info->tid());
  request.mutable_selection()->set_threads(row.info->thread());
  for (const uint32_t counter : Counters()) request.mutable_selection()->add_metrics(counter);
  const int64_t look_back_ns = std::max(kLookBackNs, 2 * static_cast<int64_t>(row.tick->elapsed_ns()));
  request.set_begin(EpochTime(row.tick->time_ns() - look_back_ns));
  request.set_end(EpochTime(row.tick->time_ns()));
  return request;
}

struct Seen {
  int64_t value;
  uint64_t boot_ns;
};

void Remember(const TaskRow& past, const TaskRow& row, std::map<v1::Metric, Seen>* seen) {
  const bool same_task = past.info->start_ns() == row.info->start_ns();
  if (!same_task || past.tick->boot_ns() >= row.tick->boot_ns()) return;
  for (const uint32_t counter : Counters()) {
    const auto metric = static_cast<v1::Metric>(counter);
    const MetricCell cell = past.Get(metric);
    if (cell.presence == Presence::kPresent) (*seen)[metric] = {cell.value, past.tick->boot_ns()};
  }
}

// From the stored ticks just before. Rates are a bonus: without a history there are none.
std::map<v1::Metric, CounterRate> Rates(const TaskRow& row, Backend* backend) {
  std::map<v1::Metric, Seen> earlier;
  const absl::Status ignored = backend->ReadHistory(TicksBefore(row), [&](const v1::TaskBatch& batch) {
    return ForEachRow(batch, [&](const TaskRow& past) { Remember(past, row, &earlier); }).ok();
  });
  if (!ignored.ok()) return {};
  std::map<v1::Metric, CounterRate> rates;
  for (const auto& [metric, seen] : earlier) {
    const MetricCell now = row.Get(metric);
    if (now.presence != Presence::kPresent || now.value < seen.value) continue;
    rates[metric] = {.increase = now.value - seen.value, .elapsed_ns = row.tick->boot_ns() - seen.boot_ns};
  }
  return rates;
}

// A dead task counted what it counted over its life.
std::map<v1::Metric, CounterRate> LifeRates(const TaskRow& row, const v1::Life& life) {
  std::map<v1::Metric, CounterRate> rates;
  for (const uint32_t counter : Counters()) {
    const auto metric = static_cast<v1::Metric>(counter);
    const MetricCell cell = row.Get(metric);
    if (cell.presence == Presence::kPresent) rates[metric] = {.increase = cell.value, .elapsed_ns = life.duration_ns()};
  }
  return rates;
}

TaskLayout LayoutOf(const Options& options) {
  return {.format = options.format, .fields = AllFields(true), .time = true, .whole = true};
}

void WithLife(const v1::Life* life, JsonObject* object) {
  object->When(life != nullptr, [&] { LifeKeys(life == nullptr ? v1::Life() : *life, object); });
}

// `life` is null where nothing is stored of it.
void Print(const Options& options, const TaskRow& row, const std::map<v1::Metric, CounterRate>& rates,
           const v1::Life* life, Context* context) {
  if (options.format == Format::kTable) {
    context->out->Write(TaskBlock(row, rates, context->terminal, options.raw));
    if (life != nullptr) context->out->Write(LifeText(*life, context->terminal));
    return;
  }
  JsonRecords records(options.format == Format::kJsonl, context->out);
  records.Add(TaskJson(LayoutOf(options), row, [&](JsonObject* object) { WithLife(life, object); }));
  records.Finish(true);
}

int NoSuchTask(const Options& options, Context* context) {
  if (options.format == Format::kJson) context->out->Write("[]\n");
  Note(options.at.empty() ? fmt::format("there is no task {}, and none is stored", options.tid)
                          : fmt::format("there was no task {} at {}; try another --at", options.tid, options.at),
       context);
  return kNothingMatched;
}

}  // namespace

int RunShow(const Options& options, Context* context) {
  if (!options.schema_of.empty()) {
    const auto with_life = [](JsonObject* object) { WithLife(nullptr, object); };
    return PrintSchema(JsonShape::kArray, {TaskSchema(LayoutOf(options), with_life)}, options, context);
  }
  const absl::StatusOr<std::string> at = WireTime(options.at, options, context);
  if (!at.ok()) return Fail(at.status(), context);
  const absl::StatusOr<std::unique_ptr<Backend>> backend = context->open_backend(options);
  if (!backend.ok()) return Fail(backend.status(), context);
  const absl::StatusOr<std::optional<v1::TaskBatch>> found = FindTask(options, *at, backend->get());
  if (!found.ok()) return Fail(found.status(), context);
  v1::LifeRequest request;
  request.set_tid(options.tid);
  request.set_at(*at);
  // What is stored is a bonus to a task that is there, and all there is of one that is gone.
  const absl::StatusOr<v1::Life> life = (*backend)->GetLife(request);
  if (!found->has_value() && absl::IsNotFound(life.status())) return NoSuchTask(options, context);
  if (!found->has_value() && !life.ok()) return Fail(life.status(), context);
  const v1::TaskBatch& batch = found->has_value() ? **found : life->task();
  const BatchView view(&batch);
  const absl::Status fits = view.Check();
  if (!fits.ok()) return Fail(fits, context);
  if (view.size() == 0) return NoSuchTask(options, context);
  const TaskRow row = view.Row(0);
  const bool same =
      life.ok() && life->task().tasks_size() > 0 && life->task().tasks(0).start_ns() == row.info->start_ns();
  Print(options, row, found->has_value() ? Rates(row, backend->get()) : LifeRates(row, *life), same ? &*life : nullptr,
        context);
  return kMatched;
}

}  // namespace taskmon::client

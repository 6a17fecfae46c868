// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "client/commands/answer.h"
#include "client/commands/commands.h"
#include "client/exit_code.h"
#include "client/output/cell.h"

namespace taskmon::client {
namespace {

// The batches of one tick, put in order and printed when the tick is complete.
class TickPrinter {
 public:
  // `hidden`: the expression reads what this user may not see.
  TickPrinter(const Options& options, const TaskLayout& layout, bool hidden, Context* context)
      : options_(options), layout_(layout), context_(context), tally_{.redacted = hidden} {}

  // False when there is no point in going on.
  bool Take(const v1::TaskBatch& batch) {
    tally_.missed += batch.missed_ticks();
    if (batch.missed_ticks() > 0) {
      Note(fmt::format("{} ticks missed: this reader is too slow; ask for fewer rows or a longer --interval",
                       batch.missed_ticks()),
           context_);
    }
    held_.emplace_back(batch);
    status_ = held_.back().view.Check();
    if (!status_.ok()) return false;
    if (batch.last()) PrintTick();
    return !context_->out->failed();
  }

  void Finish(bool ok) {
    if (!IsTable(layout_.format)) TheOnePrinter()->Finish(ok);
    if (last_table_ != nullptr) ExplainMarks(*last_table_, context_);
  }

  const absl::Status& status() const { return status_; }
  const Tally& tally() const { return tally_; }

 private:
  struct Held {
    explicit Held(const v1::TaskBatch& received) : batch(received), view(&batch) {}
    v1::TaskBatch batch;
    BatchView view;
  };

  std::unique_ptr<TaskPrinter> MakePrinter() const {
    return MakeTaskPrinter(layout_, context_->terminal, context_->out);
  }

  void PrintTick() {
    const std::vector<TaskRow> rows = SortedRows();
    TaskPrinter* printer = IsTable(layout_.format) ? BeginTable(rows.size()) : TheOnePrinter();
    for (const TaskRow& row : rows) {
      tally_.Count(row, layout_);
      printer->Add(row);
    }
    if (!rows.empty() || !IsTable(layout_.format)) printer->EndBlock();
    context_->out->Flush();
    held_.clear();
  }

  // Busiest first, then by number, as `ps` has it.
  std::vector<TaskRow> SortedRows() const {
    std::vector<TaskRow> rows;
    for (const Held& held : held_) {
      for (int i = 0; i < held.view.size(); ++i) rows.push_back(held.view.Row(i));
    }
    std::stable_sort(rows.begin(), rows.end(), [](const TaskRow& a, const TaskRow& b) {
      const int64_t a_cpu = a.Get(v1::TASK_CPU_PERCENT).value;
      const int64_t b_cpu = b.Get(v1::TASK_CPU_PERCENT).value;
      return a_cpu != b_cpu ? a_cpu > b_cpu : a.info->tid() < b.info->tid();
    });
    return rows;
  }

  TaskPrinter* TheOnePrinter() {
    if (printer_ == nullptr) printer_ = MakePrinter();
    return printer_.get();
  }

  // Every tick is a table of its own, under a line that says when.
  TaskPrinter* BeginTable(size_t rows) {
    if (options_.header) {
      const v1::TaskBatch& batch = held_.back().batch;
      const int64_t time_ns = batch.ticks_size() > 0 ? batch.ticks(0).time_ns() : context_->now_wall_ns();
      context_->out->Write(fmt::format("{}{} {}  {} {}\n", any_tick_ ? "\n" : "", LocalTime(time_ns, true),
                                       LocalZone(time_ns), rows, options_.threads ? "threads" : "processes"));
    }
    any_tick_ = true;
    last_table_ = MakePrinter();
    return last_table_.get();
  }

  const Options& options_;
  const TaskLayout& layout_;
  Context* context_;
  std::deque<Held> held_;
  std::unique_ptr<TaskPrinter> printer_;  // of the formats that go on from tick to tick
  std::unique_ptr<TaskPrinter> last_table_;
  bool any_tick_ = false;
  absl::Status status_;
  Tally tally_;
};

v1::WatchTasksRequest MakeRequest(const Options& options, const TaskLayout& layout) {
  v1::WatchTasksRequest request;
  *request.mutable_selection() = SelectionFor(options, layout);
  auto* metrics = request.mutable_selection()->mutable_metrics();
  const bool has_cpu = std::find(metrics->begin(), metrics->end(), v1::TASK_CPU_PERCENT) != metrics->end();
  if (!metrics->empty() && !has_cpu) metrics->Add(v1::TASK_CPU_PERCENT);  // rows are sorted by it
  request.set_interval_ns(options.interval_ns);
  request.set_count(options.count);
  return request;
}

}  // namespace

int RunWatch(const Options& options, Context* context) {
  const absl::StatusOr<TaskLayout> layout =
      LayoutFor(options, options.threads ? RowKind::kThreads : RowKind::kProcesses);
  if (!layout.ok()) return Fail(layout.status(), context);
  if (!options.schema_of.empty()) return PrintSchema(JsonShape::kArray, {TaskSchema(*layout)}, options, context);
  const absl::StatusOr<std::unique_ptr<Backend>> backend = context->open_backend(options);
  if (!backend.ok()) return Fail(backend.status(), context);
  if (context->interrupt != nullptr) context->interrupt->OnSignal([&] { (*backend)->Cancel(); });

  const bool hidden = NoteHiddenFields(options.expression, backend->get(), context);
  TickPrinter printer(options, *layout, hidden, context);
  absl::Status status = (*backend)->WatchTasks(MakeRequest(options, *layout),
                                               [&](const v1::TaskBatch& batch) { return printer.Take(batch); });
  status.Update(printer.status());
  printer.Finish(status.ok() || absl::IsCancelled(status));
  if (context->interrupt != nullptr) context->interrupt->OnSignal([] {});
  return Conclude(status, printer.tally(), options, context);
}

}  // namespace taskmon::client

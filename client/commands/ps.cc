// SPDX-License-Identifier: Apache-2.0
#include "client/commands/commands.h"

#include "client/commands/answer.h"
#include "client/waiting.h"

namespace taskmon::client {
namespace {

// Metrics from the largest, numbers of tasks and users from the smallest, names from A; a "-" turns it round. On the
// wire numbers go from the largest, names from A, and a "-" turns it round.
absl::StatusOr<std::string> WireSort(const std::string& sort) {
  if (sort.empty()) return std::string("task_cpu_percent");
  const bool reversed = sort.front() == '-';
  const absl::StatusOr<Field> field = ParseField(reversed ? sort.substr(1) : sort);
  if (!field.ok()) return field.status();
  std::string key(FieldKey(*field));
  if (field->attribute == Attribute::kState) key = Describe(v1::TASK_STATE).name;
  if (field->attribute == Attribute::kCommand) key = "cmdline";
  if (field->attribute == Attribute::kStartNs) key = "start_time";
  const bool smallest_first = field->metric == nullptr && IsNumeric(*field);
  return smallest_first != reversed ? "-" + key : key;
}

absl::StatusOr<v1::ListTasksRequest> MakeRequest(const Options& options, const TaskLayout& layout, Context* context) {
  v1::ListTasksRequest request;
  *request.mutable_selection() = SelectionFor(options, layout);
  const absl::StatusOr<std::string> sort = WireSort(options.sort);
  if (!sort.ok()) return sort.status();
  request.set_sort(*sort);
  const absl::StatusOr<std::string> at = WireTime(options.at, options, context);
  if (!at.ok()) return at.status();
  request.set_at(*at);
  request.set_top(options.top);
  if (absl::Status status = SetRange(options, context, &request); !status.ok()) return status;
  request.set_by(options.by);
  return request;
}

}  // namespace

int RunPs(const Options& options, Context* context) {
  const absl::StatusOr<TaskLayout> layout =
      LayoutFor(options, options.threads ? RowKind::kThreads : RowKind::kProcesses);
  if (!layout.ok()) return Fail(layout.status(), context);
  if (!options.schema_of.empty()) return PrintSchema(JsonShape::kArray, {TaskSchema(*layout)}, options, context);
  const absl::StatusOr<v1::ListTasksRequest> request = MakeRequest(options, *layout, context);
  if (!request.ok()) return Fail(request.status(), context);
  const absl::StatusOr<std::unique_ptr<Backend>> backend = context->open_backend(options);
  if (!backend.ok()) return Fail(backend.status(), context);

  Tally tally{.redacted = NoteHiddenFields(options.expression, backend->get(), context)};
  const std::unique_ptr<TaskPrinter> printer = MakeTaskPrinter(*layout, context->terminal, context->out);
  absl::Status broken;
  Waiting waiting("adding up", backend->get(), context);
  absl::Status status = (*backend)->ListTasks(*request, [&](const v1::TaskBatch& batch) {
    broken = ForEachRow(batch, [&](const TaskRow& row) {
      tally.Count(row, *layout);
      printer->Add(row);
    });
    return broken.ok() && !context->out->failed();
  });
  waiting.End();
  status.Update(broken);
  printer->Finish(status.ok());
  ExplainMarks(*printer, context);
  const bool window = !request->begin().empty() || !request->end().empty();
  if (window && status.ok()) LookForGaps(request->begin(), request->end(), options, backend->get(), context, &tally);
  return Conclude(status, tally, options, context);
}

}  // namespace taskmon::client

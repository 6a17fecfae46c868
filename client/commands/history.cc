// SPDX-License-Identifier: Apache-2.0
#include "client/commands/commands.h"

#include "client/commands/answer.h"
#include "client/waiting.h"

namespace taskmon::client {
namespace {

absl::StatusOr<v1::HistoryRequest> MakeRequest(const Options& options, const TaskLayout& layout, Context* context) {
  v1::HistoryRequest request;
  *request.mutable_selection() = SelectionFor(options, layout);
  if (absl::Status status = SetRange(options, context, &request); !status.ok()) return status;
  request.set_step_ns(options.step_ns);
  request.set_by(options.by);
  return request;
}

}  // namespace

int RunHistory(const Options& options, Context* context) {
  const absl::StatusOr<TaskLayout> layout =
      LayoutFor(options, options.tid != 0 && !options.threads ? RowKind::kTaskHistory : RowKind::kHistory);
  if (!layout.ok()) return Fail(layout.status(), context);
  if (!options.schema_of.empty())
    return PrintSchema(JsonShape::kArray, {TaskSchema(*layout), GapSchema()}, options, context);
  const absl::StatusOr<v1::HistoryRequest> request = MakeRequest(options, *layout, context);
  if (!request.ok()) return Fail(request.status(), context);
  const absl::StatusOr<std::unique_ptr<Backend>> backend = context->open_backend(options);
  if (!backend.ok()) return Fail(backend.status(), context);
  if (options.plot) return PlotHistory(options, *request, backend->get(), context);

  Tally tally{.redacted = NoteHiddenFields(options.expression, backend->get(), context)};
  const std::unique_ptr<TaskPrinter> printer = MakeTaskPrinter(*layout, context->terminal, context->out);
  absl::Status broken;
  Waiting waiting("reading the history", backend->get(), context);
  absl::Status status = (*backend)->ReadHistory(*request, [&](const v1::TaskBatch& batch) {
    if (batch.ticks_size() > 0) waiting.At(batch.ticks(batch.ticks_size() - 1).time_ns());
    tally.missed += batch.missed_ticks();
    broken = ForEachRow(
        batch,
        [&](const TaskRow& row) {
          tally.Count(row, *layout);
          printer->Add(row);
        },
        [&](const v1::Gap& gap) {
          tally.gap = true;
          printer->AddGap(gap);
        });
    return broken.ok() && !context->out->failed();
  });
  waiting.End();
  status.Update(broken);
  if (absl::IsCancelled(status) && IsTable(options.format)) return Fail(status, context);
  printer->Finish(status.ok());
  ExplainMarks(*printer, context);
  if (status.ok()) LookForGaps(request->begin(), request->end(), options, backend->get(), context, &tally);
  return Conclude(status, tally, options, context);
}

}  // namespace taskmon::client

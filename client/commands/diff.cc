// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "client/commands/answer.h"
#include "client/commands/commands.h"
#include "client/exit_code.h"
#include "client/group_name.h"
#include "client/output/diff_printer.h"
#include "client/waiting.h"

namespace taskmon::client {
namespace {

constexpr uint32_t kTopOnTerminal = 20;

// The rows of one window, by whom they are about.
struct Window {
  std::map<std::string, DiffSide> rows;
  uint64_t elapsed_ns = 0;
};

std::string KeyOf(const TaskRow& row, const std::optional<Attribute>& by) {
  const v1::TaskInfo& info = *row.info;
  if (!by) return fmt::format("{} {} {} {}", info.boot_id(), info.tid(), info.start_ns(), info.thread());
  return fmt::format("{} {}", GroupNameOf(info, *by), info.uid());  // the uid is set in groups of users only
}

absl::Status ReadWindow(v1::ListTasksRequest request, const std::string& begin, const std::string& end,
                        const TaskLayout& layout, Backend* backend, Tally* tally, Window* window) {
  request.set_begin(begin);
  request.set_end(end);
  absl::Status broken;
  absl::Status status = backend->ListTasks(request, [&](const v1::TaskBatch& batch) {
    for (const v1::Tick& tick : batch.ticks()) window->elapsed_ns = tick.elapsed_ns();
    broken = ForEachRow(batch, [&](const TaskRow& row) {
      tally->Count(row, layout);
      window->rows[KeyOf(row, layout.group)] = MakeDiffSide(layout.fields, row);
    });
    return broken.ok();
  });
  status.Update(broken);
  return status;
}

// By how much the sorting metric changed; what cannot be told comes last.
double ChangeOf(const DiffRow& row, size_t column) {
  const std::optional<double> change = Change(row, column);
  return change ? std::abs(*change) : -1;
}

std::vector<DiffRow> Join(Window before, Window after) {
  std::vector<DiffRow> rows;
  for (auto& [key, side] : before.rows) {
    DiffRow& row = rows.emplace_back();
    row.before = std::move(side);
    if (const auto other = after.rows.find(key); other != after.rows.end()) {
      row.after = std::move(other->second);
      after.rows.erase(other);
    }
  }
  for (auto& [key, side] : after.rows) rows.emplace_back().after = std::move(side);
  return rows;
}

// The metrics to compare: those named, or a few that tell most.
absl::StatusOr<TaskLayout> DiffLayout(const Options& options) {
  absl::StatusOr<TaskLayout> layout = LayoutFor(options, RowKind::kProcesses);
  if (!layout.ok()) return layout;
  std::erase_if(layout->fields,
                [](const Field& field) { return field.metric == nullptr || !CanDiffer(*field.metric); });
  if (options.fields.empty() && IsTable(options.format)) {
    const char* names =
        options.format == Format::kWide ? "cpu,rss,swap,threads,runq,iowait,read,write,net_rx,net_tx,vcsw" : "cpu,rss";
    absl::StatusOr<std::vector<Field>> fields = ParseFields(names, RowKind::kProcesses);
    if (!fields.ok()) return fields.status();
    layout->fields = *std::move(fields);
  }
  if (layout->fields.empty()) {
    return absl::InvalidArgumentError("-f names nothing that can be compared; name metrics, as in -f cpu,rss");
  }
  return layout;
}

// The column to sort by, added where it is not among those shown.
absl::StatusOr<size_t> SortColumn(const Options& options, TaskLayout* layout) {
  const absl::StatusOr<Field> field = ParseField(options.sort.empty() ? "cpu" : options.sort);
  if (!field.ok()) return field.status();
  if (field->metric == nullptr || !CanDiffer(*field->metric)) {
    return absl::InvalidArgumentError(
        fmt::format("cannot sort a difference by {}; name a metric, as in --sort rss", options.sort));
  }
  const auto at = std::find(layout->fields.begin(), layout->fields.end(), *field);
  if (at != layout->fields.end()) return at - layout->fields.begin();
  if (options.sort.empty()) return 0;
  layout->fields.push_back(*field);
  return layout->fields.size() - 1;
}

}  // namespace

int RunDiff(const Options& options, Context* context) {
  absl::StatusOr<TaskLayout> layout = DiffLayout(options);
  if (!layout.ok()) return Fail(layout.status(), context);
  const absl::StatusOr<size_t> column = SortColumn(options, &*layout);
  if (!column.ok()) return Fail(column.status(), context);
  if (!options.schema_of.empty()) return PrintSchema(JsonShape::kArray, {DiffSchema(*layout)}, options, context);
  std::vector<std::string> times;
  for (const std::string* text :
       {&options.before_begin, &options.before_end, &options.after_begin, &options.after_end}) {
    const absl::StatusOr<std::string> time = WireTime(*text, options, context);
    if (!time.ok()) return Fail(time.status(), context);
    times.push_back(*time);
  }
  const absl::StatusOr<std::unique_ptr<Backend>> backend = context->open_backend(options);
  if (!backend.ok()) return Fail(backend.status(), context);
  v1::ListTasksRequest request;
  *request.mutable_selection() = SelectionFor(options, *layout);
  request.set_by(options.by);
  Tally tally{.redacted = NoteHiddenFields(options.expression, backend->get(), context)};
  Window before, after;
  Waiting waiting("adding up the time before", backend->get(), context);
  absl::Status status = ReadWindow(request, times[0], times[1], *layout, backend->get(), &tally, &before);
  if (status.ok()) {
    waiting.At("done; the time after");
    status = ReadWindow(request, times[2], times[3], *layout, backend->get(), &tally, &after);
  }
  waiting.End();
  if (!status.ok()) return Fail(status, context);
  for (const size_t window : {0, 2}) {
    LookForGaps(times[window], times[window + 1], options, backend->get(), context, &tally);
  }
  const DiffLayoutInfo info{
      .layout = *layout, .before_elapsed_ns = before.elapsed_ns, .after_elapsed_ns = after.elapsed_ns};
  std::vector<DiffRow> rows = Join(std::move(before), std::move(after));
  for (DiffRow& row : rows) PerSecond(info, &row);
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const DiffRow& a, const DiffRow& b) { return ChangeOf(a, *column) > ChangeOf(b, *column); });
  const bool for_a_person = context->terminal.is_terminal && IsTable(options.format);
  const uint32_t top = options.top != 0 ? options.top : for_a_person ? kTopOnTerminal : 0;
  if (top != 0 && rows.size() > top) rows.resize(top);
  PrintDiff(info, rows, context->terminal, context->out);
  return Conclude(absl::OkStatus(), tally, options, context);
}

}  // namespace taskmon::client

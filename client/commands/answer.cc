// SPDX-License-Identifier: Apache-2.0
#include "client/commands/answer.h"

#include <algorithm>

#include <fmt/format.h>

#include "client/exit_code.h"
#include "client/hidden_fields.h"
#include "client/output/cell.h"
#include "client/output/json_schema.h"
#include "client/output/units.h"
#include "daemon/query/time_spec.h"

namespace taskmon::client {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;

// A table of many ticks is useless without the time, and one of many tasks without their names.
void PutFirst(std::initializer_list<Attribute> attributes, std::vector<Field>* fields) {
  std::vector<Field> front;
  for (const Attribute attribute : attributes) {
    const Field field{.attribute = attribute};
    if (std::find(fields->begin(), fields->end(), field) == fields->end()) front.push_back(field);
  }
  fields->insert(fields->begin(), front.begin(), front.end());
}

void AddContext(const Options& options, RowKind kind, std::vector<Field>* fields) {
  if (kind == RowKind::kTaskHistory) PutFirst({Attribute::kTime}, fields);
  if (kind == RowKind::kHistory) PutFirst({Attribute::kTime, Attribute::kTid, Attribute::kComm}, fields);
  if (options.command == Command::kWatch && options.format == Format::kCsv) PutFirst({Attribute::kTime}, fields);
}

// Groups have a name, a number of tasks and metrics; what belongs to one task has no place in their rows.
void MakeGroups(Attribute by, bool time, TaskLayout* layout) {
  layout->group = by;
  std::erase_if(layout->fields, [](const Field& field) {
    return field.attribute != Attribute::kNone && field.attribute != Attribute::kTasks;
  });
  if (layout->whole) PutFirst({Attribute::kTasks}, &layout->fields);
  PutFirst({by}, &layout->fields);
  if (time) PutFirst({Attribute::kTime}, &layout->fields);
}

bool CarriesTime(const Options& options) {
  return options.command == Command::kHistory || options.command == Command::kWatch || !options.at.empty() ||
         !options.file.empty() || !options.begin.empty() || !options.end.empty();
}

std::string WholeProcesses(uint64_t rows) {
  return fmt::format("{} {} the threads are not stored (Σ in tables, threads_not_stored in JSON)", Thousands(rows),
                     rows == 1 ? "row is a whole process, of which" : "rows are whole processes, of which");
}

}  // namespace

void Tally::Count(const TaskRow& row, const TaskLayout& layout) {
  const std::vector<Field>& fields = layout.fields;
  ++rows;
  if (layout.threads && StandsForThreads(row)) ++processes;
  redacted = redacted || std::any_of(fields.begin(), fields.end(),
                                     [&](const Field& field) { return PresenceOf(field, row) == Presence::kRedacted; });
}

int Fail(const absl::Status& status, Context* context) {
  // What was printed so far belongs before the message.
  context->out->Flush();
  if (!absl::IsCancelled(status)) context->err->Write(ErrorLine(std::string(status.message())));
  return ExitCodeFor(status);
}

int Conclude(const absl::Status& status, const Tally& tally, const Options& options, Context* context) {
  if (!status.ok()) return Fail(status, context);
  if (tally.processes > 0) Note(WholeProcesses(tally.processes), context);
  if (options.strict && tally.partial()) {
    std::vector<std::string> reasons;
    if (tally.missed > 0) reasons.push_back(fmt::format("{} ticks or events missed", tally.missed));
    if (tally.begins_late) reasons.push_back("the record begins later");
    if (tally.gap) reasons.push_back("gaps in the record");
    if (tally.redacted) reasons.push_back("fields hidden from this user");
    if (tally.processes > 0) reasons.push_back("threads that are not stored");
    Note(fmt::format("partial answer: {}; leave out --strict to accept it", fmt::join(reasons, ", ")), context);
    return kPartial;
  }
  return tally.rows > 0 ? kMatched : kNothingMatched;
}

bool NoteHiddenFields(const std::string& expression, Backend* backend, Context* context) {
  const std::vector<std::string> fields = HiddenFields(expression, backend);
  if (fields.empty()) return false;
  Note(fmt::format("tasks whose {} this user may not see are left out; membership of group taskmon shows them",
                   fmt::join(fields, ", ")),
       context);
  return true;
}

Coverage LookForGaps(const std::string& begin, const std::string& end, const Options& options, Backend* backend,
                     Context* context, Tally* tally) {
  if (!context->out->Flush()) return {};  // nobody reads on
  const int64_t now_ns = context->now_wall_ns();
  const absl::StatusOr<Coverage> coverage =
      AskCoverage({.begin = begin, .end = end, .now_ns = now_ns, .of_file = !options.file.empty()}, backend);
  if (!coverage.ok()) return {};
  tally->gap |= coverage->has_holes();
  if (begin.empty() || !coverage->begins_late()) return *coverage;
  tally->begins_late = true;
  const std::string first = LocalTime(coverage->stored_begin_ns, false);
  const bool today = first.substr(0, 10) == LocalTime(now_ns, false).substr(0, 10);
  Note(fmt::format("stored from {}", today ? first.substr(11) : first), context);
  return *coverage;
}

absl::StatusOr<int64_t> NowOf(const Options& options, Backend* backend, const Context& context) {
  if (options.file.empty()) return context.now_wall_ns();
  v1::ListTasksRequest request;
  request.mutable_selection()->add_metrics(v1::TASK_STATE);
  request.set_top(1);
  int64_t newest_ns = 0;
  const absl::Status status = backend->ListTasks(request, [&](const v1::TaskBatch& batch) {
    if (batch.ticks_size() > 0) newest_ns = batch.ticks(0).time_ns();
    return true;
  });
  if (!status.ok()) return status;
  return newest_ns;
}

void Note(const std::string& text, Context* context) {
  context->out->Flush();
  context->err->Write(ErrorLine(text));
  context->err->Flush();
}

void ExplainMarks(const TaskPrinter& printer, Context* context) {
  if (!context->terminal.is_terminal) return;
  const std::string legend = Legend(printer.marks());
  if (legend.empty()) return;
  context->out->Flush();
  context->err->Write(legend + "\n");
}

absl::StatusOr<TaskLayout> LayoutFor(const Options& options, RowKind kind) {
  TaskLayout layout{
      .format = options.format, .header = options.header, .raw = options.raw, .time = CarriesTime(options)};
  const absl::StatusOr<std::optional<Attribute>> by = ParseBy(options.by);
  if (!by.ok()) return by.status();
  if (by->has_value()) kind = RowKind::kGroups;
  if (!options.fields.empty()) {
    absl::StatusOr<std::vector<Field>> fields = ParseFields(options.fields, kind);
    if (!fields.ok()) return fields.status();
    layout.fields = *std::move(fields);
  } else if (IsTable(options.format)) {
    layout.fields = DefaultFields(kind, options.format == Format::kWide);
  } else {
    layout.whole = true;
    layout.fields = AllFields(layout.time);
  }
  AddContext(options, kind, &layout.fields);
  layout.threads = options.threads && kind != RowKind::kGroups;
  if (kind == RowKind::kGroups) MakeGroups(**by, options.command == Command::kHistory, &layout);
  return layout;
}

absl::StatusOr<std::string> WireTime(const std::string& text, const Options& options, Context* context) {
  if (text.empty() || !options.file.empty()) return text;
  const int64_t now_ns = context->now_wall_ns();
  const absl::StatusOr<int64_t> time = query::ParseTime(text, now_ns);
  if (!time.ok()) return time.status();
  const absl::StatusOr<int64_t> a_second_later = query::ParseTime(text, now_ns + kNsPerSecond);
  const bool moves_with_the_clock = !a_second_later.ok() || *a_second_later != *time;
  if (moves_with_the_clock || *time < 0) return text;
  return fmt::format("@{}.{:09}", *time / kNsPerSecond, *time % kNsPerSecond);
}

int PrintSchema(JsonShape shape, const std::vector<std::string>& schemas, const Options& options, Context* context) {
  const bool array = shape == JsonShape::kArray && options.format != Format::kJsonl;
  context->out->Write(SchemaDocument(options.schema_of, schemas, array));
  return kMatched;
}

v1::Selection SelectionFor(const Options& options, const TaskLayout& layout) {
  v1::Selection selection;
  selection.set_expression(options.expression);
  selection.set_threads(options.threads);
  selection.set_tid(options.tid);
  for (const uint32_t metric : MetricsFor(layout.fields)) selection.add_metrics(metric);
  if (layout.threads && selection.metrics_size() > 0) {
    // By which a process is told from a thread; asked for twice does no harm.
    selection.add_metrics(v1::TASK_THREAD_COUNT);
    selection.add_metrics(v1::TASK_THREAD_CREATE_COUNT);
  }
  return selection;
}

}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
#include "client/output/task_printer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "client/output/escape.h"
#include "client/output/records.h"
#include "client/output/table.h"
#include "client/output/units.h"
#include "daemon/query/time_spec.h"

namespace taskmon::client {
namespace {

// Columns that may be long and matter little give way at these widths.
size_t MaxWidth(Attribute attribute) {
  switch (attribute) {
    case Attribute::kUser: return 10;
    case Attribute::kApp: return 12;
    case Attribute::kContainer: return 16;
    case Attribute::kUnit:
    case Attribute::kRules: return 24;
    case Attribute::kCgroup: return 32;
    default: return 0;
  }
}

// Who the row is about: in every JSON row, whatever fields were named.
constexpr Attribute kIdentity[] = {Attribute::kTid, Attribute::kTgid, Attribute::kPpid, Attribute::kComm,
                                   Attribute::kStartNs};

bool IsPrefix(const Field& field) {
  return field.attribute == Attribute::kTime || field.attribute == Attribute::kTimeNs ||
         std::find(std::begin(kIdentity), std::end(kIdentity), field.attribute) != std::end(kIdentity);
}

void NamesKey(const std::vector<Field>& fields, const TaskRow& row, Presence wanted, std::string_view key,
              JsonObject* object) {
  std::vector<std::string_view> names;
  for (const Field& field : fields) {
    // The state letter is one value under two keys; it is listed by its metric's name.
    const bool alias = field.attribute == Attribute::kState;
    const std::string_view name = alias ? std::string_view(Describe(v1::TASK_STATE).name) : FieldKey(field);
    if (PresenceOf(field, row) != wanted) continue;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  object->When(!names.empty(), [&] { object->Strings(key, names); });
}

void AgesKey(const std::vector<Field>& fields, const TaskRow& row, JsonObject* object) {
  std::vector<std::pair<std::string_view, double>> ages;
  for (const Field& field : fields) {
    if (field.metric == nullptr) continue;
    const MetricCell cell = row.Get(field.metric->id);
    if (cell.age_s) ages.emplace_back(field.metric->name, *cell.age_s);
  }
  object->When(!ages.empty(), [&] { object->Numbers("ages", ages); });
}

// "not recorded for 2m10s: taskmond was not running"
std::string GapText(const v1::Gap& gap) {
  const std::string length = HumanDuration(static_cast<double>(gap.end_time_ns() - gap.begin_time_ns()));
  if (gap.reason() == "lost") return fmt::format("in {}: {} kernel records lost", length, Thousands(gap.lost()));
  if (gap.reason() == "not running") return fmt::format("not recorded for {}: taskmond was not running", length);
  if (gap.reason() != "not stored") return fmt::format("not recorded for {}", length);
  const std::string ticks = gap.lost() > 0 ? fmt::format(" ({} ticks)", Thousands(gap.lost())) : "";
  return fmt::format("not stored for {}{}: disk or queue full", length, ticks);
}

void GapKeys(const v1::Gap& gap, JsonObject* object) {
  object->Times("time", gap.begin_time_ns());
  object->String("gap", gap.reason().empty() ? "unknown" : gap.reason());
  object->Time("end_time", gap.end_time_ns());
  object->Number("duration_ns", gap.end_time_ns() - gap.begin_time_ns());
  object->When(gap.lost() > 0, [&] { object->Number("lost", gap.lost()); });
}

class JsonPrinter : public TaskPrinter {
 public:
  JsonPrinter(const TaskLayout& layout, Output* out)
      : layout_(layout), records_(layout.format == Format::kJsonl, out), out_(out) {}

  void Add(const TaskRow& row) override { records_.Add(TaskJson(layout_, row)); }
  void AddGap(const v1::Gap& gap) override { records_.Add(JsonObject::Text(gap, GapKeys)); }
  void EndBlock() override { out_->Flush(); }
  void Finish(bool ok) override { records_.Finish(ok); }

 private:
  TaskLayout layout_;
  JsonRecords records_;
  Output* out_;
};

class CsvPrinter : public TaskPrinter {
 public:
  CsvPrinter(const TaskLayout& layout, Output* out) : layout_(layout), out_(out) {}

  void Add(const TaskRow& row) override {
    WriteHeaderOnce();
    std::string line;
    for (const Field& field : layout_.fields) {
      if (&field != &layout_.fields.front()) line += ',';
      line += CellCsv(field, row);
    }
    out_->Write(line + "\n");
  }
  // A row of its time alone, where a curve breaks off.
  void AddGap(const v1::Gap& gap) override {
    WriteHeaderOnce();
    std::string line;
    for (const Field& field : layout_.fields) {
      if (&field != &layout_.fields.front()) line += ',';
      if (field.attribute == Attribute::kTime) line += query::FormatRfc3339(gap.begin_time_ns());
      if (field.attribute == Attribute::kTimeNs) line += std::to_string(gap.begin_time_ns());
    }
    out_->Write(line + "\n");
  }
  void EndBlock() override { out_->Flush(); }
  void Finish(bool ok) override {
    if (ok) WriteHeaderOnce();
  }

 private:
  void WriteHeaderOnce() {
    if (header_written_ || !layout_.header) return;
    header_written_ = true;
    std::vector<std::string_view> names;
    for (const Field& field : layout_.fields) names.push_back(FieldKey(field));
    out_->Write(fmt::format("{}\n", fmt::join(names, ",")));
  }

  TaskLayout layout_;
  Output* out_;
  bool header_written_ = false;
};

class TablePrinter : public TaskPrinter {
 public:
  TablePrinter(const TaskLayout& layout, const Terminal& terminal, Output* out)
      : layout_(layout),
        table_(ColumnsFor(layout.fields),
               {.width = layout.format == Format::kWide ? 0 : terminal.width,
                .header = layout.header,
                .bold_header = terminal.color},
               out),
        out_(out) {}

  void Add(const TaskRow& row) override {
    std::vector<std::string> cells;
    const bool stands = layout_.threads && StandsForThreads(row);
    for (const Field& field : layout_.fields) {
      const char* mark = stands && field.attribute == Attribute::kTid ? "Σ" : "";
      cells.push_back(mark + CellText(field, row, layout_.raw, &marks_));
    }
    table_.Add(std::move(cells));
    any_ = true;
  }
  void AddGap(const v1::Gap& gap) override {
    // Where somebody put another column first, the time is part of the text.
    const std::string time = ColumnTime(gap.begin_time_ns(), false);
    const bool time_first = layout_.fields.front().attribute == Attribute::kTime;
    table_.AddNote(time_first ? time : "", time_first ? GapText(gap) : time + " " + GapText(gap));
    any_ = true;
  }
  void EndBlock() override {
    table_.Flush();
    out_->Flush();
  }
  // An answer without rows prints nothing: a header over nothing says nothing.
  void Finish(bool) override {
    if (any_) table_.Flush();
  }

 private:
  TaskLayout layout_;
  Table table_;
  Output* out_;
  bool any_ = false;
};

void RowKeys(const TaskLayout& layout, const TaskRow& row, const std::function<void(JsonObject*)>& more,
             JsonObject* object) {
  if (layout.time) object->Times("time", row.tick->time_ns());
  if (!layout.group) {
    for (const Attribute attribute : kIdentity) CellKey({.attribute = attribute}, row, object);
  }
  for (const Field& field : layout.fields) {
    const bool time = field.attribute == Attribute::kTime || field.attribute == Attribute::kTimeNs;
    if (layout.group ? !time : !IsPrefix(field)) CellKey(field, row, object);
  }
  if (layout.whole && !layout.group) object->Bool("thread", row.info->thread());
  if (layout.threads) object->When(StandsForThreads(row), [&] { object->Bool("threads_not_stored", true); });
  if (more) {
    more(object);
  } else {
    const int64_t ended_ns = row.sample->ended_time_ns();
    object->When(ended_ns != 0, [&] { object->Time("ended_time", ended_ns); });
  }
  NamesKey(layout.fields, row, Presence::kUnavailable, "unavailable", object);
  NamesKey(layout.fields, row, Presence::kRedacted, "redacted", object);
  AgesKey(layout.fields, row, object);
}

}  // namespace

std::vector<Column> ColumnsFor(const std::vector<Field>& fields) {
  std::vector<Column> columns;
  for (const Field& field : fields) {
    Column column{.header = FieldHeader(field), .align = IsNumeric(field) ? Align::kRight : Align::kLeft};
    if (field.attribute == Attribute::kTime || field.attribute == Attribute::kStartTime) {
      column.header = TimeHeader(column.header);
    }
    column.max_width = MaxWidth(field.attribute);
    columns.push_back(std::move(column));
  }
  return columns;
}

std::string TaskJson(const TaskLayout& layout, const TaskRow& row, const std::function<void(JsonObject*)>& more) {
  const auto keys = [&](const TaskRow& each, JsonObject* object) { RowKeys(layout, each, more, object); };
  return JsonObject::Text(row, keys);
}

std::string TaskSchema(const TaskLayout& layout, const std::function<void(JsonObject*)>& more) {
  v1::TaskBatch blank;
  blank.add_ticks();
  blank.add_tasks();
  blank.add_samples();
  const BatchView view(&blank);
  const auto keys = [&](const TaskRow& row, JsonObject* object) { RowKeys(layout, row, more, object); };
  return JsonObject::Described(keys, view.Row(0));
}

std::string GapSchema() { return JsonObject::Described<v1::Gap>(GapKeys); }

std::unique_ptr<TaskPrinter> MakeTaskPrinter(const TaskLayout& layout, const Terminal& terminal, Output* out) {
  switch (layout.format) {
    case Format::kJson:
    case Format::kJsonl: return std::make_unique<JsonPrinter>(layout, out);
    case Format::kCsv: return std::make_unique<CsvPrinter>(layout, out);
    default: return std::make_unique<TablePrinter>(layout, terminal, out);
  }
}

std::string Legend(const Marks& marks) {
  std::vector<std::string> parts;
  if (marks.unavailable) parts.push_back("-  not available (taskmonctl doctor says why)");
  if (marks.redacted) parts.push_back("*  hidden: not your task (group taskmon sees it)");
  if (marks.stale) parts.push_back("~  older than the tick");
  return fmt::format("{}", fmt::join(parts, "   "));
}

}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
#include "client/output/diff_printer.h"

#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "client/group_name.h"
#include "client/output/cell.h"
#include "client/output/escape.h"
#include "client/output/records.h"
#include "client/output/table.h"
#include "client/output/units.h"

namespace taskmon::client {
namespace {

const v1::TaskInfo& InfoOf(const DiffRow& row) { return row.after ? row.after->info : row.before->info; }

// Whom the row is about, and whether it was there both times.
std::string NameText(const DiffLayoutInfo& info, const DiffRow& row) {
  const v1::TaskInfo& task = InfoOf(row);
  if (!info.layout.group) return TerminalSafe(CommandText(task));
  const std::string name = GroupNameOf(task, *info.layout.group);
  return name.empty() ? "(none)" : TerminalSafe(name);
}

const char* Fate(const DiffRow& row) {
  if (!row.before) return "new";
  return row.after ? "" : "gone";
}

std::optional<double> ValueOf(const std::optional<DiffSide>& side, size_t column) {
  return side ? side->values[column] : std::optional<double>(0);
}

std::string ValueText(const MetricDesc& metric, const std::optional<double>& value) {
  if (!value) return "-";
  const auto held = static_cast<int64_t>(std::llround(*value * static_cast<double>(metric.scale)));
  if (metric.kind == v1::COUNTER) {
    // It is a rate already.
    constexpr uint64_t kSecond = 1'000'000'000;
    return HumanRate(metric, held, kSecond);
  }
  return HumanValue(metric, held);
}

std::string ChangeText(const MetricDesc& metric, const DiffRow& row, size_t column) {
  const std::optional<double> change = Change(row, column);
  if (!change) return "-";
  const std::string size = ValueText(metric, std::abs(*change));
  return *change < 0 ? "-" + size : "+" + size;
}

void PrintTable(const DiffLayoutInfo& info, const std::vector<DiffRow>& rows, const Terminal& terminal, Output* out) {
  const TaskLayout& layout = info.layout;
  std::vector<Column> columns;
  if (!layout.group) columns.push_back({.header = "TID", .align = Align::kRight});
  for (const Field& field : layout.fields) {
    for (const std::string& header : {FieldHeader(field) + " BEFORE", std::string("AFTER"), std::string("CHANGE")}) {
      columns.push_back({.header = header, .align = Align::kRight});
    }
  }
  columns.push_back({.header = ""});
  columns.push_back({.header = layout.group ? FieldHeader({.attribute = *layout.group}) : "COMMAND"});
  Table table(columns,
              {.width = layout.format == Format::kWide ? 0 : terminal.width,
               .header = layout.header,
               .bold_header = terminal.color},
              out);
  for (const DiffRow& row : rows) {
    std::vector<std::string> cells;
    if (!layout.group) cells.push_back(std::to_string(InfoOf(row).tid()));
    for (size_t i = 0; i < layout.fields.size(); ++i) {
      const MetricDesc& metric = *layout.fields[i].metric;
      cells.push_back(row.before ? ValueText(metric, row.before->values[i]) : "");
      cells.push_back(row.after ? ValueText(metric, row.after->values[i]) : "");
      cells.push_back(ChangeText(metric, row, i));
    }
    cells.emplace_back(Fate(row));
    cells.push_back(NameText(info, row));
    table.Add(std::move(cells));
  }
  if (!rows.empty()) table.Flush();
}

// Whom the row is about, as in other rows of the kind.
void IdentityKeys(const DiffLayoutInfo& info, const DiffRow& row, JsonObject* object) {
  const v1::TaskInfo& task = InfoOf(row);
  if (info.layout.group) {
    const std::string_view key = FieldKey({.attribute = *info.layout.group});
    if (*info.layout.group == Attribute::kRules) {
      object->Strings(key, task.rules());
    } else {
      object->String(key, GroupNameOf(task, *info.layout.group));
    }
    object->Number("tasks_before", row.before ? row.before->tasks : 0);
    object->Number("tasks_after", row.after ? row.after->tasks : 0);
    return;
  }
  object->Number("tid", task.tid());
  object->Number("tgid", task.tgid());
  object->Number("ppid", task.ppid());
  object->String("comm", task.comm());
  object->Number("start_ns", task.start_ns());
}

// One metric in both windows; what is not known is left out.
struct Comparison {
  std::optional<double> before, after, change;
};

void ComparisonKeys(const Comparison& comparison, JsonObject* object) {
  for (const auto& [name, value] :
       {std::pair("before", comparison.before), {"after", comparison.after}, {"change", comparison.change}}) {
    object->When(value.has_value(), [&, &name = name, &value = value] { object->Number(name, value.value_or(0)); });
  }
}

void RowKeys(const DiffLayoutInfo& info, const DiffRow& row, JsonObject* object) {
  IdentityKeys(info, row, object);
  object->Bool("was_there", row.before.has_value());
  object->Bool("is_there", row.after.has_value());
  for (size_t i = 0; i < info.layout.fields.size(); ++i) {
    const Comparison comparison{ValueOf(row.before, i), ValueOf(row.after, i), Change(row, i)};
    object->Object(info.layout.fields[i].metric->name, comparison, ComparisonKeys);
  }
}

void PrintCsv(const DiffLayoutInfo& info, const std::vector<DiffRow>& rows, Output* out) {
  if (info.layout.header) {
    std::string line = info.layout.group ? std::string(FieldKey({.attribute = *info.layout.group})) : "tid,comm";
    for (const Field& field : info.layout.fields) {
      line += fmt::format(",{0}_before,{0}_after,{0}_change", field.metric->name);
    }
    out->Write(line + "\n");
  }
  for (const DiffRow& row : rows) {
    const v1::TaskInfo& task = InfoOf(row);
    std::string line =
        info.layout.group ? CsvField(NameText(info, row)) : fmt::format("{},{}", task.tid(), CsvField(task.comm()));
    for (size_t i = 0; i < info.layout.fields.size(); ++i) {
      for (const std::optional<double>& value : {ValueOf(row.before, i), ValueOf(row.after, i), Change(row, i)}) {
        line += value ? fmt::format(",{}", *value) : ",";
      }
    }
    out->Write(line + "\n");
  }
}

}  // namespace

bool CanDiffer(const MetricDesc& metric) {
  if (metric.witness_of != v1::METRIC_UNSPECIFIED) return false;
  if (metric.kind != v1::GAUGE) return true;
  if (metric.id == v1::TASK_OFFCPU_SINCE || metric.id == v1::TASK_IOWAIT_SINCE) return false;
  return metric.unit == v1::BYTES || metric.unit == v1::COUNT || metric.unit == v1::PERCENT;
}

DiffSide MakeDiffSide(const std::vector<Field>& fields, const TaskRow& row) {
  DiffSide side{.info = *row.info, .tasks = row.sample->group_tasks()};
  for (const Field& field : fields) {
    const MetricCell cell = row.Get(field.metric->id);
    std::optional<double>& value = side.values.emplace_back();
    if (cell.presence != Presence::kPresent) continue;
    value = static_cast<double>(cell.value) / static_cast<double>(field.metric->scale);
  }
  return side;
}

void PerSecond(const DiffLayoutInfo& info, DiffRow* row) {
  for (auto [side, elapsed_ns] :
       {std::pair(&row->before, info.before_elapsed_ns), {&row->after, info.after_elapsed_ns}}) {
    for (size_t i = 0; side->has_value() && i < info.layout.fields.size(); ++i) {
      std::optional<double>& value = (*side)->values[i];
      if (info.layout.fields[i].metric->kind != v1::COUNTER || !value) continue;
      if (elapsed_ns == 0) {
        value.reset();
      } else {
        *value /= static_cast<double>(elapsed_ns) / 1e9;
      }
    }
  }
}

std::optional<double> Change(const DiffRow& row, size_t column) {
  const std::optional<double> before = ValueOf(row.before, column), after = ValueOf(row.after, column);
  if (!before || !after) return std::nullopt;
  return *after - *before;
}

std::string DiffSchema(const TaskLayout& layout) {
  const DiffLayoutInfo info{.layout = layout};
  const DiffRow blank{.before = DiffSide{.values = std::vector<std::optional<double>>(layout.fields.size())}};
  const auto keys = [&](const DiffRow& row, JsonObject* object) { RowKeys(info, row, object); };
  return JsonObject::Described(keys, blank);
}

void PrintDiff(const DiffLayoutInfo& info, const std::vector<DiffRow>& rows, const Terminal& terminal, Output* out) {
  if (IsTable(info.layout.format)) return PrintTable(info, rows, terminal, out);
  if (info.layout.format == Format::kCsv) return PrintCsv(info, rows, out);
  JsonRecords records(info.layout.format == Format::kJsonl, out);
  const auto keys = [&](const DiffRow& row, JsonObject* object) { RowKeys(info, row, object); };
  for (const DiffRow& row : rows) records.Add(JsonObject::Text(row, keys));
  records.Finish(true);
}

}  // namespace taskmon::client

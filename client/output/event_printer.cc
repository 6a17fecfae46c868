// SPDX-License-Identifier: Apache-2.0
#include "client/output/event_printer.h"

#include <ctime>
#include <vector>

#include <fmt/format.h>

#include "client/output/cell.h"
#include "client/output/escape.h"
#include "client/output/event_text.h"
#include "client/output/json_object.h"
#include "client/output/records.h"
#include "client/output/table.h"
#include "daemon/query/time_spec.h"

namespace taskmon::client {
namespace {

// A rule's edit only happens; the others begin or end.
bool HasBegins(const v1::Event& event) {
  return event.type() == v1::DEGRADATION || (!event.rule().empty() && event.has_task());
}

bool SameLocalDay(int64_t a_ns, int64_t b_ns) {
  return query::FormatLocal(a_ns).substr(0, 10) == query::FormatLocal(b_ns).substr(0, 10);
}

// "08:15:30.123" today, "11-21 08:15:30.123" on other days.
std::string EventTime(int64_t time_ns, int64_t now_ns) {
  const std::string full = ColumnTime(time_ns, /*fraction=*/true);
  return full.substr(SameLocalDay(time_ns, now_ns) ? 11 : 5);
}

MetricCells CellsOf(const v1::Event& event, const MetricIndex* index) {
  return MetricCells(index, &event.values(), event.unavailable(), event.redacted());
}

void TaskKeys(const v1::TaskInfo& task, JsonObject* object) {
  object->When(!task.cmdline_redacted(), [&] { object->String("cmdline", task.cmdline()); });
  object->When(!task.exe_redacted(), [&] { object->String("exe", task.exe()); });
  object->Time("start_time", task.start_time_ns());
  object->Number("start_ns", task.start_ns());
  object->String("user", task.user());
  object->Number("uid", task.uid());
  object->Number("gid", task.gid());
  object->String("app", task.app());
  object->String("cgroup", task.cgroup());
  object->String("unit", task.unit());
  object->String("container", task.container());
  object->Bool("tracked", task.tracked());
  object->Strings("rules", task.rules());
  object->Bool("kthread", task.kthread());
  object->Bool("thread", task.thread());
}

void MetricKeys(const v1::Event& event, JsonObject* object) {
  const MetricIndex index(event.metrics());
  const MetricCells cells = CellsOf(event, &index);
  std::vector<std::string> unavailable;
  std::vector<std::string> redacted;
  if (event.task().cmdline_redacted()) redacted.push_back("cmdline");
  if (event.task().exe_redacted()) redacted.push_back("exe");
  for (const MetricDesc& metric : AllMetrics()) {
    const MetricCell cell = cells.Get(metric.id);
    object->When(cell.presence == Presence::kPresent, [&] { object->Metric(metric, cell.value); });
    if (cell.presence == Presence::kUnavailable) unavailable.push_back(metric.name);
    if (cell.presence == Presence::kRedacted) redacted.push_back(metric.name);
  }
  object->When(!unavailable.empty(), [&] { object->Strings("unavailable", unavailable); });
  object->When(!redacted.empty(), [&] { object->Strings("redacted", redacted); });
}

// `metric` by its name; `value` and `baseline` only where the caller may see them.
void RuleKeys(const v1::Event& event, JsonObject* object) {
  const bool ruled = !event.rule().empty();
  const bool has_metric = ruled && event.has_task() && IsMetric(event.metric());
  const std::string metric = has_metric ? Describe(static_cast<v1::Metric>(event.metric())).name : "";
  object->When(ruled, [&] { object->String("rule", event.rule()); });
  object->When(HasBegins(event), [&] { object->Bool("begins", !event.ends()); });
  object->When(has_metric, [&] { object->String("metric", metric); });
  object->When(has_metric && !event.value_redacted(), [&] {
    object->Number("value", event.value());
    object->Number("baseline", event.baseline());
  });
}

void EventKeys(const v1::Event& event, JsonObject* object) {
  const v1::TaskInfo& task = event.task();
  const bool known = event.has_task();  // a gap happened to the record, not to a task
  const bool exit = event.type() == v1::EXIT;
  object->String("type", EventTypeName(event.type()));
  object->Times("time", event.time_ns());
  object->NumberOrNull("tid", known, task.tid());
  object->NumberOrNull("tgid", known, task.tgid());
  object->NumberOrNull("ppid", known, task.ppid());
  object->StringOrNull("comm", known, task.comm());
  object->When(known, [&] { TaskKeys(task, object); });
  object->When(event.id() != 0, [&] { object->Number("id", event.id()); });
  object->When(exit, [&] {
    object->Number("exit_code", event.exit_code());
    object->Number("exit_signal", event.exit_signal());
    object->Bool("core_dumped", event.core_dumped());
  });
  object->When(exit || event.type() == v1::GAP, [&] { object->Number("duration_ns", event.duration_ns()); });
  object->When(event.type() == v1::GAP, [&] { object->Number("lost", event.lost()); });
  RuleKeys(event, object);
  object->When(!event.detail().empty(), [&] { object->String("detail", event.detail()); });
  MetricKeys(event, object);
}

class JsonPrinter : public EventPrinter {
 public:
  JsonPrinter(const EventLayout& layout, Output* out) : records_(layout.format == Format::kJsonl, out), out_(out) {}

  void Add(const v1::Event& event) override { records_.Add(EventJson(event)); }
  void Flush() override { out_->Flush(); }
  void Finish(bool ok) override { records_.Finish(ok); }

 private:
  JsonRecords records_;
  Output* out_;
};

class CsvPrinter : public EventPrinter {
 public:
  CsvPrinter(const EventLayout& layout, Output* out) : out_(out), header_due_(layout.header) {}

  void Add(const v1::Event& event) override {
    WriteHeaderOnce();
    const v1::TaskInfo& task = event.task();
    const auto number = [&](auto value) { return event.has_task() ? std::to_string(value) : std::string(); };
    const bool exit = event.type() == v1::EXIT;
    std::vector<std::string> cells = {std::string(EventTypeName(event.type())),
                                      query::FormatRfc3339(event.time_ns()),
                                      std::to_string(event.time_ns()),
                                      number(task.tid()),
                                      number(task.tgid()),
                                      number(task.ppid()),
                                      CsvField(task.comm()),
                                      number(task.uid()),
                                      CsvField(task.user()),
                                      CsvField(task.cmdline()),
                                      exit ? std::to_string(event.exit_code()) : "",
                                      exit ? std::to_string(event.exit_signal()) : "",
                                      exit ? (event.core_dumped() ? "1" : "0") : "",
                                      event.duration_ns() != 0 ? std::to_string(event.duration_ns()) : "",
                                      event.lost() != 0 ? std::to_string(event.lost()) : "",
                                      CsvField(event.detail()),
                                      CsvField(event.rule()),
                                      HasBegins(event) ? (event.ends() ? "0" : "1") : ""};
    AddThreshold(event, &cells);
    AddMetrics(event, &cells);
    out_->Write(fmt::format("{}\n", fmt::join(cells, ",")));
  }
  void Flush() override { out_->Flush(); }
  void Finish(bool ok) override {
    if (ok) WriteHeaderOnce();
  }

 private:
  static void AddThreshold(const v1::Event& event, std::vector<std::string>* cells) {
    const bool known = IsMetric(event.metric());
    const bool shown = known && !event.value_redacted();
    cells->push_back(known ? Describe(static_cast<v1::Metric>(event.metric())).name : "");
    cells->push_back(shown ? fmt::format("{}", event.value()) : "");
    cells->push_back(shown ? fmt::format("{}", event.baseline()) : "");
  }

  static void AddMetrics(const v1::Event& event, std::vector<std::string>* cells) {
    const MetricIndex index(event.metrics());
    const MetricCells values = CellsOf(event, &index);
    for (const MetricDesc& metric : AllMetrics()) {
      const MetricCell cell = values.Get(metric.id);
      cells->push_back(cell.presence == Presence::kPresent ? PlainNumber(metric, cell.value) : "");
    }
  }

  void WriteHeaderOnce() {
    if (!header_due_) return;
    header_due_ = false;
    std::string header =
        "type,time,time_ns,tid,tgid,ppid,comm,uid,user,cmdline,exit_code,exit_signal,core_dumped,"
        "duration_ns,lost,detail,rule,begins,metric,value,baseline";
    for (const MetricDesc& metric : AllMetrics()) header += "," + metric.name;
    out_->Write(header + "\n");
  }

  Output* out_;
  bool header_due_;
};

class TablePrinter : public EventPrinter {
 public:
  TablePrinter(const EventLayout& layout, const Terminal& terminal, Output* out)
      : layout_(layout),
        table_(Columns(layout),
               {.width = layout.format == Format::kWide ? 0 : terminal.width,
                .header = layout.header,
                .bold_header = terminal.color},
               out),
        out_(out) {}

  void Add(const v1::Event& event) override {
    const v1::TaskInfo& task = event.task();
    std::vector<std::string> cells = {EventTime(event.time_ns(), layout_.now_ns),
                                      std::string(EventTypeName(event.type()))};
    cells.push_back(event.has_task() ? std::to_string(task.tid()) : "");
    if (layout_.format == Format::kWide) {
      cells.push_back(event.has_task() ? std::to_string(task.tgid()) : "");
      cells.push_back(event.has_task() ? std::to_string(task.ppid()) : "");
      cells.push_back(TerminalSafe(task.user()));
      cells.push_back(TerminalSafe(task.unit()));
    }
    cells.push_back(TerminalSafe(task.comm()));
    const bool process = layout_.threads && event.type() == v1::EXIT && event.has_task() && !event.task().thread();
    cells.push_back((process ? "process " : "") + EventDetail(event, layout_.raw));
    table_.Add(std::move(cells));
    any_ = true;
  }
  void Flush() override {
    if (any_) table_.Flush();
    out_->Flush();
  }
  void Finish(bool) override { Flush(); }

 private:
  static std::vector<Column> Columns(const EventLayout& layout) {
    // While following, what comes later must fit too.
    const auto later = [&](size_t width) { return layout.following ? width : 0; };
    std::vector<Column> columns = {{.header = TimeHeader("TIME"), .align = Align::kRight},
                                   {.header = "TYPE", .min_width = later(6)},
                                   {.header = "TID", .align = Align::kRight, .min_width = later(7)}};
    if (layout.format == Format::kWide) {
      columns.push_back({.header = "TGID", .align = Align::kRight, .min_width = later(7)});
      columns.push_back({.header = "PPID", .align = Align::kRight, .min_width = later(7)});
      columns.push_back({.header = "USER", .min_width = later(8)});
      columns.push_back({.header = "UNIT", .min_width = later(16)});
    }
    columns.push_back({.header = "COMM", .min_width = later(15)});
    columns.push_back({.header = "DETAIL", .min_width = later(200)});
    return columns;
  }

  EventLayout layout_;
  Table table_;
  Output* out_;
  bool any_ = false;
};

}  // namespace

std::string EventJson(const v1::Event& event) { return JsonObject::Text(event, EventKeys); }

std::string EventSchema() { return JsonObject::Described<v1::Event>(EventKeys); }

std::unique_ptr<EventPrinter> MakeEventPrinter(const EventLayout& layout, const Terminal& terminal, Output* out) {
  switch (layout.format) {
    case Format::kJson:
    case Format::kJsonl: return std::make_unique<JsonPrinter>(layout, out);
    case Format::kCsv: return std::make_unique<CsvPrinter>(layout, out);
    default: return std::make_unique<TablePrinter>(layout, terminal, out);
  }
}

}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "client/commands/answer.h"
#include "client/commands/commands.h"
#include "client/exit_code.h"
#include "client/output/cell.h"
#include "client/output/event_text.h"
#include "client/output/number.h"
#include "client/output/units.h"
#include "client/plot/graph.h"
#include "client/plot/spark.h"
#include "client/waiting.h"
#include "daemon/query/time_spec.h"

namespace taskmon::client {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kDay = 86400 * kSecond;
constexpr int kRows = 6;
constexpr int kDefaultWidth = 80;
constexpr int kWidest = 400;
constexpr size_t kMostEvents = 1'000'000;

int WidthOf(const Context& context) {
  return context.terminal.width == 0 ? kDefaultWidth
                                     : std::clamp(static_cast<int>(context.terminal.width), 40, kWidest);
}

// Clock times, as short as the stretch allows.
std::function<std::string(int64_t)> TimeLabels(int64_t begin_ns, int64_t end_ns) {
  const int64_t span_ns = end_ns - begin_ns;
  return [=](int64_t time_ns) {
    const std::string text = LocalTime(time_ns, span_ns < 10 * kSecond);  // "2026-11-22 08:15:30"
    if (span_ns > 2 * kDay) return text.substr(5, 11);
    if (span_ns > 900 * kSecond) return text.substr(11, 5);
    return text.substr(11);
  };
}

std::string Spread(const std::string& left, const std::string& right, int width) {
  return fmt::format("{}{:>{}}\n", left, right, std::max(1, width - static_cast<int>(left.size())));
}

// ---- history --plot

struct Curve {
  const MetricDesc* metric;
  std::vector<plot::Point> points;
  bool redacted = false;
};

std::string Labelled(const MetricDesc& metric, double value, bool raw) {
  if (std::isnan(value)) return "-";
  const auto held = static_cast<int64_t>(std::llround(value * static_cast<double>(metric.scale)));
  if (raw) return fmt::format("{:.6g}", value);
  if (metric.unit == v1::COUNT && value != 0 && std::abs(value) < 9.95) return fmt::format("{:.1f}", value);
  return HumanValue(metric, held);
}

std::string UnitText(const MetricDesc& metric) {
  const std::string unit = metric.unit == v1::PERCENT ? "%" : std::string(UnitName(metric.unit));
  return metric.kind == v1::COUNTER ? unit + "/s" : unit;
}

// For two readings in every cell.
uint64_t StepFor(const v1::HistoryRequest& request, const Options& options, Backend* backend, const Context& context,
                 int width) {
  if (request.step_ns() != 0) return request.step_ns();
  const absl::StatusOr<int64_t> now_ns = NowOf(options, backend, context);
  if (!now_ns.ok()) return 0;
  const absl::StatusOr<int64_t> begin = query::ParseTime(request.begin().empty() ? "10m" : request.begin(), *now_ns);
  const absl::StatusOr<int64_t> end = query::ParseTime(request.end().empty() ? "now" : request.end(), *now_ns);
  if (!begin.ok() || !end.ok()) return 0;
  const int64_t part_ns = (*end - *begin) / (2 * width);
  return part_ns < 2 * kSecond ? 0 : plot::NiceStep(part_ns);
}

absl::StatusOr<std::vector<Curve>> CurvesFor(const Options& options) {
  const absl::StatusOr<std::vector<Field>> fields =
      ParseFields(options.fields.empty() ? "cpu,rss" : options.fields, RowKind::kHistory);
  if (!fields.ok()) return fields.status();
  std::vector<Curve> curves;
  for (const Field& field : *fields) {
    if (field.metric == nullptr || !IsNumeric(field)) {
      return absl::InvalidArgumentError(fmt::format(
          "--plot draws metrics, and '{}' is no number that can be drawn; try -f cpu,rss", FieldKey(field)));
    }
    curves.push_back({.metric = field.metric});
  }
  return curves;
}

struct Drawn {
  std::vector<Curve> curves;
  int64_t begin_ns = 0;
  int64_t end_ns = 0;
  uint32_t most_tasks = 0;
  bool any = false;  // lives within a step are at no end of one
};

void Take(const v1::Totals& totals, Drawn* drawn) {
  for (const v1::TotalsPoint& point : totals.points()) {
    const int64_t time_ns = point.tick().time_ns();
    if (drawn->begin_ns == 0) drawn->begin_ns = time_ns - static_cast<int64_t>(point.tick().elapsed_ns());
    drawn->end_ns = time_ns + 1;
    drawn->most_tasks = std::max(drawn->most_tasks, point.tasks());
    for (Curve& curve : drawn->curves) {
      const auto id = static_cast<uint32_t>(curve.metric->id);
      const auto index =
          static_cast<int>(std::find(totals.metrics().begin(), totals.metrics().end(), id) - totals.metrics().begin());
      const bool unavailable =
          std::find(point.unavailable().begin(), point.unavailable().end(), id) != point.unavailable().end();
      curve.redacted |= std::find(point.redacted().begin(), point.redacted().end(), id) != point.redacted().end();
      const bool known = index < point.values_size() && !unavailable;
      drawn->any |= known || point.tasks() > 0;
      curve.points.push_back({time_ns, known ? point.values(index) : std::nan("")});
    }
  }
}

std::string Draw(const Curve& curve, const Drawn& drawn, const Options& options, int width) {
  const auto label = [&](double value) { return Labelled(*curve.metric, value, options.raw); };
  double sum = 0;
  double most = 0;
  int known = 0;
  for (const plot::Point& point : curve.points) {
    if (std::isnan(point.value)) continue;
    sum += point.value;
    most = std::max(most, point.value);
    ++known;
  }
  const std::string left = fmt::format("{} ({})", curve.metric->short_name, UnitText(*curve.metric));
  if (known == 0) return Spread(left, curve.redacted ? "not for this user" : "not available", width);
  std::string text = Spread(
      left, fmt::format("last {}  mean {}  max {}", label(curve.points.back().value), label(sum / known), label(most)),
      width);
  const plot::GraphOptions graph{.width = width,
                                 .rows = kRows,
                                 .begin_ns = drawn.begin_ns,
                                 .end_ns = drawn.end_ns,
                                 .bytes = curve.metric->unit == v1::BYTES,
                                 .label = label,
                                 .time = TimeLabels(drawn.begin_ns, drawn.end_ns)};
  for (const std::string& line : plot::Graph(curve.points, graph)) text += line + "\n";
  return text;
}

// ---- events --histogram

struct Counted {
  int64_t begin_ns = 0;
  int64_t end_ns = 0;
  Coverage coverage;
  std::vector<std::pair<int64_t, v1::EventType>> events;
};

// The stretch that was asked for, where it is known; otherwise from the first event to the last.
void FindRange(const Coverage& coverage, Counted* counted) {
  counted->coverage = coverage;
  counted->begin_ns = counted->events.front().first;
  counted->end_ns = counted->events.back().first + 1;
  if (coverage.end_ns == 0) return;
  counted->begin_ns = std::min(counted->begin_ns, coverage.begin_ns);
  counted->end_ns = std::max(counted->end_ns, coverage.end_ns);
}

// How much of a time is recorded: all of it where nobody knows.
double RecordedNs(const Counted& counted, int64_t from_ns, int64_t to_ns) {
  return static_cast<double>(counted.coverage.recorded.empty() ? to_ns - from_ns
                                                               : counted.coverage.Recorded(from_ns, to_ns));
}

double RecordedSeconds(const Counted& counted) {
  return std::max(1.0, RecordedNs(counted, counted.begin_ns, counted.end_ns)) / 1e9;
}

// Per second of what is recorded, in each of `parts`; NaN where nothing is.
std::vector<double> Rates(const Counted& counted, std::optional<v1::EventType> type, int parts) {
  std::vector<double> rates(static_cast<size_t>(parts));
  const double part_ns = static_cast<double>(counted.end_ns - counted.begin_ns) / parts;
  for (const auto& [time_ns, each] : counted.events) {
    if (type && each != *type) continue;
    const int part = static_cast<int>(static_cast<double>(time_ns - counted.begin_ns) / part_ns);
    ++rates[static_cast<size_t>(std::clamp(part, 0, parts - 1))];
  }
  for (size_t i = 0; i < rates.size(); ++i) {
    const auto from_ns = counted.begin_ns + static_cast<int64_t>(part_ns * static_cast<double>(i));
    const double recorded_ns = RecordedNs(counted, from_ns, from_ns + static_cast<int64_t>(part_ns));
    // Of a sliver a few events would make a storm.
    rates[i] = recorded_ns <= 0 ? std::nan("") : rates[i] * 1e9 / std::max(recorded_ns, std::min(part_ns / 4, 1e9));
  }
  return rates;
}

double Highest(const std::vector<double>& rates) {
  double most = 0;
  for (const double rate : rates) most = rate > most ? rate : most;
  return most;
}

std::string RateText(double rate) { return rate > 0 && rate < 9.95 ? fmt::format("{:.2g}", rate) : HumanCount(rate); }

std::string DrawTotal(const Counted& counted, int width) {
  const int cells = std::max(10, width - 9);
  const std::vector<double> rates = Rates(counted, std::nullopt, cells);
  std::vector<plot::Point> points;
  for (size_t i = 0; i < rates.size(); ++i) {
    const int64_t part_ns = (counted.end_ns - counted.begin_ns) / cells;
    points.push_back({counted.begin_ns + part_ns * static_cast<int64_t>(i) + part_ns / 2, rates[i]});
  }
  const double seconds = RecordedSeconds(counted);
  const auto span_ns = static_cast<double>(counted.end_ns - counted.begin_ns);
  const std::string of = seconds * 1e9 < span_ns * 0.99 ? " recorded of " + HumanDuration(span_ns) : "";
  std::string text = Spread(
      fmt::format("events per second ({} in {}{})", Thousands(counted.events.size()), HumanDuration(seconds * 1e9), of),
      fmt::format("mean {}  max {}", RateText(static_cast<double>(counted.events.size()) / seconds),
                  RateText(Highest(rates))),
      width);
  const plot::GraphOptions graph{.width = width,
                                 .rows = kRows,
                                 .begin_ns = counted.begin_ns,
                                 .end_ns = counted.end_ns,
                                 .bars = true,
                                 .label = RateText,
                                 .time = TimeLabels(counted.begin_ns, counted.end_ns)};
  for (const std::string& line : plot::Graph(points, graph)) text += line + "\n";
  return text;
}

std::string DrawTypes(const Counted& counted, int width) {
  std::map<v1::EventType, size_t> types;
  for (const auto& [time_ns, type] : counted.events) ++types[type];
  const int cells = std::max(10, width - 38);
  std::string text = fmt::format("{:<10} {:>10} {:>7} {:>7}\n", "TYPE", "COUNT", "MEAN/s", "MAX/s");
  for (const auto& [type, count] : types) {
    const std::vector<double> rates = Rates(counted, type, cells);
    const double most = Highest(rates);
    std::string line = fmt::format("{:<10} {:>10} {:>7} {:>7} ", EventTypeName(type), Thousands(count),
                                   RateText(static_cast<double>(count) / RecordedSeconds(counted)), RateText(most));
    line += plot::BlockColumns(rates, 1, most).front();
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace

int PlotHistory(const Options& options, const v1::HistoryRequest& request, Backend* backend, Context* context) {
  if (!options.by.empty()) {
    return Fail(
        absl::InvalidArgumentError("--plot draws all tasks together, not by group; leave out --by or --plot, or "
                                   "draw one group with an expression like 'unit == nginx.service'"),
        context);
  }
  const absl::StatusOr<std::vector<Curve>> curves = CurvesFor(options);
  if (!curves.ok()) return Fail(curves.status(), context);
  Tally tally{.redacted = NoteHiddenFields(options.expression, backend, context)};
  const bool hidden = tally.redacted;
  const int width = WidthOf(*context);
  Drawn drawn{.curves = *curves};
  v1::TotalsRequest totals;
  *totals.mutable_selection() = request.selection();
  totals.mutable_selection()->clear_metrics();
  for (const Curve& curve : *curves) totals.mutable_selection()->add_metrics(curve.metric->id);
  totals.set_begin(request.begin());
  totals.set_end(request.end());
  Waiting waiting("reading the history", backend, context);
  totals.set_step_ns(StepFor(request, options, backend, *context, width));
  const absl::Status status = backend->ReadTotals(totals, [&](const v1::Totals& some) {
    Take(some, &drawn);
    return true;
  });
  waiting.End();
  if (status.ok()) LookForGaps(request.begin(), request.end(), options, backend, context, &tally);
  tally.rows = drawn.any ? std::max(drawn.most_tasks, 1u) : 0;
  for (const Curve& curve : drawn.curves) tally.redacted |= curve.redacted;
  if (status.ok() && drawn.any) {
    if (drawn.most_tasks > 1) {
      context->out->Write(
          fmt::format("up to {} {} together\n", Thousands(drawn.most_tasks),
                      options.threads ? "threads, or processes whose threads are not stored," : "processes"));
    }
    for (const Curve& curve : drawn.curves) context->out->Write(Draw(curve, drawn, options, width));
    context->out->Write(
        fmt::format("{} {}\n", LocalTime(drawn.begin_ns, false).substr(0, 10), LocalZone(drawn.begin_ns)));
    if (tally.redacted && !hidden)
      Note("without the tasks whose values this user may not see; membership of group taskmon shows them", context);
  }
  return Conclude(status, tally, options, context);
}

int CountEvents(const Options& options, const v1::EventsRequest& request, Backend* backend, Context* context) {
  const bool hidden = NoteHiddenFields(options.expression, backend, context);
  Counted counted;
  Waiting waiting("reading the events", backend, context);
  const absl::Status status = backend->ReadEvents(request, [&](const v1::EventBatch& batch) {
    for (const v1::Event& event : batch.events()) {
      if (counted.events.size() < kMostEvents) counted.events.emplace_back(event.time_ns(), event.type());
    }
    return true;
  });
  waiting.End();
  Tally tally{.rows = counted.events.size(), .redacted = hidden};
  Coverage coverage;
  if (status.ok()) coverage = LookForGaps(request.begin(), request.end(), options, backend, context, &tally);
  if (status.ok() && !counted.events.empty()) {
    std::sort(counted.events.begin(), counted.events.end());
    FindRange(coverage, &counted);
    const int width = WidthOf(*context);
    context->out->Write(DrawTotal(counted, width) + DrawTypes(counted, width));
    context->out->Write(
        fmt::format("{} {}\n", LocalTime(counted.begin_ns, false).substr(0, 10), LocalZone(counted.begin_ns)));
  }
  return Conclude(status, tally, options, context);
}

}  // namespace taskmon::client

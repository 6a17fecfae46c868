// SPDX-License-Identifier: Apache-2.0
#include "client/commands/commands.h"

#include <fmt/format.h>

#include "client/commands/answer.h"
#include "client/exit_code.h"
#include "client/output/metrics_text.h"
#include "client/suggest.h"

namespace taskmon::client {
namespace {

constexpr size_t kDefaultWidth = 80;

absl::StatusOr<MetricList> Chosen(const std::vector<std::string>& names) {
  MetricList chosen;
  for (const std::string& name : names) {
    const MetricDesc* metric = FindMetric(name);
    if (metric == nullptr) {
      std::vector<std::string> known;
      for (const MetricDesc& each : AllMetrics()) known.insert(known.end(), {each.name, each.short_name});
      return absl::InvalidArgumentError(
          fmt::format("unknown metric '{}'{}", name, SuggestOr(name, known, "`taskmonctl metrics` lists them")));
    }
    chosen.push_back(metric);
  }
  if (!names.empty()) return chosen;
  for (const MetricDesc& metric : AllMetrics()) chosen.push_back(&metric);
  return chosen;
}

// The catalogue needs no daemon; what it adds is welcome, and its absence no error.
MetricHealthMap AskForHealth(const Options& options, Context* context) {
  MetricHealthMap health;
  const absl::StatusOr<std::unique_ptr<Backend>> backend = context->open_backend(options);
  if (!backend.ok()) return health;
  const absl::StatusOr<v1::Doctor> doctor = (*backend)->GetDoctor();
  if (!doctor.ok()) return health;
  for (const v1::MetricHealth& metric : doctor->metrics()) {
    if (IsMetric(metric.metric())) health[static_cast<v1::Metric>(metric.metric())] = metric;
  }
  return health;
}

void Explain(const MetricList& metrics, const MetricHealthMap& health, Context* context) {
  const size_t width = context->terminal.width == 0 ? kDefaultWidth : context->terminal.width;
  for (const MetricDesc* metric : metrics) {
    if (metric != metrics.front()) context->out->Write("\n");
    context->out->Write(ExplainMetric(*metric, health, width));
  }
}

}  // namespace

int RunMetrics(const Options& options, Context* context) {
  if (!options.schema_of.empty()) return PrintSchema(JsonShape::kArray, {MetricSchema()}, options, context);
  const absl::StatusOr<MetricList> metrics = Chosen(options.names);
  if (!metrics.ok()) return Fail(metrics.status(), context);
  if (options.format == Format::kMarkdown) {
    context->out->Write(MetricsMarkdown(*metrics));
    return kMatched;
  }
  const MetricHealthMap health = AskForHealth(options, context);
  if (!IsTable(options.format)) {
    PrintMetricsRecords(*metrics, health, options, context->out);
  } else if (!options.names.empty()) {
    Explain(*metrics, health, context);
  } else {
    PrintMetricsTable(*metrics, health, options, context->terminal, context->out);
    if (context->terminal.is_terminal) context->out->Write("`taskmonctl metrics NAME` explains one.\n");
  }
  return kMatched;
}

}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
//
// The catalogue in every form in which it is read: a table, an explanation of single metrics, rows for programs, and
// the documentation page. `health` is what the daemon said of each metric here; empty when nobody was asked. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "client/options.h"
#include "client/output/output.h"
#include "client/terminal.h"
#include "proto/catalogue.h"
#include "taskmon/v1/taskmon.pb.h"

namespace taskmon::client {

using MetricHealthMap = std::map<v1::Metric, v1::MetricHealth>;
using MetricList = std::vector<const MetricDesc*>;

void PrintMetricsTable(const MetricList& metrics, const MetricHealthMap& health, const Options& options,
                       const Terminal& terminal, Output* out);
void PrintMetricsRecords(const MetricList& metrics, const MetricHealthMap& health, const Options& options, Output* out);

// Of one row of -o json.
std::string MetricSchema();

// A block with everything that is known about one metric, lines wrapped at `width`.
std::string ExplainMetric(const MetricDesc& metric, const MetricHealthMap& health, size_t width);

// The metrics page: a section for each group.
std::string MetricsMarkdown(const MetricList& metrics);

}  // namespace taskmon::client

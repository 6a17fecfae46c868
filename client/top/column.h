// SPDX-License-Identifier: Apache-2.0
//
// The columns of the list: attributes of a task, and metrics alone or added up (disk is read plus write). Pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "client/fields.h"
#include "client/top/frame.h"

namespace taskmon::client::top {

struct Column {
  std::string name;  // what a person types to sort by it
  std::string header;
  Attribute attribute = Attribute::kNone;
  std::vector<v1::Metric> metrics;  // added up; empty for an attribute
  int width = 6;
  bool meter = false;    // has a cell that shows the value as a block
  double meter_top = 0;  // the value that fills it; values beyond one decade below show on a logarithmic scale
  int narrowest = 0;     // shown on screens of at least so many columns

  bool is_metric() const { return !metrics.empty(); }
};

// What the list shows, the command last. Narrow screens leave some out.
std::vector<Column> DefaultColumns();

// A column for any attribute or metric by its name. InvalidArgument names the nearest known one.
absl::StatusOr<Column> ColumnFor(const std::string& name);

// Names that ColumnFor takes.
std::vector<std::string> ColumnNames();

// The metrics that the columns and the header graphs need.
std::vector<v1::Metric> MetricsFor(const std::vector<Column>& columns);

Value ValueOf(const Column& column, const Frame& frame, const std::vector<Value>& values);

// "12.3", "1.2G", "-", "*", "~40M". Not terminal safe where the attribute is free text.
std::string TextOf(const Column& column, const Value& value);
std::string TextOf(const Column& column, const Item& item);

// How full the meter is, 0 to 1.
double ShareOf(const Column& column, const Value& value);

// A value with its unit: counters as "/s".
std::string ValueText(const MetricDesc& metric, const Value& value);

}  // namespace taskmon::client::top

// SPDX-License-Identifier: Apache-2.0
//
// Two windows side by side, one row for each task or group that was in one of them: counters as rates per second,
// gauges as means, maxima as they are, since windows may differ in length. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/output/output.h"
#include "client/output/task_printer.h"
#include "client/task_row.h"
#include "client/terminal.h"

namespace taskmon::client {

// What a row says in one window, with copies of all it needs.
struct DiffSide {
  v1::TaskInfo info;
  uint32_t tasks = 0;
  std::vector<std::optional<double>> values;  // parallel to the layout's fields, in catalogue units
};

struct DiffRow {
  std::optional<DiffSide> before, after;  // one of them at least
};

struct DiffLayoutInfo {
  TaskLayout layout;  // fields are metrics
  uint64_t before_elapsed_ns = 0;
  uint64_t after_elapsed_ns = 0;
};

// Numbers that can grow and shrink, as against letters, instants and circumstances.
bool CanDiffer(const MetricDesc& metric);

DiffSide MakeDiffSide(const std::vector<Field>& fields, const TaskRow& row);
// Makes rates of what counters grew by.
void PerSecond(const DiffLayoutInfo& info, DiffRow* row);
// After less before; what was not there is 0. nullopt: not known.
std::optional<double> Change(const DiffRow& row, size_t column);

// Of one row of -o json.
std::string DiffSchema(const TaskLayout& layout);
void PrintDiff(const DiffLayoutInfo& info, const std::vector<DiffRow>& rows, const Terminal& terminal, Output* out);

}  // namespace taskmon::client

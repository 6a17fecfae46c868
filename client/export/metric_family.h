// SPDX-License-Identifier: Apache-2.0
//
// Catalogue metrics as OpenMetrics has them: names and base units from the descriptors alone. Pure.
//   task_utime_jiffies → taskmon_task_utime_seconds (a counter: …_total)     task_vm_size → taskmon_task_vm_size_bytes
//   task_fork_count → taskmon_task_fork (…_total)    task_io_wait_time_max → taskmon_task_io_wait_time_max_seconds
#pragma once

#include "client/export/exposition.h"
#include "proto/catalogue.h"

namespace taskmon::client {

// What a group of tasks can have: counters, maxima, and sizes and numbers that add up. Not: states, priorities, limits,
// percentages (a rate of task_runtime is one), the circumstances of a maximum.
bool IsExported(const MetricDesc& metric);

// Precondition: IsExported.
MetricFamily FamilyOf(const MetricDesc& metric);

// A held value in the family's unit.
double ExportedValue(const MetricDesc& metric, int64_t value);

}  // namespace taskmon::client

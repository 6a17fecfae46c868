// SPDX-License-Identifier: Apache-2.0
//
// What a field holds in a row, as text for people, as a JSON member and as a CSV field. The three forms of one value
// stand side by side here so that they cannot drift apart. Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "client/fields.h"
#include "client/output/json_object.h"
#include "client/task_row.h"

namespace taskmon::client {

// Which marks a table has shown, for the legend beneath it.
struct Marks {
  bool unavailable = false;  // "-"
  bool redacted = false;     // "*"
  bool stale = false;        // "~" before the value
};

// Terminal safe. Without `raw` values have units for people and local times; with it they are as in CSV, but for the
// marks.
std::string CellText(const Field& field, const TaskRow& row, bool raw, Marks* marks);

// Already quoted; empty where unavailable or redacted.
std::string CellCsv(const Field& field, const TaskRow& row);

// Writes the member unless the field is unavailable or redacted.
void CellKey(const Field& field, const TaskRow& row, JsonObject* object);

// Never kNotAsked: a field that the answer lacks is unavailable.
Presence PresenceOf(const Field& field, const TaskRow& row);

// "java -jar app.jar" for "/usr/bin/java -jar app.jar"; "[kworker/0:1]" where there is no command line.
std::string CommandText(const v1::TaskInfo& info);

// "2026-11-22 08:15:30" in local time, with milliseconds when `fraction`.
std::string LocalTime(int64_t wall_ns, bool fraction);
// The zone of local times then: "UTC", "CET", "CEST".
std::string LocalZone(int64_t wall_ns);
// For columns: today's zone is in the header, and a time of another zone has it behind.
std::string TimeHeader(const std::string& name);
std::string ColumnTime(int64_t wall_ns, bool fraction);

}  // namespace taskmon::client

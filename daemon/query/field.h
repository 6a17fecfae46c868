// SPDX-License-Identifier: Apache-2.0
//
// What an expression or a sort key can name: the attributes of a task, and every metric by its full or short name.
// One table, built once, immutable, safe from every thread. Reading a field honours redaction: what the caller may not
// see reads as unknown, exactly like what is unavailable.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/query/row.h"
#include "proto/catalogue.h"

namespace taskmon::query {

enum class Attribute : uint8_t {
  kMetric,  // not an attribute: Field.metric says which metric
  kTid,
  kTgid,
  kPpid,
  kUid,
  kGid,
  kComm,
  kCmdline,
  kExe,
  kUser,
  kApp,
  kCgroup,
  kUnit,
  kContainer,
  kKthread,
  kTracked,
  kRules,
  kAge,
  kStartTime,
};

enum class FieldType : uint8_t {
  kText,
  kTextList,  // a test holds when it holds for one of them
  kNumber,    // in catalogue units
  kDuration,  // ns
  kTime,      // wall-clock ns
  kBoolean,   // 0 or 1
  kLetter,    // an ASCII code
};

struct Field {
  std::string name;
  FieldType type = FieldType::kText;
  Attribute attribute = Attribute::kMetric;
  const MetricDesc* metric = nullptr;  // set exactly for metrics

  bool is_counter() const { return metric != nullptr && metric->kind == v1::COUNTER; }
  bool is_text() const { return type == FieldType::kText || type == FieldType::kTextList; }
};

// nullptr: no such field.
const Field* FindField(std::string_view name);

// Attributes first, then metrics by short and full name: for suggestions.
const std::vector<std::string>& FieldNames();

enum class CounterAs : uint8_t { kRate, kTotal };

// Any field that is not text; metrics in catalogue units. nullopt: unavailable or redacted.
std::optional<double> ReadNumber(const Row& row, const Field& field, CounterAs counter);

// Whether the caller may not see the field in this row.
bool IsHidden(const Row& row, const Field& field);

// A kText field. nullopt: redacted, or not known (a user that has no name). The view lives as long as the row's task.
std::optional<std::string_view> ReadText(const Row& row, const Field& field);

}  // namespace taskmon::query

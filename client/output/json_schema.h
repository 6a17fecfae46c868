// SPDX-License-Identifier: Apache-2.0
//
// The JSON Schema (draft 2020-12) of one object, put together key by key: closed, so that a key it does not name is
// an error. A key that is added twice keeps its first type. Types are schemas themselves, as JSON text.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "proto/catalogue.h"

namespace taskmon::client {

class JsonSchema {
 public:
  void Add(std::string_view key, std::string_view type, bool required);
  // {"type":"object",…}
  std::string Text() const;

 private:
  std::set<std::string, std::less<>> keys_;
  std::string properties_;
  std::string required_;
};

// What a metric's value is, with what the catalogue says of it.
std::string MetricType(const MetricDesc& metric);
// A list of `items`.
std::string ArrayType(std::string_view items);
// An object whose keys are names that nobody knows before, each with such a value.
std::string MapType(std::string_view values);

// A whole document about an object that fits one of the schemas, or, as an array, about a list of such.
std::string SchemaDocument(std::string_view title, const std::vector<std::string>& schemas, bool array);

}  // namespace taskmon::client

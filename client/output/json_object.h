// SPDX-License-Identifier: Apache-2.0
//
// Writes one JSON object into a string, key by key; nothing is held or looked up. Keys must not repeat. Doubles that
// are no number (NaN, infinity) become null.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "client/output/number.h"

namespace taskmon::client {

class JsonObject {
 public:
  // Writes "{"; `out` must outlive the object.
  explicit JsonObject(std::string* out);

  void String(std::string_view key, std::string_view value);
  template <std::integral Integer>
  void Number(std::string_view key, Integer value) {
    Key(key);
    out_->append(std::to_string(value));
  }
  void Number(std::string_view key, double value);
  void Bool(std::string_view key, bool value);
  void Null(std::string_view key);
  void Metric(const MetricDesc& metric, int64_t value);
  // Writes the key and leaves the value to the caller, who appends it to the returned string.
  std::string* Key(std::string_view key);

  // Writes "}".
  void Close();

 private:
  std::string* out_;
  bool first_ = true;
};

// Appends [a,b,…] with append(item, out) for each item.
template <typename Items, typename Append>
void AppendJsonArray(const Items& items, std::string* out, Append append) {
  out->push_back('[');
  bool first = true;
  for (const auto& item : items) {
    if (!first) out->push_back(',');
    first = false;
    append(item, out);
  }
  out->push_back(']');
}

}  // namespace taskmon::client

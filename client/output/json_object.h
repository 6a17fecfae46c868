// SPDX-License-Identifier: Apache-2.0
//
// One JSON object, key by key, either written as text or described as a JSON Schema. What an object holds is told once,
// by a function `keys(message, object)` that makes the same calls in both cases: a description comes from a message
// without content, whose values are not looked at, only their types. So such a function must not leave out a call by
// itself: what is not always there stands in When, what may be null has a method of its own.
//
// Nothing is held or looked up. Keys must not repeat. Doubles that are no number (NaN, infinity) become null.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "client/output/json_schema.h"
#include "client/output/number.h"

namespace taskmon::client {

class JsonObject {
 public:
  // Writes "{"; `out` must outlive the object.
  explicit JsonObject(std::string* out);
  // Describes; `schema` must outlive the object.
  explicit JsonObject(JsonSchema* schema) : schema_(schema) {}

  void String(std::string_view key, std::string_view value);
  void StringOrNull(std::string_view key, bool known, std::string_view value);
  void StringOrNull(std::string_view key, std::string_view value) { StringOrNull(key, !value.empty(), value); }
  template <std::integral Integer>
  void Number(std::string_view key, Integer value) {
    if (Begin(key, R"({"type":"integer"})")) out_->append(std::to_string(value));
  }
  void Number(std::string_view key, double value);
  template <typename Value>
  void NumberOrNull(std::string_view key, bool known, Value value) {
    constexpr bool kInteger = std::integral<Value>;
    if (!Begin(key, kInteger ? R"({"type":["integer","null"]})" : R"({"type":["number","null"]})")) return;
    AppendNumber(known, value);
  }
  void Bool(std::string_view key, bool value);
  void Time(std::string_view key, int64_t time_ns);        // RFC 3339
  void TimeOrNull(std::string_view key, int64_t time_ns);  // null: 0
  void Times(const std::string& key, int64_t time_ns);     // KEY as RFC 3339, KEY_ns as a number
  void Metric(const MetricDesc& metric, int64_t value);

  template <typename Items>
  void Strings(std::string_view key, const Items& items) {
    if (!Begin(key, R"({"type":"array","items":{"type":"string"}})")) return;
    AppendList('[', ']', items, [this](const auto& item) { AppendText(item); });
  }
  // Numbers under names of their own: {"a":1}; `items` are pairs.
  template <typename Pairs>
  void Numbers(std::string_view key, const Pairs& items) {
    if (!Begin(key, R"({"type":"object","additionalProperties":{"type":"number"}})")) return;
    AppendList('{', '}', items, [this](const auto& item) {
      AppendText(item.first);
      out_->push_back(':');
      AppendNumber(true, item.second);
    });
  }
  template <typename Message, typename Keys>
  void Object(std::string_view key, const Message& message, Keys keys) {
    if (Begin(key, [&] { return Described<Message>(keys); })) Append(message, keys);
  }
  template <typename Items, typename Keys>
  void Array(std::string_view key, const Items& items, Keys keys) {
    using Message = typename Items::value_type;
    if (!Begin(key, [&] { return ArrayType(Described<Message>(keys)); })) return;
    AppendList('[', ']', items, [&](const Message& item) { Append(item, keys); });
  }
  // Objects under names of their own: {"a":{…}}.
  template <typename Items, typename Name, typename Keys>
  void Map(std::string_view key, const Items& items, Name name, Keys keys) {
    using Message = typename Items::value_type;
    if (!Begin(key, [&] { return MapType(Described<Message>(keys)); })) return;
    AppendList('{', '}', items, [&](const Message& item) {
      AppendText(name(item));
      out_->push_back(':');
      Append(item, keys);
    });
  }

  // Keys that are not always there: `keys()` is called when they are, and always to describe.
  template <typename Keys>
  void When(bool present, Keys keys) {
    if (schema_ == nullptr) {
      if (present) keys();
      return;
    }
    const bool outer = std::exchange(optional_, true);
    keys();
    optional_ = outer;
  }

  // Writes "}".
  void Close();

  // keys(message, JsonObject*) as text, and as the schema of such objects.
  template <typename Message, typename Keys>
  static std::string Text(const Message& message, Keys keys) {
    std::string text;
    JsonObject object(&text);
    keys(message, &object);
    object.Close();
    return text;
  }
  template <typename Message, typename Keys>
  static std::string Described(Keys keys, const Message& blank = Message()) {
    JsonSchema schema;
    JsonObject object(&schema);
    keys(blank, &object);
    return schema.Text();
  }

 private:
  // True when the value is to be written; its key is.
  bool Begin(std::string_view key, std::string_view type);
  template <std::invocable Type>
  bool Begin(std::string_view key, Type type) {
    return schema_ == nullptr ? Begin(key, std::string_view()) : Begin(key, std::string_view(type()));
  }
  template <typename Items, typename AppendItem>
  void AppendList(char open, char close, const Items& items, AppendItem append) {
    out_->push_back(open);
    bool first = true;
    for (const auto& item : items) {
      if (!first) out_->push_back(',');
      first = false;
      append(item);
    }
    out_->push_back(close);
  }
  template <typename Message, typename Keys>
  void Append(const Message& message, Keys keys) {
    JsonObject object(out_);
    keys(message, &object);
    object.Close();
  }
  template <std::integral Integer>
  void AppendNumber(bool known, Integer value) {
    out_->append(known ? std::to_string(value) : "null");
  }
  void AppendNumber(bool known, double value);
  void AppendText(std::string_view text);

  std::string* out_ = nullptr;
  JsonSchema* schema_ = nullptr;
  bool first_ = true;
  bool optional_ = false;  // what is described may be missing
};

}  // namespace taskmon::client

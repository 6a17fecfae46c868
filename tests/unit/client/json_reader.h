// SPDX-License-Identifier: Apache-2.0
//
// Reads JSON back with a parser that is not ours: protobuf's.
#pragma once

#include <string>
#include <vector>

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

namespace taskmon::client {

inline google::protobuf::Value ReadJson(const std::string& text) {
  google::protobuf::Value value;
  const auto status = google::protobuf::util::JsonStringToMessage(text, &value);
  EXPECT_TRUE(status.ok()) << status.ToString() << "\n" << text;
  return value;
}

inline std::vector<google::protobuf::Struct> ReadRows(const std::string& text) {
  std::vector<google::protobuf::Struct> rows;
  const google::protobuf::Value value = ReadJson(text);
  EXPECT_TRUE(value.has_list_value()) << text;
  for (const google::protobuf::Value& row : value.list_value().values()) rows.push_back(row.struct_value());
  return rows;
}

inline double Number(const google::protobuf::Struct& row, const std::string& key) {
  const auto field = row.fields().find(key);
  if (field == row.fields().end()) ADD_FAILURE() << "no key " << key;
  return field == row.fields().end() ? -1 : field->second.number_value();
}

inline std::string Text(const google::protobuf::Struct& row, const std::string& key) {
  const auto field = row.fields().find(key);
  if (field == row.fields().end()) ADD_FAILURE() << "no key " << key;
  return field == row.fields().end() ? "" : field->second.string_value();
}

inline std::vector<std::string> Texts(const google::protobuf::Struct& row, const std::string& key) {
  std::vector<std::string> texts;
  const auto field = row.fields().find(key);
  if (field == row.fields().end()) return texts;
  for (const auto& value : field->second.list_value().values()) texts.push_back(value.string_value());
  return texts;
}

}  // namespace taskmon::client

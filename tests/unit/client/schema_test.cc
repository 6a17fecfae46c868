// SPDX-License-Identifier: Apache-2.0
//
// What the schemas say. That the answers of every command fit them is held by e2e.formats.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/output/json_object.h"
#include "fake_backend.h"
#include "json_reader.h"

namespace taskmon::client {
namespace {

using google::protobuf::Struct;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

struct Part {
  int number = 0;
  std::vector<Part> parts;
};

void PartKeys(const Part& part, JsonObject* object) {
  object->Number("number", part.number);
  object->NumberOrNull("share", part.number != 0, 0.5);
  object->When(part.number == 7, [&] { object->String("lucky", "yes"); });
}

void WholeKeys(const Part& part, JsonObject* object) {
  PartKeys(part, object);
  object->Array("parts", part.parts, PartKeys);
}

const Struct& Under(const Struct& object, const std::string& key) { return object.fields().at(key).struct_value(); }

Struct SchemaOf(std::vector<std::string> command) {
  command.emplace_back("--json-schema");
  FakeAnswers answers;
  answers.result = absl::UnavailableError("nobody is to be asked");
  const Outcome outcome = Invoke(command, &answers);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return ReadJson(outcome.out).struct_value();
}

// Of one of the items that the command lists.
Struct ItemSchemaOf(const std::vector<std::string>& command) {
  const Struct schema = SchemaOf(command);
  EXPECT_EQ(Text(schema, "type"), "array");
  return Under(schema, "items");
}

TEST(JsonObject, IsWrittenAndDescribedByTheSameFunction) {
  const Part whole{.number = 1, .parts = {{.number = 7}, {}}};
  EXPECT_EQ(JsonObject::Text(whole, WholeKeys),
            R"({"number":1,"share":0.5,"parts":[{"number":7,"share":0.5,"lucky":"yes"},{"number":0,"share":null}]})");
  const Struct schema = ReadJson(JsonObject::Described<Part>(WholeKeys)).struct_value();
  EXPECT_FALSE(schema.fields().at("additionalProperties").bool_value());
  EXPECT_EQ(Texts(schema, "required"), (std::vector<std::string>{"number", "share", "parts"}));
  EXPECT_EQ(Texts(Under(Under(schema, "properties"), "share"), "type"), (std::vector<std::string>{"number", "null"}));
  const Struct& items = Under(Under(Under(schema, "properties"), "parts"), "items");
  EXPECT_EQ(Texts(items, "required"), (std::vector<std::string>{"number", "share"}));
  EXPECT_EQ(Text(Under(Under(items, "properties"), "lucky"), "type"), "string");
}

TEST(Schema, OfRowsHasEveryMetricWithItsMeaningAndRequiresNone) {
  const Struct document = SchemaOf({"ps"});
  EXPECT_EQ(Text(document, "$schema"), "https://json-schema.org/draft/2020-12/schema");
  EXPECT_EQ(Text(document, "title"), "taskmonctl ps");
  const Struct schema = ItemSchemaOf({"ps"});
  for (const MetricDesc& metric : AllMetrics()) {
    EXPECT_THAT(Text(Under(Under(schema, "properties"), metric.name), "description"), HasSubstr(metric.help));
    EXPECT_THAT(Texts(schema, "required"), Not(Contains(metric.name)));
  }
  for (const char* key : {"tid", "comm", "start_ns", "rules"}) EXPECT_THAT(Texts(schema, "required"), Contains(key));
}

TEST(Schema, FollowsFieldsAndGroups) {
  const Struct schema = ItemSchemaOf({"ps", "-f", "tid,cpu", "--by", "unit"});
  const auto& properties = Under(schema, "properties").fields();
  EXPECT_TRUE(properties.contains("task_cpu_percent"));
  EXPECT_FALSE(properties.contains("task_pm_size"));
  EXPECT_FALSE(properties.contains("tid"));
  EXPECT_THAT(Texts(schema, "required"), Contains("unit"));
}

TEST(Schema, OfAHistoryIsThatOfARowOrAGap) {
  const Struct schema = ItemSchemaOf({"history"});
  ASSERT_EQ(schema.fields().at("anyOf").list_value().values_size(), 2);
  const Struct& gap = schema.fields().at("anyOf").list_value().values(1).struct_value();
  EXPECT_THAT(Texts(gap, "required"), Contains("gap"));
}

TEST(Schema, OfALineIsThatOfAnItem) {
  EXPECT_EQ(Text(SchemaOf({"ps", "-o", "jsonl"}), "type"), "object");
  EXPECT_EQ(Text(SchemaOf({"status"}), "type"), "object");
  EXPECT_EQ(Text(SchemaOf({"rule", "list"}), "type"), "array");
}

TEST(Schema, NeedsNoneOfTheArgumentsThatTheCommandNeeds) {
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{{"show"},
                                                                                       {"diff"},
                                                                                       {"status"},
                                                                                       {"doctor"},
                                                                                       {"metrics"},
                                                                                       {"events"},
                                                                                       {"watch"},
                                                                                       {"rule", "add"},
                                                                                       {"rule", "explain"},
                                                                                       {"rule", "test"},
                                                                                       {"rule", "versions"},
                                                                                       {"rule", "list"},
                                                                                       {"rule", "apply"}}) {
    EXPECT_TRUE(SchemaOf(command).fields().contains("title")) << command.back();
  }
}

TEST(Schema, IsAboutJsonAlone) {
  FakeAnswers answers;
  const Outcome outcome = Invoke({"ps", "--json-schema", "-o", "csv"}, &answers);
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("leave out -o"));
  EXPECT_EQ(Invoke({"version", "--json-schema"}, &answers).code, 2);
}

}  // namespace
}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
#include "client/output/rule_text.h"

#include <algorithm>
#include <map>
#include <vector>

#include <fmt/format.h>

#include "client/output/cell.h"
#include "client/output/escape.h"
#include "client/output/json_object.h"
#include "client/output/records.h"
#include "client/output/table.h"
#include "daemon/query/time_spec.h"

namespace taskmon::client {
namespace {

// Two values of this length together fit on one line of a terminal with the name of the field.
constexpr size_t kShortChange = 56;

std::string_view YesNo(bool value) { return value ? "yes" : "no"; }

std::string MatchedText(const v1::Rule& rule) {
  return rule.has_matched() ? std::to_string(rule.matched()) : std::string("-");
}

TableStyle StyleOf(const Options& options, const Terminal& terminal) {
  return {.width = options.format == Format::kWide ? 0 : terminal.width,
          .header = options.header,
          .bold_header = terminal.color};
}

void PrintRulesTable(const v1::RuleList& list, const Options& options, const Terminal& terminal, Output* out) {
  const bool wide = options.format == Format::kWide;
  std::vector<Column> columns = {{.header = "ORDER", .align = Align::kRight},
                                 {.header = "NAME", .max_width = 24},
                                 {.header = "ON"},
                                 {.header = "ACTION"},
                                 {.header = "MATCHED", .align = Align::kRight},
                                 {.header = "STAGE"}};
  if (wide) columns.insert(columns.end(), {{.header = "GROUPS"}, {.header = "THREADS"}, {.header = "HOLD"}});
  columns.push_back({.header = "EXPR"});
  if (wide) columns.push_back({.header = "NOTE"});
  Table table(columns, StyleOf(options, terminal), out);
  for (const v1::Rule& rule : list.rules()) {
    const v1::RuleFields& fields = rule.fields();
    std::vector<std::string> cells = {
        std::to_string(fields.order()), TerminalSafe(rule.name()), std::string(YesNo(fields.enabled())),
        TerminalSafe(fields.action()),  MatchedText(rule),         StagesText(rule.stages())};
    if (wide) {
      for (const std::string& text : {fields.groups(), fields.threads(), fields.hold()}) {
        cells.push_back(TerminalSafe(text));
      }
    }
    cells.push_back(TerminalSafe(fields.expr()));
    if (wide) cells.push_back(TerminalSafe(fields.note()));
    table.Add(std::move(cells));
  }
  if (list.rules_size() > 0) table.Flush();
}

void PrintRulesCsv(const v1::RuleList& list, bool header, Output* out) {
  if (header) out->Write("name,order,expr,action,groups,threads,hold,enabled,note,matched,stage\n");
  for (const v1::Rule& rule : list.rules()) {
    const v1::RuleFields& fields = rule.fields();
    out->Write(fmt::format("{},{},{},{},{},{},{},{},{},{},{}\n", CsvField(rule.name()), fields.order(),
                           CsvField(fields.expr()), CsvField(fields.action()), CsvField(fields.groups()),
                           CsvField(fields.threads()), CsvField(fields.hold()), fields.enabled() ? "true" : "false",
                           CsvField(fields.note()), rule.has_matched() ? std::to_string(rule.matched()) : "",
                           rule.stages().empty() ? "" : StagesText(rule.stages())));
  }
}

void VersionKeys(const v1::RuleVersion& version, JsonObject* object) {
  object->Number("version", version.version());
  object->Times("time", version.time_ns());
  object->Number("uid", version.uid());
  object->Number("rules", version.rules());
  object->String("what", version.what());
}

void PrintVersionsTable(const v1::RuleVersionList& list, const Options& options, const Terminal& terminal,
                        Output* out) {
  Table table({{.header = "VERSION", .align = Align::kRight},
               {.header = TimeHeader("TIME")},
               {.header = "UID", .align = Align::kRight},
               {.header = "RULES", .align = Align::kRight},
               {.header = "WHAT"}},
              StyleOf(options, terminal), out);
  for (const v1::RuleVersion& version : list.versions()) {
    table.Add({std::to_string(version.version()), ColumnTime(version.time_ns(), false), std::to_string(version.uid()),
               std::to_string(version.rules()), TerminalSafe(version.what())});
  }
  if (list.versions_size() > 0) table.Flush();
}

void PrintVersionsCsv(const v1::RuleVersionList& list, bool header, Output* out) {
  if (header) out->Write("version,time,time_ns,uid,rules,what\n");
  for (const v1::RuleVersion& version : list.versions()) {
    out->Write(fmt::format("{},{},{},{},{},{}\n", version.version(), query::FormatRfc3339(version.time_ns()),
                           version.time_ns(), version.uid(), version.rules(), CsvField(version.what())));
  }
}

template <typename Items, typename Keys>
void PrintJson(const Items& items, Format format, Keys keys, Output* out) {
  JsonRecords records(format == Format::kJsonl, out);
  for (const auto& item : items) records.Add(JsonObject::Text(item, keys));
  records.Finish(true);
}

std::string_view FieldOf(const v1::RuleChange& change, std::string_view name) {
  for (const v1::RuleFieldChange& field : change.fields()) {
    if (field.field() == name) return field.after();
  }
  return "";
}

std::string AddedText(const v1::RuleChange& change) {
  const bool drops = FieldOf(change, "action") == "drop";
  const bool disabled = FieldOf(change, "enabled") == "false";
  return fmt::format("+ {} (order {}{}{}): {}\n", TerminalSafe(change.name()), FieldOf(change, "order"),
                     drops ? ", drop" : "", disabled ? ", disabled" : "", TerminalSafe(FieldOf(change, "expr")));
}

std::string Value(const std::string& text) { return text.empty() ? "(none)" : TerminalSafe(text); }

std::string ChangedText(const v1::RuleChange& change) {
  std::string text;
  for (const v1::RuleFieldChange& field : change.fields()) {
    const std::string before = Value(field.before());
    const std::string after = Value(field.after());
    const bool is_short = before.size() + after.size() <= kShortChange - change.name().size();
    text += fmt::format("~ {}: {}: {}{}-> {}\n", TerminalSafe(change.name()), field.field(), before,
                        is_short ? " " : "\n    ", after);
  }
  return text;
}

std::string ChangeText(const v1::RuleChange& change) {
  switch (change.kind()) {
    case v1::RULE_ADDED: return AddedText(change);
    case v1::RULE_CHANGED: return ChangedText(change);
    case v1::RULE_REMOVED: return fmt::format("- {}\n", TerminalSafe(change.name()));
    default: return "";
  }
}

std::string_view ChangeName(v1::RuleChangeKind kind) {
  switch (kind) {
    case v1::RULE_ADDED: return "added";
    case v1::RULE_CHANGED: return "changed";
    case v1::RULE_REMOVED: return "removed";
    default: return "unknown";
  }
}

void FieldChangeKeys(const v1::RuleFieldChange& change, JsonObject* object) {
  object->String("before", change.before());
  object->String("after", change.after());
}

void ChangeKeys(const v1::RuleChange& change, JsonObject* object) {
  object->String("change", ChangeName(change.kind()));
  object->String("name", change.name());
  object->Map(
      "fields", change.fields(), [](const v1::RuleFieldChange& field) { return field.field(); }, FieldChangeKeys);
  object->When(change.has_matching_now(), [&] { object->Number("matching_now", change.matching_now()); });
}

void RuleKeys(const v1::Rule& rule, JsonObject* object) {
  const v1::RuleFields& fields = rule.fields();
  object->String("name", rule.name());
  object->Number("order", fields.order());
  object->String("expr", fields.expr());
  object->String("action", fields.action());
  object->Strings("groups", rule.groups());
  object->String("threads", fields.threads());
  object->String("hold", fields.hold());
  object->Number("hold_ns", rule.hold_ns());
  object->Bool("enabled", fields.enabled());
  object->String("note", fields.note());
  object->NumberOrNull("matched", rule.has_matched(), rule.matched());
  object->StringOrNull("stage", rule.stages().empty() ? "" : StagesText(rule.stages()));
}

void EditKeys(const v1::RuleEdit& edit, JsonObject* object) {
  object->Number("version", edit.version());
  object->Bool("dry_run", edit.dry_run());
  object->Number("rules", edit.rules());
  object->Array("changes", edit.changes(), ChangeKeys);
  object->Strings("warnings", edit.warnings());
}

}  // namespace

std::string_view StageName(v1::Stage stage) {
  switch (stage) {
    case v1::KERNEL: return "kernel";
    case v1::USER: return "user";
    case v1::TICK: return "tick";
    default: return "-";
  }
}

std::string StagesText(const google::protobuf::RepeatedField<int>& stages) {
  std::vector<std::string_view> names;
  for (const int stage : stages) names.push_back(StageName(static_cast<v1::Stage>(stage)));
  return names.empty() ? "-" : fmt::format("{}", fmt::join(names, "+"));
}

void PrintRules(const v1::RuleList& list, const Options& options, const Terminal& terminal, Output* out) {
  if (IsTable(options.format)) return PrintRulesTable(list, options, terminal, out);
  if (options.format == Format::kCsv) return PrintRulesCsv(list, options.header, out);
  PrintJson(list.rules(), options.format, RuleKeys, out);
}

void PrintRuleVersions(const v1::RuleVersionList& list, const Options& options, const Terminal& terminal, Output* out) {
  if (IsTable(options.format)) return PrintVersionsTable(list, options, terminal, out);
  if (options.format == Format::kCsv) return PrintVersionsCsv(list, options.header, out);
  PrintJson(list.versions(), options.format, VersionKeys, out);
}

std::string RuleText(const v1::Rule& rule) {
  const v1::RuleFields& fields = rule.fields();
  std::string text = fmt::format("Rule {}\n", TerminalSafe(rule.name()));
  const auto line = [&](const char* label, const std::string& value) {
    text += fmt::format("  {:<8} {}\n", label, value.empty() ? "-" : TerminalSafe(value));
  };
  line("order", std::to_string(fields.order()));
  line("expr", fields.expr());
  line("action", fields.action());
  line("groups", fields.groups());
  line("threads", fields.threads());
  line("hold", fields.hold());
  line("enabled", std::string(YesNo(fields.enabled())));
  line("matched", rule.has_matched() ? fmt::format("{} processes now", rule.matched()) : "- (unavailable)");
  line("stage", rule.stages().empty() ? "- (unavailable)" : StagesText(rule.stages()));
  line("note", fields.note());
  return text;
}

std::string RuleJson(const v1::Rule& rule) { return JsonObject::Text(rule, RuleKeys); }

std::string RuleChangesText(const v1::RuleEdit& edit, int most) {
  std::string text;
  std::map<v1::RuleChangeKind, int> seen;
  for (const v1::RuleChange& change : edit.changes()) {
    if (++seen[change.kind()] <= most) text += ChangeText(change);
  }
  for (const auto& [kind, count] : seen) {
    if (count > most) text += fmt::format("  … and {} more {}\n", count - most, ChangeName(kind));
  }
  return text;
}

std::string RuleEditJson(const v1::RuleEdit& edit) { return JsonObject::Text(edit, EditKeys); }

std::string RuleSchema() { return JsonObject::Described<v1::Rule>(RuleKeys); }

std::string RuleVersionSchema() { return JsonObject::Described<v1::RuleVersion>(VersionKeys); }

std::string RuleEditSchema() { return JsonObject::Described<v1::RuleEdit>(EditKeys); }

}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/rule_text.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "daemon/query/nearest.h"
#include "daemon/rules/rule_fields.h"
#include "daemon/rules/toml_file.h"

namespace taskmon::rules {
namespace {

const std::vector<std::string>& Keys() {
  static const auto* const keys =
      new std::vector<std::string>{"name", "order", "expr", "action", "groups", "threads", "hold", "enabled", "note"};
  return *keys;
}

absl::Status Expected(std::string_view what) { return absl::InvalidArgumentError(fmt::format("expected {}", what)); }

template <typename Value>
absl::Status Take(absl::StatusOr<Value> value, Value* into) {
  if (value.ok()) *into = *std::move(value);
  return value.status();
}

absl::StatusOr<std::string> Text(const toml::node& node) {
  const auto text = node.value_exact<std::string>();
  if (!text) return Expected("a text in quotes");
  return *text;
}

absl::StatusOr<uint32_t> Order(const toml::node& node) {
  const auto order = node.value_exact<int64_t>();
  if (!order) return Expected("a whole number");
  if (absl::Status status = CheckOrder(*order); !status.ok()) return status;
  return static_cast<uint32_t>(*order);
}

// An array of words is the same as the words with commas between.
absl::StatusOr<MetricGroups> Groups(const toml::node& node) {
  if (const auto text = node.value_exact<std::string>()) return ParseGroups(*text);
  const toml::array* array = node.as_array();
  if (array == nullptr) return Expected("an array of metric groups, such as [\"cpu\", \"io\"] or [\"all\"]");
  std::string joined;
  for (const toml::node& element : *array) {
    const auto word = element.value_exact<std::string>();
    if (!word) return Expected("metric groups in quotes");
    joined += joined.empty() ? *word : "," + *word;
  }
  return ParseGroups(joined);
}

template <typename Value>
absl::StatusOr<Value> Parsed(const toml::node& node, absl::StatusOr<Value> (*parse)(std::string_view)) {
  const absl::StatusOr<std::string> text = Text(node);
  if (!text.ok()) return text.status();
  return parse(*text);
}

absl::Status TakeField(std::string_view key, const toml::node& node, Rule* rule) {
  if (key == "name") return Take(Text(node), &rule->name);
  if (key == "order") return Take(Order(node), &rule->order);
  if (key == "expr") return Take(Text(node), &rule->expression);
  if (key == "action") return Take(Parsed(node, ParseAction), &rule->action);
  if (key == "groups") return Take(Groups(node), &rule->groups);
  if (key == "threads") return Take(Parsed(node, ParseThreads), &rule->threads);
  if (key == "hold") return Take(Parsed(node, ParseHold), &rule->hold_ns);
  if (key == "note") return Take(Text(node), &rule->note);
  const auto enabled = node.value_exact<bool>();
  if (!enabled) return Expected("true or false");
  rule->enabled = *enabled;
  return absl::OkStatus();
}

class FileReader {
 public:
  explicit FileReader(const std::string& origin) { parsed_.origin = origin; }

  absl::StatusOr<ParsedRules> Read(const toml::table& file) {
    for (const auto& [key, node] : file) {
      if (key.str() == "rule") continue;
      return At(key.source().begin.line,
                fmt::format("unknown key '{}'; each rule begins with [[rule]]", Undisguised(key.str())));
    }
    const toml::node* rules = file.get("rule");
    if (rules == nullptr) {
      return absl::InvalidArgumentError(parsed_.origin + ": no rule in it; to have none, write: rule = []");
    }
    const toml::array* array = rules->as_array();
    if (array == nullptr) return At(rules->source().begin.line, "'rule' is no array; each rule begins with [[rule]]");
    for (const toml::node& element : *array) {
      if (absl::Status status = ReadRule(element); !status.ok()) return status;
    }
    return std::move(parsed_);
  }

 private:
  absl::Status At(uint32_t line, std::string_view message) const {
    return absl::InvalidArgumentError(fmt::format("{}:{}: {}", parsed_.origin, line, OneLine(message)));
  }

  absl::Status ReadRule(const toml::node& node) {
    const uint32_t line = node.source().begin.line;
    const toml::table* table = node.as_table();
    if (table == nullptr) return At(line, "not a rule; each rule begins with [[rule]]");
    Rule rule;
    rule.order = (parsed_.rules.empty() ? 0 : parsed_.rules.back().order) + RuleSet::kOrderGap;
    const std::string name = table->get("name") == nullptr ? "" : table->get("name")->value_or(std::string());
    for (const auto& [key, value] : *table) {
      const std::string field = Undisguised(key.str());
      if (std::find(Keys().begin(), Keys().end(), field) == Keys().end()) {
        return At(key.source().begin.line,
                  fmt::format("rule '{}': unknown key '{}'{}", name, field, query::DidYouMean(field, Keys())));
      }
      const absl::Status status = TakeField(field, value, &rule);
      if (!status.ok()) {
        return At(key.source().begin.line,
                  fmt::format("rule '{}': {}: {}", name, field, std::string(status.message())));
      }
    }
    if (name.empty()) return At(line, "the rule has no name");
    parsed_.rules.push_back(std::move(rule));
    parsed_.lines.push_back(line);
    return absl::OkStatus();
  }

  ParsedRules parsed_;
};

// As a literal where possible: expressions are full of quotes and backslashes.
std::string Quoted(const std::string& text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return c != '\'' && c != '\x7f' && (static_cast<unsigned char>(c) >= 0x20);
  });
  if (plain && text.find_first_of("\"\\") != std::string::npos) return "'" + text + "'";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += fmt::format("\\{}", c);
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04X}", byte);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string GroupArray(MetricGroups groups) {
  std::string out = "[\"";
  for (const char c : GroupsText(groups)) out += c == ',' ? std::string("\", \"") : std::string(1, c);
  return out + "\"]";
}

void WriteRule(const Rule& rule, std::string* out) {
  fmt::format_to(std::back_inserter(*out),
                 "\n[[rule]]\nname = \"{}\"\norder = {}\nexpr = {}\naction = \"{}\"\ngroups = {}\nthreads = \"{}\"\n"
                 "hold = \"{}\"\nenabled = {}\n",
                 rule.name, rule.order, Quoted(rule.expression), ActionText(rule.action), GroupArray(rule.groups),
                 ThreadsText(rule.threads), HoldText(rule.hold_ns), rule.enabled);
  if (!rule.note.empty()) *out += "note = " + Quoted(rule.note) + "\n";
}

}  // namespace

absl::Status ParsedRules::At(size_t rule, const absl::Status& status) const {
  if (status.ok() || rule >= lines.size()) return status;
  return absl::Status(status.code(), fmt::format("{}:{}: {}", origin, lines[rule], std::string(status.message())));
}

absl::StatusOr<ParsedRules> ParseRuleText(std::string_view text, const std::string& origin) {
  const absl::StatusOr<toml::table> file = ReadToml(text, origin);
  if (!file.ok()) return file.status();
  return FileReader(origin).Read(*file);
}

absl::StatusOr<RuleSet> ReadRuleText(std::string_view text, const std::string& origin) {
  absl::StatusOr<ParsedRules> parsed = ParseRuleText(text, origin);
  if (!parsed.ok()) return parsed.status();
  size_t culprit = 0;
  absl::StatusOr<RuleSet> set = RuleSet::Make(parsed->rules, &culprit);
  return set.ok() ? std::move(set) : parsed->At(culprit, set.status());
}

std::string WriteRuleText(const RuleSet& set) {
  std::string out =
      set.version() == 0 ? "# taskmon rules\n" : fmt::format("# taskmon rules, version {}\n", set.version());
  if (set.size() == 0) out += "rule = []\n";
  for (const RulePtr& rule : set.rules()) WriteRule(rule->rule, &out);
  return out;
}

}  // namespace taskmon::rules

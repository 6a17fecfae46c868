// SPDX-License-Identifier: Apache-2.0
#include "client/completion/complete.h"

#include <algorithm>

#include <fmt/format.h>

#include "client/fields.h"
#include "client/output/event_text.h"
#include "proto/catalogue.h"

namespace taskmon::client {
namespace {

// Where on the line the current word stands.
struct Place {
  const CommandNode* command = nullptr;
  const OptionNode* option = nullptr;  // the current word is its value
  size_t positionals = 0;              // that were given before
  std::string before;                  // of them, as one text
  bool options_over = false;           // after "--"
};

const OptionNode* FindOption(const CommandNode& command, std::string_view name) {
  for (const OptionNode& option : command.options) {
    if (!option.positional && std::find(option.names.begin(), option.names.end(), name) != option.names.end()) {
      return &option;
    }
  }
  return nullptr;
}

const CommandNode* FindCommand(const CommandNode& command, std::string_view name) {
  for (const CommandNode& each : command.commands) {
    if (each.name == name) return &each;
  }
  return nullptr;
}

Place Walk(const CommandNode& program, const std::vector<std::string>& words) {
  Place place{.command = &program};
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (place.option != nullptr) {
      place.option = nullptr;  // that was its value
    } else if (word == "--") {
      place.options_over = true;
    } else if (!place.options_over && word.size() > 1 && word.front() == '-') {
      const OptionNode* option = FindOption(*place.command, word);
      if (option != nullptr && !option->type.empty()) place.option = option;
    } else if (const CommandNode* below = FindCommand(*place.command, word)) {
      place.command = below;
    } else {
      ++place.positionals;
      place.before += word + " ";
    }
  }
  return place;
}

bool IsNameLetter(char c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsValueLetter(char c) { return c != ' ' && c != '"' && c != '='; }

// The longest end of the text whose characters are all of that kind.
template <typename Kind>
std::string_view TailOf(std::string_view text, Kind kind) {
  size_t begin = text.size();
  while (begin > 0 && kind(text[begin - 1])) --begin;
  return text.substr(begin);
}

struct Compared {
  Live live = Live::kNone;
  std::string_view begun;  // of the value
};

// Whether the text ends in a comparison of names, `unit == ss`, whose value is being typed.
Compared ComparedAtTheEnd(std::string_view text) {
  static constexpr std::pair<std::string_view, Live> kNames[] = {{"comm", Live::kComms}, {"app", Live::kApps},
                                                                 {"unit", Live::kUnits}, {"user", Live::kUsers},
                                                                 {"rule", Live::kRules}, {"rules", Live::kRules}};
  const std::string_view begun = TailOf(text, IsValueLetter);
  text.remove_suffix(begun.size());
  if (text.ends_with('"')) text.remove_suffix(1);
  text.remove_suffix(TailOf(text, [](char c) { return c == ' '; }).size());
  if (!text.ends_with("==") && !text.ends_with("!=")) return {};
  text.remove_suffix(2);
  text.remove_suffix(TailOf(text, [](char c) { return c == ' '; }).size());
  const std::string_view name = TailOf(text, IsNameLetter);
  for (const auto& [each, live] : kNames) {
    if (each == name) return {live, begun};
  }
  return {};
}

class Completer {
 public:
  Completer(const CommandNode& program, const std::vector<std::string>& words)
      : place_(Walk(program, words)), current_(words.empty() ? "" : words.back()) {}

  Completion Run() {
    if (place_.option != nullptr) {
      Value(*place_.option, current_, "");
    } else if (!place_.options_over && current_.starts_with("--") && current_.find('=') != std::string::npos) {
      const size_t equals = current_.find('=');
      const OptionNode* option = FindOption(*place_.command, current_.substr(0, equals));
      if (option != nullptr) Value(*option, current_.substr(equals + 1), current_.substr(0, equals + 1));
    } else if (!place_.options_over && current_.starts_with("-")) {
      Options();
    } else if (!place_.command->commands.empty()) {
      for (const CommandNode& each : place_.command->commands) Offer(each.name, each.summary);
    } else {
      Positional();
    }
    return std::move(result_);
  }

 private:
  void Offer(const std::string& word, const std::string& help) {
    if (word.starts_with(current_)) result_.words.push_back({word, help});
  }

  void Options() {
    for (const OptionNode& option : place_.command->options) {
      if (option.positional) continue;
      for (const std::string& name : option.names) {
        // One name of each is enough to choose from, unless the short one is typed.
        if (name == option.names.back() || name == current_) Offer(name, option.help);
      }
    }
  }

  void Positional() {
    std::vector<const OptionNode*> all;
    for (const OptionNode& option : place_.command->options) {
      if (option.positional) all.push_back(&option);
    }
    if (all.empty()) return;
    const bool past = place_.positionals >= all.size();
    if (past && !all.back()->many) return;
    const OptionNode& option = past ? *all.back() : *all[place_.positionals];
    if (option.names[0] == "TID") return Ask(Live::kTids, "");
    if (option.names[0] == "WHAT") return Offer("openmetrics", "");
    if (option.names[0] == "SHELL") {
      for (const std::string& shell : CompletionShells()) Offer(shell, "");
      return;
    }
    if (option.names[0] == "NAME") {
      const bool metrics = place_.command->name == "metrics";
      return metrics ? Metrics("") : Ask(place_.command->name == "add" ? Live::kNone : Live::kRules, "");
    }
    if (option.names[0] == "EXPR") Expression();
  }

  // Values where the text so far ends in `unit ==`, names of fields otherwise; rules and tasks where those are taken.
  void Expression() {
    const std::string text = place_.before + current_;
    const Compared compared = ComparedAtTheEnd(text);
    if (compared.live != Live::kNone) {
      return Ask(compared.live, current_.substr(0, current_.size() - std::min(current_.size(), compared.begun.size())));
    }
    const size_t word = current_.size() - TailOf(current_, IsNameLetter).size();
    const bool takes_rules = place_.command->name == "test" || place_.command->name == "explain";
    if (takes_rules && text == current_) Ask(Live::kRules, "");
    result_.unended = true;
    Fields(current_.substr(0, word), /*sets=*/false);
  }

  void Metrics(const std::string& prefix) {
    for (const MetricDesc& metric : AllMetrics()) {
      Offer(prefix + metric.short_name, metric.help);
      Offer(prefix + metric.name, metric.help);
    }
  }

  void Fields(const std::string& prefix, bool sets) {
    for (const Field& field : AllFields(/*time=*/true)) {
      if (field.metric == nullptr) Offer(prefix + std::string(FieldKey(field)), "");
    }
    Metrics(prefix);
    if (!sets) return;
    for (const char* set : {"default", "all"}) Offer(prefix + set, "");
    for (int i = 1; i <= v1::Group_MAX; ++i) {
      Offer(fmt::format("{}@{}", prefix, GroupName(static_cast<v1::Group>(i))), "every metric of the group");
    }
  }

  // What was listed before the last comma stays.
  static std::string Listed(const std::string& typed) {
    const size_t comma = typed.rfind(',');
    return comma == std::string::npos ? "" : typed.substr(0, comma + 1);
  }

  void Ask(Live live, const std::string& prefix) {
    result_.live = live;
    result_.prefix = prefix;
  }

  void OfferAll(const std::string& prefix, const std::vector<std::string>& words) {
    for (const std::string& word : words) Offer(prefix + word, "");
  }

  // `lead` stands before the value in the current word: "--sort=".
  void Value(const OptionNode& option, const std::string& typed, const std::string& lead) {
    const std::string& name = option.names.back();
    const std::string& type = option.type;
    if (type == "FMT") {
      for (const Format format : place_.command->formats) Offer(lead + std::string(FormatName(format)), "");
    } else if (type == "FIELDS") {
      result_.unended = true;
      Fields(lead + Listed(typed), /*sets=*/true);
    } else if (type == "FIELD" || type == "METRIC") {
      Fields(lead, /*sets=*/false);
    } else if (name == "--type") {
      result_.unended = true;
      OfferAll(lead + Listed(typed), EventTypeNames());
    } else if (name == "--by") {
      const bool exporting = place_.command->name == "export";
      OfferAll(lead, exporting ? std::vector<std::string>{"app", "unit", "user", "rule"}
                               : std::vector<std::string>{"app", "unit", "user", "comm", "rule", "task"});
    } else if (name == "--action") {
      OfferAll(lead, {"track", "drop"});
    } else if (name == "--threads") {
      OfferAll(lead, {"none", "top:5", "all"});
    } else if (name == "--groups") {
      result_.unended = true;
      Offer(lead + Listed(typed) + "all", "");
      for (int i = 1; i <= v1::Group_MAX; ++i) {
        Offer(lead + Listed(typed) + std::string(GroupName(static_cast<v1::Group>(i))), "");
      }
    } else if (name == "--tid") {
      Ask(Live::kTids, lead);
    } else if (type == "TIME") {
      OfferAll(lead, {"now", "10m", "1h", "24h", "today", "yesterday"});
    } else if (type == "DB" || type == "FILE" || type == "PATH") {
      result_.files = true;
    }
  }

  const Place place_;
  const std::string current_;
  Completion result_;
};

}  // namespace

Completion Complete(const CommandNode& program, const std::vector<std::string>& words) {
  return Completer(program, words).Run();
}

void AddLive(const std::string& current, Candidate candidate, Completion* completion) {
  candidate.word = completion->prefix + candidate.word;
  if (candidate.word.starts_with(current)) completion->words.push_back(std::move(candidate));
}

}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
#include "client/cli_rule.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "client/numbers.h"

namespace taskmon::client {
namespace {

const std::vector<Format> kListFormats = {Format::kTable, Format::kWide, Format::kJson, Format::kJsonl, Format::kCsv};
const std::vector<Format> kAnswerFormats = {Format::kTable, Format::kJson, Format::kJsonl};

// What CLI11 keeps beyond the declaration points at `options` and `raw`, never at this.
class Declarer {
 public:
  Declarer(CLI::App* rule, const CommandMaker& make, Options* options, RawRule* raw)
      : rule_(rule), make_(make), options_(*options), raw_(*raw) {}

  void Readers() {
    List(Command::kRuleList, "list");
    CLI::App* show = Add(Command::kRuleShow, "show", kAnswerFormats);
    Name(show, "The rule, by name or order");
    make_.text(make_.add(rule_, Command::kRuleExport, "export"), "--version", &raw_.version, "N", "As it was then");
    List(Command::kRuleVersions, "versions");
  }

  void Editors() {
    CLI::App* add = Edit(Command::kRuleAdd, "add");
    Name(add, "Letters, digits, - _ and .");
    Expression(add, "Which tasks: user == \"www-data\" && cpu > 50%")->required();
    Fields(add);
    add->add_flag_callback(
        "--disabled", [options = &options_] { options->rule.fields.set_enabled(false); },
        "Keep it, but do not ask it yet");

    CLI::App* set = Edit(Command::kRuleSet, "set");
    Name(set, "The rule to change");
    Expression(set, "Its new expression");
    Field(set, "--expr", &v1::RuleFields::mutable_expr, "EXPR", "The same as an option");
    Fields(set);

    Named(Command::kRuleRm, "rm");
    Named(Command::kRuleEnable, "enable");
    Named(Command::kRuleDisable, "disable");

    CLI::App* apply = Edit(Command::kRuleApply, "apply");
    make_.text(apply, "-f,--file", &options_.rule.path, "FILE", "The rules, as `rule export` prints them; - for stdin")
        ->required();
    CLI::App* rollback = Edit(Command::kRuleRollback, "rollback");
    make_.text(rollback, "VERSION", &raw_.version, "", "Of `rule versions` [the one before the current]");
  }

  void Questions() {
    CLI::App* test = Add(Command::kRuleTest, "test", kAnswerFormats);
    Expression(test, "An expression, or the name of a rule")->required();
    make_.text(test, "-b,--begin", &options_.begin, "TIME", "From: 24h, \"yesterday 03:12\", @epoch [1h]");
    make_.text(test, "-e,--end", &options_.end, "TIME", "To [now]");
    CLI::App* explain = Add(Command::kRuleExplain, "explain", kAnswerFormats);
    Expression(explain, "A task by its number, an expression, or the name of a rule")->required();
  }

 private:
  CLI::App* Add(Command command, const char* name, const std::vector<Format>& formats) {
    CLI::App* app = make_.add(rule_, command, name);
    make_.formats(app, formats);
    return app;
  }

  void List(Command command, const char* name) {
    Add(command, name, kListFormats)
        ->add_flag_callback(
            "--no-headers", [options = &options_] { options->header = false; }, "No header line");
  }

  CLI::App* Edit(Command command, const char* name) {
    CLI::App* app = Add(command, name, kAnswerFormats);
    app->add_flag("-n,--dry-run", options_.rule.dry_run, "Tell what would change, and change nothing");
    make_.text(app, "--if-version", &raw_.if_version, "N", "Refuse when the rules are at another version");
    return app;
  }

  void Name(CLI::App* app, const char* help) { make_.text(app, "NAME", &raw_.name, "", help)->required(); }

  void Named(Command command, const char* name) {
    Edit(command, name)->add_option("NAME", options_.rule.names, "One or more rules")->required();
  }

  CLI::Option* Expression(CLI::App* app, const char* help) {
    return app->add_option("EXPR", raw_.words, help)->type_name("");
  }

  using Mutable = std::string* (v1::RuleFields::*)();

  // What is not given stays absent; what is given, be it empty, is taskmond's to judge.
  void Field(CLI::App* app, const char* name, Mutable field, const char* type, const char* help) {
    app->add_option_function<std::string>(
           name, [options = &options_, field](const std::string& text) { *(options->rule.fields.*field)() = text; },
           help)
        ->type_name(type)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }

  void Fields(CLI::App* app) {
    using F = v1::RuleFields;
    Field(app, "--action", &F::mutable_action, "A", "track, or drop: as if it did not exist [track]");
    Field(app, "--groups", &F::mutable_groups, "LIST", "Metric groups: cpu,io or all,-smaps [all,-syscall]");
    Field(app, "--threads", &F::mutable_threads, "T", "With rows of their own: none, top:N, all [all]");
    Field(app, "--hold", &F::mutable_hold, "DUR", "Stay so long after the last match, 0 to 7d [1m]");
    make_.text(app, "--order", &raw_.order, "N", "The smallest is asked first [last + 10]");
    Field(app, "--note", &F::mutable_note, "TEXT", "What it is for");
  }

  CLI::App* rule_;
  const CommandMaker& make_;
  Options& options_;
  RawRule& raw_;
};

bool IsNumber(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

absl::Status TakeWords(const RawRule& raw, Options* options) {
  const std::string words = fmt::format("{}", fmt::join(raw.words, " "));
  switch (options->command) {
    case Command::kRuleAdd:
    case Command::kRuleSet:
      if (!words.empty()) options->rule.fields.set_expr(words);
      return absl::OkStatus();
    case Command::kRuleExplain:
      if (IsNumber(words)) return ParseNumberInto("TID", words, &options->tid);
      [[fallthrough]];
    case Command::kRuleTest: options->expression = words; return absl::OkStatus();
    default: return absl::OkStatus();
  }
}

}  // namespace

void DeclareRuleCommands(CLI::App* rule, const CommandMaker& make, Options* options, RawRule* raw) {
  rule->require_subcommand(1);
  Declarer declarer(rule, make, options, raw);
  declarer.Readers();
  declarer.Editors();
  declarer.Questions();
}

absl::Status CheckRule(const RawRule& raw, Options* options) {
  uint32_t order = 0;
  for (const absl::Status& status :
       {TakeWords(raw, options), ParseNumberInto("--order", raw.order, &order),
        ParseNumberInto("version", raw.version, &options->rule.version),
        ParseNumberInto("--if-version", raw.if_version, &options->rule.expected_version)}) {
    if (!status.ok()) return status;
  }
  if (!raw.name.empty()) options->rule.names = {raw.name};
  if (order != 0) options->rule.fields.set_order(order);
  if (options->command == Command::kRuleSet && options->rule.fields.ByteSizeLong() == 0) {
    return absl::InvalidArgumentError("nothing to change is named; see `taskmonctl rule set --help`");
  }
  return absl::OkStatus();
}

}  // namespace taskmon::client

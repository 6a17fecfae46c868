// SPDX-License-Identifier: Apache-2.0
#include "client/cli.h"

#include <charconv>
#include <initializer_list>
#include <limits>
#include <map>
#include <memory>
#include <utility>

#include <absl/status/statusor.h>
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "client/cli_help.h"
#include "client/cli_rule.h"
#include "client/exit_code.h"
#include "client/numbers.h"
#include "client/output/event_text.h"
#include "client/suggest.h"
#include "daemon/query/time_spec.h"

namespace taskmon::client {
namespace {

using Formats = std::vector<Format>;

const Formats kRowFormats = {Format::kTable, Format::kWide, Format::kJson, Format::kJsonl, Format::kCsv};
const Formats kDocumentFormats = {Format::kTable, Format::kJson, Format::kJsonl};
const Formats kScrapeFormats = {Format::kOpenMetrics, Format::kPrometheus};
const Formats kMetricsFormats = {Format::kTable, Format::kWide, Format::kJson,
                                 Format::kJsonl, Format::kCsv,  Format::kMarkdown};

constexpr uint32_t kMostGroups = 1000;

// Texts as they were typed, before they are checked.
struct Raw {
  std::vector<std::string> words;
  std::string step, interval, count, top, tid, types, before, after, what;
  std::string format;  // empty: the first that the command knows
  bool schema = false;
  RawRule rule;
};

std::string FormatList(const Formats& formats, const char* separator) {
  std::vector<std::string_view> names;
  for (const Format format : formats) names.push_back(FormatName(format));
  return fmt::format("{}", fmt::join(names, separator));
}

bool HasJson(const Formats& formats) {
  return std::find(formats.begin(), formats.end(), Format::kJson) != formats.end();
}

// The parser of one invocation. CLI11 keeps pointers into `options_` and `raw_`.
class Parser {
 public:
  explicit Parser(const std::string& socket_variable);

  ParsedCommandLine Parse(const std::vector<std::string>& arguments);
  CommandNode Describe() const { return Describe(app_); }

 private:
  CommandNode Describe(const CLI::App& app) const;
  CLI::App* Add(Command command, const char* name) { return AddBelow(&app_, command, name); }
  CLI::App* AddBelow(CLI::App* parent, Command command, const char* name);
  static CLI::Option* Text(CLI::App* app, const char* names, std::string* into, const char* type, const char* help);
  void AddExpression(CLI::App* app);
  void AddRange(CLI::App* app);
  void AddFile(CLI::App* app);
  void AddFields(CLI::App* app);
  void AddBy(CLI::App* app);
  void AddThreads(CLI::App* app);
  void AddRaw(CLI::App* app);
  void AddOutput(CLI::App* app, const Formats& formats, bool rows);
  void AddCommands();
  void AddReaders();
  void AddExport();
  void AddRule();
  void AddSocket(CLI::App* app);
  static void RequireNothing(CLI::App* app);

  absl::Status Check();
  absl::Status CheckFormat();
  absl::Status CheckSchema();
  absl::Status CheckTypes();
  absl::Status CheckWindows();
  absl::Status CheckExport();

  std::string Explain(const CLI::ParseError& error) const;
  std::string ExplainExtra(const CLI::App& command, const std::string& extra) const;
  const CLI::App* Chosen() const;

  CLI::App app_{kProgramSummary, "taskmonctl"};
  Options options_;
  Raw raw_;
  std::map<const CLI::App*, Formats> formats_;
};

absl::Status ParseDurationInto(const char* option, const std::string& text, uint64_t* into) {
  if (text.empty()) return absl::OkStatus();
  const absl::StatusOr<int64_t> duration = query::ParseDuration(text);
  if (!duration.ok()) {
    return absl::InvalidArgumentError(fmt::format("{}: {}", option, std::string(duration.status().message())));
  }
  *into = static_cast<uint64_t>(*duration);
  return absl::OkStatus();
}

Parser::Parser(const std::string& socket_variable) {
  if (!socket_variable.empty()) options_.socket = socket_variable;
  app_.require_subcommand(1);
  app_.set_help_flag("-h,--help", "This text");
  app_.formatter(std::make_shared<HelpFormatter>());
  app_.footer(kProgramFooter);
  AddCommands();
  AddSocket(&app_);
}

CLI::App* Parser::AddBelow(CLI::App* parent, Command command, const char* name) {
  const CommandHelp& help = HelpOf(command);
  CLI::App* app = parent->add_subcommand(name, help.summary);
  app->set_help_flag("-h,--help", "This text");
  app->footer(help.examples);
  if (command != Command::kRule) app->callback([this, command] { options_.command = command; });
  return app;
}

CLI::Option* Parser::Text(CLI::App* app, const char* names, std::string* into, const char* type, const char* help) {
  return app->add_option(names, *into, help)->type_name(type)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

void Parser::AddExpression(CLI::App* app) {
  app->add_option("EXPR", raw_.words, "Only tasks that match: user == \"www-data\" && cpu > 50%")->type_name("");
}

void Parser::AddRange(CLI::App* app) {
  Text(app, "-b,--begin", &options_.begin, "TIME", "From: 10m, 14:30, \"yesterday 03:12\", @epoch [10m]");
  Text(app, "-e,--end", &options_.end, "TIME", "To [now]");
}

void Parser::AddFile(CLI::App* app) {
  Text(app, "--file", &options_.file, "DB", "Read a history or snapshot file, without a daemon");
}

void Parser::AddFields(CLI::App* app) {
  app->add_option("-f,--fields", options_.fields, "Names from `taskmonctl metrics`, @group, default, all")
      ->type_name("FIELDS")
      ->join(',');
}

void Parser::AddBy(CLI::App* app) {
  Text(app, "--by", &options_.by, "GROUP", "Sums of groups: app, unit, user, comm, rule [task]");
}

void Parser::AddThreads(CLI::App* app) { app->add_flag("-H,--threads", options_.threads, "Threads, not processes"); }

void Parser::AddRaw(CLI::App* app) { app->add_flag("--raw", options_.raw, "Plain numbers, without units"); }

void Parser::AddOutput(CLI::App* app, const Formats& formats, bool rows) {
  formats_[app] = formats;
  Text(app, "-o,--output", &raw_.format, "FMT", "")->description(FormatList(formats, ", "));
  if (HasJson(formats))
    app->add_flag("--json-schema", raw_.schema, "Only the schema of -o json; with -o jsonl: of a line");
  if (!rows) return;
  AddRaw(app);
  app->add_flag_callback(
      "--no-headers", [this] { options_.header = false; }, "No header line");
  app->add_flag("--strict", options_.strict, "Exit with 5 when ticks, records or rights are missing");
}

void Parser::AddCommands() {
  AddReaders();
  AddExport();
  AddRule();
  CLI::App* status = Add(Command::kStatus, "status");
  AddOutput(status, kDocumentFormats, false);
  AddRaw(status);
  AddOutput(Add(Command::kDoctor, "doctor"), kDocumentFormats, false);

  CLI::App* metrics = Add(Command::kMetrics, "metrics");
  metrics->add_option("NAME", options_.names, "Explain only these")->type_name("");
  AddOutput(metrics, kMetricsFormats, false);
  metrics->add_flag_callback(
      "--no-headers", [this] { options_.header = false; }, "No header line");
  Add(Command::kCompletion, "completion")
      ->add_option("SHELL", options_.names, "bash, zsh or fish")
      ->type_name("")
      ->expected(1)
      ->required();
  Add(Command::kVersion, "version");
}

// Before and after the command's name.
void Parser::AddSocket(CLI::App* app) {
  if (app->get_name() != "version" && app->get_name() != "completion") {
    Text(app, "--socket", &options_.socket, "PATH", "Where taskmond listens (also TASKMON_SOCKET)");
  }
  for (CLI::App* below : app->get_subcommands({})) AddSocket(below);
}

void Parser::AddExport() {
  CLI::App* app = Add(Command::kExport, "export");
  app->add_option("WHAT", raw_.what, "openmetrics")->type_name("")->required();
  app->add_flag("--once", options_.once, "Print it and end; counters begin when taskmond did");
  Text(app, "--listen", &options_.listen, "ADDR", "Be scraped at 127.0.0.1:9843, until Ctrl-C");
  Text(app, "--by", &options_.by, "GROUP", "app, unit, user, rule [app]");
  Text(app, "--top", &raw_.top, "K", "So many groups by name, the rest as \"other\" [20]");
  AddOutput(app, kScrapeFormats, false);
}

absl::Status Parser::CheckExport() {
  if (options_.command != Command::kExport) return absl::OkStatus();
  if (raw_.what != "openmetrics") {
    return absl::InvalidArgumentError(
        fmt::format("cannot export '{}'{}", raw_.what, SuggestOr(raw_.what, {"openmetrics"}, "try openmetrics")));
  }
  if (options_.once != options_.listen.empty()) {
    return absl::InvalidArgumentError("say one of --once and --listen ADDR; see `taskmonctl export --help`");
  }
  if (options_.top > kMostGroups) {
    return absl::InvalidArgumentError(
        fmt::format("--top takes 1 to {}: each group is {}", kMostGroups, "some 60 series"));
  }
  static const std::vector<std::string> kGroups = {"app", "unit", "user", "rule"};
  if (options_.by.empty() || std::find(kGroups.begin(), kGroups.end(), options_.by) != kGroups.end()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(fmt::format("cannot export by '{}'{}", options_.by,
                                                SuggestOr(options_.by, kGroups, "--by takes app, unit, user, rule")));
}

void Parser::AddRule() {
  const CommandMaker make{
      .add = [this](CLI::App* parent, Command command, const char* name) { return AddBelow(parent, command, name); },
      .text = Text,
      .formats = [this](CLI::App* app, const Formats& formats) { AddOutput(app, formats, false); }};
  DeclareRuleCommands(Add(Command::kRule, "rule"), make, &options_, &raw_.rule);
}

void Parser::AddReaders() {
  CLI::App* ps = Add(Command::kPs, "ps");
  AddExpression(ps);
  AddThreads(ps);
  Text(ps, "--at", &options_.at, "TIME", "At an earlier time: 10m, 14:30, \"yesterday 03:12\", @epoch");
  Text(ps, "-b,--begin", &options_.begin, "TIME", "Over a window: what tasks did from then, dead ones too");
  Text(ps, "-e,--end", &options_.end, "TIME", "To [now]");
  AddBy(ps);
  AddFields(ps);
  Text(ps, "--sort", &options_.sort, "FIELD", "Metrics largest first, names from A; -FIELD reverses");
  Text(ps, "--top", &raw_.top, "N", "Only the first N");
  AddOutput(ps, kRowFormats, true);
  AddFile(ps);

  CLI::App* show = Add(Command::kShow, "show");
  Text(show, "TID", &raw_.tid, "", "The task, by its number")->required();
  Text(show, "--at", &options_.at, "TIME", "At an earlier time");
  AddOutput(show, kDocumentFormats, false);
  AddRaw(show);
  AddFile(show);

  CLI::App* watch = Add(Command::kWatch, "watch");
  AddExpression(watch);
  AddThreads(watch);
  Text(watch, "--interval", &raw_.interval, "DUR", "Time between ticks, as in 5s [every tick]");
  Text(watch, "--count", &raw_.count, "N", "End after N ticks");
  AddFields(watch);
  AddOutput(watch, kRowFormats, true);

  CLI::App* history = Add(Command::kHistory, "history");
  AddExpression(history);
  AddThreads(history);
  AddRange(history);
  Text(history, "--step", &raw_.step, "DUR", "One row per task and step [as sampled]");
  Text(history, "--tid", &raw_.tid, "N", "Only this task");
  AddBy(history);
  AddFields(history);
  history->add_flag("--plot", options_.plot, "Draw the metrics, of all tasks together, as graphs");
  AddOutput(history, kRowFormats, true);
  AddFile(history);

  CLI::App* events = Add(Command::kEvents, "events");
  AddExpression(events);
  AddThreads(events);
  AddRange(events);
  events->add_flag("-F,--follow", options_.follow, "Go on with new events as they come");
  events->add_option("--type", raw_.types, fmt::format("{}", fmt::join(EventTypeNames(), ",")))
      ->type_name("LIST")
      ->join(',');
  events->add_flag("--histogram", options_.histogram, "Draw how many there were over time");
  AddOutput(events, kRowFormats, true);
  AddFile(events);

  CLI::App* diff = Add(Command::kDiff, "diff");
  AddExpression(diff);
  Text(diff, "--before", &raw_.before, "A..B", "The one window: 1h..50m, 03:00..03:10")->required();
  Text(diff, "--after", &raw_.after, "C..D", "The other: 10m..now")->required();
  AddBy(diff);
  AddFields(diff);
  Text(diff, "--sort", &options_.sort, "METRIC", "Largest change of this first [cpu]");
  Text(diff, "--top", &raw_.top, "N", "Only the first N [20 on a terminal]");
  AddOutput(diff, kRowFormats, true);
  AddFile(diff);

  CLI::App* snapshot = Add(Command::kSnapshot, "snapshot");
  AddRange(snapshot);
  Text(snapshot, "-o,--output", &options_.output, "FILE", "The file to write; it must not be there yet")->required();
  snapshot->add_flag("--anonymize", options_.anonymize, "Stand-ins for all names, and no command lines");
  AddFile(snapshot);
  CLI::App* top = Add(Command::kTop, "top");
  AddExpression(top);
  AddThreads(top);
  Text(top, "--at", &options_.at, "TIME", "Begin at an earlier time: 10m, 14:30, \"yesterday 03:12\"");
  AddFile(top);
}

absl::Status Parser::CheckFormat() {
  const auto known = formats_.find(Chosen());
  if (known == formats_.end()) return absl::OkStatus();
  if (raw_.format.empty()) {
    options_.format = known->second.front();
    return absl::OkStatus();
  }
  const std::optional<Format> format = ParseFormat(raw_.format);
  if (format && std::find(known->second.begin(), known->second.end(), *format) != known->second.end()) {
    options_.format = *format;
    return absl::OkStatus();
  }
  std::vector<std::string> names;
  for (const Format each : known->second) names.emplace_back(FormatName(each));
  const std::string hint = fmt::format("-o takes {}", fmt::join(names, ", "));
  return absl::InvalidArgumentError(
      fmt::format("unknown output format '{}'{}", raw_.format, SuggestOr(raw_.format, names, hint)));
}

absl::Status Parser::CheckTypes() {
  std::string_view rest = raw_.types;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(','), rest.size());
    const std::string name(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::optional<v1::EventType> type = FindEventType(name);
    if (!type) {
      const std::string hint = fmt::format("--type takes {}", fmt::join(EventTypeNames(), ", "));
      return absl::InvalidArgumentError(
          fmt::format("unknown event type '{}'{}", name, SuggestOr(name, EventTypeNames(), hint)));
    }
    options_.types.push_back(*type);
  }
  return absl::OkStatus();
}

// "1h..50m"
absl::Status ParseWindow(const char* option, const std::string& text, std::string* begin, std::string* end) {
  const size_t dots = text.find("..");
  if (dots == std::string::npos || dots == 0 || dots + 2 == text.size()) {
    return absl::InvalidArgumentError(fmt::format("{} is a window, from..to, as in 1h..50m; not '{}'", option, text));
  }
  *begin = text.substr(0, dots);
  *end = text.substr(dots + 2);
  return absl::OkStatus();
}

absl::Status Parser::CheckWindows() {
  if (options_.command == Command::kPs && !options_.at.empty() && !(options_.begin + options_.end).empty()) {
    return absl::InvalidArgumentError("a moment (--at) or a window (--begin, --end), not both");
  }
  if (options_.command != Command::kDiff) return absl::OkStatus();
  absl::Status status = ParseWindow("--before", raw_.before, &options_.before_begin, &options_.before_end);
  return status.ok() ? ParseWindow("--after", raw_.after, &options_.after_begin, &options_.after_end) : status;
}

// A schema is the same for every task, rule and time; only what names fields and groups matters.
absl::Status Parser::CheckSchema() {
  options_.schema_of = InvocationOf(*Chosen());
  if (raw_.format.empty()) options_.format = Format::kJson;
  if (options_.format == Format::kJson || options_.format == Format::kJsonl) return absl::OkStatus();
  return absl::InvalidArgumentError("--json-schema is about JSON; leave out -o");
}

absl::Status Parser::Check() {
  if (raw_.schema) {
    absl::Status status = CheckFormat();
    return status.ok() ? CheckSchema() : status;
  }
  options_.expression = fmt::format("{}", fmt::join(raw_.words, " "));
  for (const absl::Status& status :
       {CheckFormat(), CheckTypes(), ParseNumberInto("--top", raw_.top, &options_.top),
        ParseNumberInto("--count", raw_.count, &options_.count), ParseNumberInto("TID", raw_.tid, &options_.tid),
        ParseDurationInto("--step", raw_.step, &options_.step_ns),
        ParseDurationInto("--interval", raw_.interval, &options_.interval_ns), CheckWindows(), CheckExport(),
        CheckRule(raw_.rule, &options_)}) {
    if (!status.ok()) return status;
  }
  if (options_.follow && !options_.file.empty()) {
    return absl::InvalidArgumentError("a file gets no new events; leave out --follow or --file");
  }
  if (options_.follow && !options_.end.empty()) {
    return absl::InvalidArgumentError("--follow has no end; leave out --end");
  }
  if ((options_.plot || options_.histogram) && options_.format != Format::kTable && options_.format != Format::kWide) {
    return absl::InvalidArgumentError("a graph is for people; leave out -o, or take the rows");
  }
  if (options_.histogram && options_.follow) {
    return absl::InvalidArgumentError("a histogram has an end; leave out --follow or --histogram");
  }
  return absl::OkStatus();
}

const CLI::App* Parser::Chosen() const {
  const CLI::App* app = &app_;
  for (auto below = app->get_subcommands(); !below.empty(); below = app->get_subcommands()) app = below.front();
  return app;
}

std::string Parser::ExplainExtra(const CLI::App& command, const std::string& extra) const {
  const std::string hint = "see `" + InvocationOf(command) + " --help`";
  if (extra.front() != '-') return fmt::format("unexpected argument '{}'; {}", extra, hint);
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  const std::string name = extra.substr(0, extra.find('='));
  // Between options of one letter everything is near everything.
  if (name.size() <= 2) names.clear();
  return fmt::format("unknown option '{}'{}", name, SuggestOr(name, names, hint));
}

std::string Parser::Explain(const CLI::ParseError& error) const {
  const CLI::App* command = Chosen();  // the innermost that was recognised
  const std::vector<std::string> extras = app_.remaining(/*recurse=*/true);
  const auto below = command->get_subcommands({});
  if (!below.empty()) {
    const std::string hint = fmt::format("`{} --help` lists them", InvocationOf(*command));
    if (extras.empty()) return "no command given; " + hint;
    if (extras.front().front() == '-') return ExplainExtra(*command, extras.front());
    std::vector<std::string> names;
    for (const CLI::App* each : below) names.push_back(each->get_name());
    return fmt::format("unknown command '{}'{}", extras.front(), SuggestOr(extras.front(), names, hint));
  }
  const std::string what = error.what();
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    return fmt::format("{} needs a value; see `{} --help`", what.substr(0, what.find(':')), InvocationOf(*command));
  }
  if (!extras.empty()) return ExplainExtra(*command, extras.front());
  return fmt::format("{}; see `{} --help`", what, InvocationOf(*command));
}

CommandNode Parser::Describe(const CLI::App& app) const {
  CommandNode node{.name = app.get_name(), .summary = app.get_description(), .examples = app.get_footer()};
  if (const auto formats = formats_.find(&app); formats != formats_.end()) node.formats = formats->second;
  for (const CLI::Option* option : app.get_options()) {
    OptionNode each{.help = option->get_description(), .required = option->get_required()};
    each.positional = option->get_positional();
    each.many = option->get_items_expected_max() > 1;
    if (each.positional) {
      each.names = {option->get_name(/*positional=*/true)};
    } else {
      for (const std::string& name : option->get_snames()) each.names.push_back("-" + name);
      for (const std::string& name : option->get_lnames()) each.names.push_back("--" + name);
      if (option->get_items_expected_max() > 0) each.type = option->get_type_name();
    }
    node.options.push_back(std::move(each));
  }
  for (const CLI::App* below : app.get_subcommands({})) node.commands.push_back(Describe(*below));
  return node;
}

void Parser::RequireNothing(CLI::App* app) {
  for (CLI::Option* option : app->get_options()) option->required(false);
  for (CLI::App* below : app->get_subcommands({})) RequireNothing(below);
}

ParsedCommandLine Parser::Parse(const std::vector<std::string>& arguments) {
  ParsedCommandLine parsed;
  if (std::find(arguments.begin(), arguments.end(), "--json-schema") != arguments.end()) RequireNothing(&app_);
  try {
    app_.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    const absl::Status status = Check();
    if (!status.ok()) {
      parsed.exit_code = kUsage;
      parsed.err = ErrorLine(std::string(status.message()));
    }
  } catch (const CLI::CallForHelp&) {
    parsed.exit_code = kMatched;
    parsed.out = app_.help();
  } catch (const CLI::ParseError& error) {
    parsed.exit_code = kUsage;
    parsed.err = ErrorLine(Explain(error));
  }
  parsed.options = options_;
  return parsed;
}

}  // namespace

ParsedCommandLine ParseCommandLine(const std::vector<std::string>& arguments, const std::string& socket_variable) {
  // Habits from other tools.
  if (arguments.size() == 1 && (arguments[0] == "--version" || arguments[0] == "-V")) {
    return ParseCommandLine({"version"}, socket_variable);
  }
  // Not parsed: what is being typed is rarely right yet.
  if (!arguments.empty() && arguments[0] == "__complete") {
    ParsedCommandLine parsed;
    parsed.options.command = Command::kComplete;
    if (!socket_variable.empty()) parsed.options.socket = socket_variable;
    const size_t first = arguments.size() > 1 && arguments[1] == "--" ? 2 : 1;
    parsed.options.names.assign(arguments.begin() + static_cast<ptrdiff_t>(first), arguments.end());
    for (size_t i = 0; i + 2 < parsed.options.names.size(); ++i) {
      if (parsed.options.names[i] == "--socket") parsed.options.socket = parsed.options.names[i + 1];
    }
    return parsed;
  }
  if (!arguments.empty() && arguments[0] == "help") {
    std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
    rest.push_back("--help");
    return ParseCommandLine(rest, socket_variable);
  }
  return Parser(socket_variable).Parse(arguments);
}

CommandNode DescribeCommandLine() { return Parser("").Describe(); }

}  // namespace taskmon::client

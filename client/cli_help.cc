// SPDX-License-Identifier: Apache-2.0
#include "client/cli_help.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace taskmon::client {
namespace {

using Lines = std::vector<std::pair<std::string, std::string>>;

std::string Laid(const Lines& lines) {
  size_t width = 0;
  for (const auto& [left, right] : lines) width = std::max(width, left.size());
  std::string text;
  for (const auto& [left, right] : lines) text += fmt::format("  {:<{}}  {}\n", left, width, right);
  return text;
}

// "-b, --begin TIME"; options without a short name are indented to the same column.
std::string OptionNames(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  std::string text = option.get_snames().empty() ? "    " : "";
  text += fmt::format("{}", fmt::join(names, ", "));
  const bool takes_value = option.get_items_expected_max() > 0;
  return takes_value ? text + " " + option.get_type_name() : text;
}

std::string UsageLine(const CLI::App& app) {
  std::string line = "Usage: " + InvocationOf(app);
  if (!app.get_subcommands({}).empty()) return line + " COMMAND [options]\n";
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) continue;
    const std::string name = option->get_name(/*positional=*/true);
    const char* more = option->get_items_expected_max() > 1 ? "..." : "";
    line += option->get_required() ? " " + name : fmt::format(" [{}{}]", name, more);
  }
  return line + " [options]\n";
}

Lines OptionLines(const CLI::App& app) {
  Lines lines;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) lines.emplace_back(option->get_name(true), option->get_description());
  }
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) lines.emplace_back(OptionNames(*option), option->get_description());
  }
  return lines;
}

}  // namespace

std::string InvocationOf(const CLI::App& app) {
  return app.get_parent() == nullptr ? "taskmonctl" : InvocationOf(*app.get_parent()) + " " + app.get_name();
}

const char kProgramSummary[] = "What is every process and thread doing now, what was it doing at 03:12, and why.";

const char kProgramFooter[] =
    "Exit codes: 0 matched, 1 nothing matched, 2 usage, bad expression or time,\n"
    "  too much asked for, 3 taskmond not reachable, 4 permission, 5 partial answer\n"
    "  (with --strict), 6 no data for that time, 70 internal, 130 interrupted\n"
    "`taskmonctl COMMAND --help` explains a command.";

const CommandHelp& HelpOf(Command command) {
  static const CommandHelp kHelp[] = {
      {"How taskmond is: what it sees, stores, loses and costs",
       "  taskmonctl status\n"
       "  taskmonctl status --raw\n"
       "  taskmonctl status -o json | jq .dropped"},
      {"What works on this machine, what does not, and what would help",
       "  taskmonctl doctor\n"
       "  taskmonctl doctor -o jsonl\n"
       "  taskmonctl doctor -o json | jq '.checks[] | select(.health != \"works\")'"},
      {"Every metric: its names, unit, kind and meaning",
       "  taskmonctl metrics\n"
       "  taskmonctl metrics offcpu_max task_pm_size\n"
       "  taskmonctl metrics -o markdown"},
      {"The version of this program", "  taskmonctl version"},
      {"Processes (-H: threads) as they are, or as they were at a time",
       "  taskmonctl ps --top 20\n"
       "  taskmonctl ps -H 'comm =~ \"^kworker\"' --sort runq_max\n"
       "  taskmonctl ps --at \"yesterday 03:12\" -f default,@io -o csv\n"
       "  taskmonctl ps -b 03:00 -e 03:30 --top 10   # the dead too; counters: increases"},
      {"Everything about one task, alive or dead, and its family",
       "  taskmonctl show 4711\n"
       "  taskmonctl show 4711 --at 10m\n"
       "  taskmonctl show 4711 --file incident.db -o json"},
      {"Each new tick as it is taken, until Ctrl-C",
       "  taskmonctl watch 'cpu > 50%'\n"
       "  taskmonctl watch -H 'app == nginx' -f tid,cpu,offcpu_max\n"
       "  taskmonctl watch --count 3 --interval 1s -o jsonl"},
      {"What tasks did between two times, tick by tick",
       "  taskmonctl history --tid 4711 -b 2h --step 10s -f cpu,rss,offcpu_max -o csv\n"
       "  taskmonctl history -b 24h --step 1m --by app -f cpu,rss,read\n"
       "  taskmonctl history 'unit == nginx.service' -b 1h --plot -f cpu,rss,net_rx"},
      {"What happened to tasks: started, executed, renamed, ended, killed",
       "  taskmonctl events --type exec,exit -b 10s\n"
       "  taskmonctl events --type fork,exit -b 1h --histogram\n"
       "  taskmonctl events -F 'user == \"www-data\"' -o jsonl"},
      {"A stretch of the history as a file, to look into anywhere",
       "  taskmonctl snapshot -b 03:00 -e 03:30 --output incident.db\n"
       "  taskmonctl snapshot -b 1h --output for-the-vendor.db --anonymize\n"
       "  taskmonctl ps --at 03:12 --file incident.db"},
      {"What changed from one time to another, largest change first",
       "  taskmonctl diff --before 1h..50m --after 10m..now   # counters: increases\n"
       "  taskmonctl diff --before 1h..50m --after 10m..now --by unit --sort rss\n"
       "  taskmonctl diff --before 1h..50m --after 10m..now --file incident.db"},
      {"Live view and time machine on a terminal; ? tells the keys",
       "  taskmonctl top\n"
       "  taskmonctl top 'user == \"www-data\"' --at \"yesterday 03:12\"\n"
       "  taskmonctl top --file incident.db"},
      {"All of it for Prometheus and its kin, by groups of tasks",
       "  taskmonctl export openmetrics --listen 127.0.0.1:9843\n"
       "  taskmonctl export openmetrics --listen 127.0.0.1:9843 --by unit --top 50\n"
       "  taskmonctl export openmetrics --once -o prometheus | promtool check metrics"},
      {"What a shell needs to complete command lines of taskmonctl",
       "  eval \"$(taskmonctl completion bash)\"\n"
       "  taskmonctl completion zsh > \"${fpath[1]}/_taskmonctl\"\n"
       "  taskmonctl completion fish > ~/.config/fish/completions/taskmonctl.fish"},
      {"", ""},  // hidden
      {"Rules say which tasks are recorded in detail: read, edit, try them",
       "  taskmonctl rule list\n"
       "  taskmonctl rule add web 'comm == nginx || app == apache' --threads top:5\n"
       "  taskmonctl rule explain 4711"},
      {"The rules in order; the first that matches a task wins",
       "  taskmonctl rule list\n"
       "  taskmonctl rule list -o wide\n"
       "  taskmonctl rule list -o json | jq '.[] | select(.matched == 0).name'"},
      {"Everything about one rule",
       "  taskmonctl rule show web\n"
       "  taskmonctl rule show 30\n"
       "  taskmonctl rule show web -o json"},
      {"Add a rule; it takes effect at once",
       "  taskmonctl rule add web 'comm == nginx || app == apache'\n"
       "  taskmonctl rule add busy 'cpu > 80% for 10s' --hold 5m --threads top:5\n"
       "  taskmonctl rule add no-cron 'comm == cron' --action drop --order 5 --dry-run"},
      {"Change some fields of a rule",
       "  taskmonctl rule set web --hold 5m --groups cpu,net\n"
       "  taskmonctl rule set web 'comm == nginx || comm == caddy' --dry-run\n"
       "  taskmonctl rule set web --order 5"},
      {"Remove rules",
       "  taskmonctl rule rm web\n"
       "  taskmonctl rule rm web busy\n"
       "  taskmonctl rule rm web --dry-run"},
      {"Let disabled rules be asked again",
       "  taskmonctl rule enable web\n"
       "  taskmonctl rule enable web busy\n"
       "  taskmonctl rule enable web --dry-run"},
      {"Keep rules, but do not ask them",
       "  taskmonctl rule disable web\n"
       "  taskmonctl rule disable web busy\n"
       "  taskmonctl rule disable web --dry-run"},
      {"Replace all rules by those of a file; shows what changes",
       "  taskmonctl rule apply -f rules.toml --dry-run\n"
       "  taskmonctl rule apply -f rules.toml\n"
       "  taskmonctl rule export | sed s/nginx/caddy/ | taskmonctl rule apply -f -"},
      {"Print all rules as a file that `rule apply` takes",
       "  taskmonctl rule export > rules.toml\n"
       "  taskmonctl rule export --version 7\n"
       "  taskmonctl rule export | ssh other taskmonctl rule apply -f -"},
      {"Make an earlier version of the rules the current one",
       "  taskmonctl rule rollback\n"
       "  taskmonctl rule rollback 7\n"
       "  taskmonctl rule rollback 7 --dry-run"},
      {"Earlier versions: when, by whom, what was done",
       "  taskmonctl rule versions\n"
       "  taskmonctl rule versions -o csv\n"
       "  taskmonctl rule versions -o json | jq '.[0].version'"},
      {"What a rule would have kept of the stored history",
       "  taskmonctl rule test 'cpu > 80% for 10s' -b 24h\n"
       "  taskmonctl rule test web -b \"yesterday 03:00\" -e \"yesterday 04:00\"\n"
       "  taskmonctl rule test 'user == backup' -b 7d -o json"},
      {"Why a task is kept or dropped; where an expression is decided",
       "  taskmonctl rule explain 4711\n"
       "  taskmonctl rule explain 'comm == nginx && cpu > 50%'\n"
       "  taskmonctl rule explain web"},
  };
  return kHelp[static_cast<int>(command)];
}

std::string HelpFormatter::make_help(const CLI::App* app, std::string, CLI::AppFormatMode) const {
  std::string text = app->get_description() + "\n\n" + UsageLine(*app) + "\n";
  const auto commands = app->get_subcommands({});
  if (!commands.empty()) {
    Lines lines;
    for (const CLI::App* each : commands) lines.emplace_back(each->get_name(), each->get_description());
    text += "Commands:\n" + Laid(lines) + "\n";
  }
  text += "Options:\n" + Laid(OptionLines(*app)) + "\n";
  if (app->get_parent() != nullptr) text += "Examples:\n";
  return text + app->get_footer() + "\n";
}

}  // namespace taskmon::client

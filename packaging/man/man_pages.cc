// SPDX-License-Identifier: Apache-2.0
//
// Prints a manual page that is made from what the programs themselves go by:
//   man_pages taskmonctl            the command line's own tree
//   man_pages taskmond.toml FILE    the shipped configuration, and that it explains every key
//   man_pages taskmon-metrics       the catalogue
//   man_pages taskmon-expressions   the attributes that expressions know
#include <cstdio>
#include <fstream>
#include <set>

#include <fmt/format.h>

#include "client/cli.h"
#include "client/exit_code.h"
#include "client/output/event_text.h"
#include "daemon/config.h"
#include "daemon/query/field.h"
#include "packaging/man/roff.h"
#include "proto/catalogue.h"

namespace taskmon::man {
namespace {

using client::CommandNode;
using client::OptionNode;
using daemon::ConfigKeys;

std::string Usage(const std::string& name, const CommandNode& command) {
  std::string usage = name;
  for (const OptionNode& option : command.options) {
    if (!option.positional) continue;
    const std::string word = option.names[0] + (option.many ? "..." : "");
    usage += option.required ? " " + word : " [" + word + "]";
  }
  return usage + " [options]";
}

void Command(const std::string& name, const CommandNode& command, Page* page) {
  if (!command.commands.empty()) {
    for (const CommandNode& below : command.commands) Command(name + " " + below.name, below, page);
    return;
  }
  page->Sub(Usage(name, command));
  page->Paragraph(command.summary + ".");
  for (const OptionNode& option : command.options) {
    const bool everywhere = !option.positional && (option.names.back() == "--help" || option.names.back() == "--socket");
    if (!everywhere) page->Item(fmt::format("{}", fmt::join(option.names, ", ")), option.type, option.help);
  }
  page->Example(command.examples);
}

Page Taskmonctl() {
  Page page("taskmonctl", 1, "User commands", "ask taskmond what tasks do and did");
  page.Section("SYNOPSIS");
  page.Paragraph("taskmonctl COMMAND [options]");
  page.Section("DESCRIPTION");
  page.Paragraph(
      "Shows what the tasks of this machine do now, as they do it, and as they did at any time that the history of "
      "taskmond(8) still holds; edits the rules that say what is recorded in detail.");
  page.Paragraph(
      "It needs no rights of its own: taskmond decides for each caller what he may see. Everyone sees what /proc shows "
      "everyone and all about his own tasks; root and members of group taskmon see everything; root and members of "
      "group taskmon-admin edit rules. What may not be seen is shown as *, what is not available as -, what is older "
      "than the tick with ~; JSON lists such fields in redacted, unavailable and ages. What the JSON of a command looks "
      "like prints its option --json-schema, as a JSON Schema (draft 2020-12): that of all that -o json prints, and with "
      "-o jsonl that of a line, which is one item of it. Among threads (-H) of the past a process whose threads are not "
      "stored is marked as such; JSON has threads_not_stored.");
  page.Paragraph("TIME is now, 10m (ago), \"10 min ago\", 3d2h, 14:30, \"yesterday 03:12\", RFC 3339 or @epoch. DUR is 250ms, "
                 "1s, 10m. EXPR is explained in taskmon-expressions(7), FIELDS are names from taskmon-metrics(7) and "
                 "attributes of tasks, @group, default or all.");
  page.Section("COMMANDS");
  const CommandNode program = client::DescribeCommandLine();
  for (const CommandNode& command : program.commands) Command(command.name, command, &page);
  page.Section("OPTIONS OF ALL COMMANDS");
  for (const OptionNode& option : program.options) {
    page.Item(fmt::format("{}", fmt::join(option.names, ", ")), option.type, option.help);
  }
  page.Section("EXIT STATUS");
  for (const client::ExitCodeText& code : client::ExitCodeTexts()) page.Item(std::to_string(code.code), "", code.meaning);
  page.Section("ENVIRONMENT");
  page.Item("TASKMON_SOCKET", "", "As --socket.");
  page.Item("PAGER, TASKMON_PAGER", "", "Shows tables that are longer than the terminal; cat or nothing: none. The second goes first.");
  page.Item("NO_COLOR", "", "No colours and no bold type, when it is set to something.");
  page.Item("COLUMNS", "", "How wide tables may be, also in a pipe.");
  page.Section("SEE ALSO");
  page.Paragraph("taskmond(8), taskmond.toml(5), taskmon-expressions(7), taskmon-metrics(7)");
  return page;
}

// A key of the file with the comment above it; blank lines and tables end a comment.
Page Config(const char* path) {
  Page page("taskmond.toml", 5, "File formats", "configuration of taskmond");
  page.Section("DESCRIPTION");
  page.Paragraph("TOML, by default at /etc/taskmon/taskmond.toml. Every key has a default, which is shown. An unknown key is an "
                 "error; taskmond --check-config --config FILE tells. Lengths of time are written \"250ms\", \"10s\", \"7d\", "
                 "sizes \"64MiB\".");
  std::set<std::string> missing;
  for (const std::string& key : ConfigKeys()) missing.insert(key);
  std::ifstream file(path);
  std::string table, comment;
  page.Section("KEYS");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#")) {
      if (!line.starts_with("# SPDX")) comment += (comment.empty() ? "" : " ") + line.substr(std::min<size_t>(2, line.size()));
      continue;
    }
    const size_t equals = line.find(" = ");
    if (line.starts_with("[")) {
      table = line.substr(1, line.find(']') - 1);
      page.Sub("[" + table + "]");
      comment.clear();
    } else if (equals != std::string::npos) {
      const std::string key = line.substr(0, equals);
      page.Item(key, line.substr(equals + 1), comment);
      missing.erase(table.empty() ? key : table + "." + key);
      comment.clear();
    } else if (missing.size() == ConfigKeys().size()) {
      comment.clear();  // the file's own head
    }
  }
  if (!missing.empty()) {
    std::fprintf(stderr, "%s does not explain %s\n", path, missing.begin()->c_str());
    std::exit(1);
  }
  page.Section("SEE ALSO");
  page.Paragraph("taskmond(8), taskmonctl(1)");
  return page;
}

Page Metrics() {
  Page page("taskmon-metrics", 7, "Miscellaneous", "what taskmon measures");
  page.Section("DESCRIPTION");
  page.Paragraph("Every metric has a full name, used in JSON and CSV, and a short one; both may be used in expressions and with "
                 "-f and --sort. A counter only grows; a process has those of its threads, dead ones included. A window max is "
                 "the largest inside one tick. Guarded metrics are shown to the task's own user, to root and to group taskmon.");
  v1::Group group = v1::GROUP_UNSPECIFIED;
  for (int g = 1; g <= v1::Group_MAX; ++g) {
    for (const MetricDesc& metric : AllMetrics()) {
      if (metric.group != g) continue;
      if (metric.group != group) page.Section(fmt::format("GROUP @{}", GroupName(group = metric.group)));
      const std::string_view guarded = metric.visibility == v1::GUARDED ? ", guarded" : "";
      page.Item(metric.name, metric.short_name,
                fmt::format("{} ({}, {}{}; from {})", metric.help, KindName(metric.kind), UnitName(metric.unit), guarded,
                            metric.source));
    }
  }
  page.Section("SEE ALSO");
  page.Paragraph("taskmonctl(1), taskmon-expressions(7)");
  return page;
}

std::string TypeText(query::FieldType type) {
  switch (type) {
    case query::FieldType::kText: return "text";
    case query::FieldType::kTextList: return "texts; a test holds when it holds for one of them";
    case query::FieldType::kNumber: return "a number";
    case query::FieldType::kDuration: return "a length of time: 10s, 5m";
    case query::FieldType::kTime: return "a time";
    case query::FieldType::kBoolean: return "yes or no; stands alone, as in kthread && cpu > 5%";
    default: return "a letter";
  }
}

Page Expressions() {
  Page page("taskmon-expressions", 7, "Miscellaneous", "how taskmon is told which tasks are meant");
  page.Section("DESCRIPTION");
  page.Paragraph("One language serves rules, ps, watch, history, events, diff and top.");
  page.Example("comm == nginx || app in (mysql, postgres, redis)\n"
               "uid != 0 && cmdline =~ \"org\\.apache\\.(catalina|kafka)\"\n"
               "kthread && comm =~ \"^(kswapd|jbd2|kworker)\"\n"
               "cpu > 80% for 10s || rss > 2GiB\n"
               "anomaly(rss) || anomaly(cpu, 6)\n"
               "unit == ssh.service && total(read) > 1GiB");
  page.Section("OPERATORS");
  page.Item("== != < <= > >=", "", "compare a field with a value.");
  page.Item("=~ !~", "", "find a regular expression (RE2) anywhere in the text, as grep does.");
  page.Item("in (A, B, ...)", "", "is one of them.");
  page.Item("&& || !", "", "and, or, not; parentheses group.");
  page.Item("for DUR", "", "The test before it has held so long without a break. It binds to one test; parentheses give it more.");
  page.Item("anomaly(METRIC) anomaly(METRIC, N)", "", "The value is far from what is usual for this very task: N times the usual distance from its median.");
  page.Item("total(COUNTER)", "", "The counter's sum. A counter alone, in a comparison, is its rate per second.");
  page.Section("VALUES");
  page.Paragraph("Words may stand in double quotes, and must where they hold blanks or signs. Numbers may have a unit: B KiB MiB "
                 "GiB TiB kB MB GB TB, ns us ms s m h d, %, k M G.");
  page.Section("WHAT IS NOT KNOWN");
  page.Paragraph("A comparison with a value that is unavailable, or hidden from whoever asks, is neither true nor false but unknown; "
                 "! leaves it so, and a task matches only when the whole is true.");
  page.Section("ATTRIBUTES");
  for (const std::string& name : query::FieldNames()) {
    const query::Field* field = query::FindField(name);
    if (field->metric == nullptr) page.Item(name, "", TypeText(field->type));
  }
  page.Paragraph("Besides these, every metric by its full or short name: taskmon-metrics(7). tcp and udp tell whether the task has "
                 "created or used such a connection.");
  page.Section("SEE ALSO");
  page.Paragraph("taskmonctl(1), taskmon-metrics(7). taskmonctl rule explain EXPR says where each part is decided.");
  return page;
}

int Main(int argc, char** argv) {
  const std::string_view name = argc > 1 ? argv[1] : "";
  if (name == "taskmonctl") return std::fputs(Taskmonctl().text().c_str(), stdout) < 0;
  if (name == "taskmond.toml" && argc > 2) return std::fputs(Config(argv[2]).text().c_str(), stdout) < 0;
  if (name == "taskmon-metrics") return std::fputs(Metrics().text().c_str(), stdout) < 0;
  if (name == "taskmon-expressions") return std::fputs(Expressions().text().c_str(), stdout) < 0;
  std::fprintf(stderr, "man_pages: no such page\n");
  return 2;
}

}  // namespace
}  // namespace taskmon::man

int main(int argc, char** argv) { return taskmon::man::Main(argc, argv); }

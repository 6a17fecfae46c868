// SPDX-License-Identifier: Apache-2.0
#include "client/cli.h"

#include <algorithm>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace taskmon::client {
namespace {

Options Parse(const std::vector<std::string>& arguments) {
  const ParsedCommandLine parsed = ParseCommandLine(arguments, "");
  EXPECT_FALSE(parsed.exit_code.has_value()) << parsed.err;
  return parsed.options;
}

std::string Refused(const std::vector<std::string>& arguments) {
  const ParsedCommandLine parsed = ParseCommandLine(arguments, "");
  EXPECT_EQ(parsed.exit_code, 2);
  EXPECT_EQ(std::count(parsed.err.begin(), parsed.err.end(), '\n'), 1) << parsed.err;
  EXPECT_EQ(parsed.out, "");
  return parsed.err;
}

TEST(CommandLine, TakesTimesThatBeginWithADash) {
  EXPECT_EQ(Parse({"ps", "--at", "-10m"}).at, "-10m");
  EXPECT_EQ(Parse({"ps", "--at=-10m"}).at, "-10m");
  const Options options = Parse({"history", "-b", "-1h30m", "-e", "-5m", "cpu > 5"});
  EXPECT_EQ(options.begin, "-1h30m");
  EXPECT_EQ(options.end, "-5m");
  EXPECT_EQ(Parse({"events", "-b10s"}).begin, "10s");
  EXPECT_EQ(Parse({"ps", "--sort", "-rss"}).sort, "-rss");
}

TEST(CommandLine, JoinsTheWordsOfAnExpression) {
  EXPECT_EQ(Parse({"ps", "comm", "==", "nginx", "--top", "5"}).expression, "comm == nginx");
  EXPECT_EQ(Parse({"ps", "-H", "comm =~ \"^kworker\"", "--top", "5"}).expression, "comm =~ \"^kworker\"");
  EXPECT_EQ(Parse({"ps", "nice", "<", "-5"}).expression, "nice < -5");
}

TEST(CommandLine, AnExpressionMayHoldTheNameOfACommand) {
  const Options options = Parse({"ps", "comm", "==", "watch"});
  EXPECT_EQ(options.command, Command::kPs);
  EXPECT_EQ(options.expression, "comm == watch");
}

TEST(CommandLine, FillsEveryOption) {
  const Options options = Parse({"watch", "uid != 0", "--interval", "250ms", "--count", "3", "-f", "cpu,rss", "-f",
                                 "comm", "-o", "jsonl", "--strict", "--raw", "--no-headers", "--socket", "/s"});
  EXPECT_EQ(options.command, Command::kWatch);
  EXPECT_EQ(options.interval_ns, 250'000'000u);
  EXPECT_EQ(options.count, 3u);
  EXPECT_EQ(options.fields, "cpu,rss,comm");
  EXPECT_EQ(options.format, Format::kJsonl);
  EXPECT_TRUE(options.strict && options.raw && !options.header);
  EXPECT_EQ(options.socket, "/s");
}

TEST(CommandLine, ReadsEventTypes) {
  const Options options = Parse({"events", "--type", "exec,exit", "--type", "oom", "-F"});
  EXPECT_THAT(options.types, testing::ElementsAre(v1::EXEC, v1::EXIT, v1::OOM_KILL));
  EXPECT_TRUE(options.follow);
}

TEST(CommandLine, TakesTheSocketFromTheEnvironmentUnlessNamed) {
  EXPECT_EQ(ParseCommandLine({"status"}, "/env").options.socket, "/env");
  EXPECT_EQ(ParseCommandLine({"status", "--socket", "/x"}, "/env").options.socket, "/x");
  EXPECT_EQ(ParseCommandLine({"--socket", "/x", "status"}, "/env").options.socket, "/x");
  EXPECT_EQ(Parse({"status"}).socket, "/run/taskmon/taskmond.sock");
}

TEST(CommandLine, SuggestsForMistypedWords) {
  EXPECT_EQ(Refused({"statsu"}), "taskmonctl: unknown command 'statsu'; did you mean 'status'?\n");
  EXPECT_EQ(Refused({"ps", "--topp", "3"}), "taskmonctl: unknown option '--topp'; did you mean '--top'?\n");
  EXPECT_EQ(Refused({"ps", "-o", "jsno"}), "taskmonctl: unknown output format 'jsno'; did you mean 'json'?\n");
  EXPECT_EQ(Refused({"events", "--type", "exce"}), "taskmonctl: unknown event type 'exce'; did you mean 'exec'?\n");
}

TEST(CommandLine, KnowsTheCommandsBelowRule) {
  const Options add =
      Parse({"rule",     "add",    "web",    "comm", "==",       "list", "--threads", "top:5", "--order",    "7",
             "--groups", "cpu,io", "--hold", "0",    "--action", "drop", "--note",    "",      "--disabled", "-n"});
  EXPECT_EQ(add.command, Command::kRuleAdd);
  EXPECT_THAT(add.rule.names, testing::ElementsAre("web"));
  EXPECT_EQ(add.rule.fields.ShortDebugString(),
            "order: 7 expr: \"comm == list\" action: \"drop\" groups: \"cpu,io\" threads: \"top:5\" hold: \"0\" "
            "enabled: false note: \"\"");
  EXPECT_TRUE(add.rule.dry_run);
  const Options set = Parse({"rule", "set", "web", "--hold", "5m"});
  EXPECT_EQ(set.rule.fields.ShortDebugString(), "hold: \"5m\"");
  EXPECT_EQ(Parse({"rule", "set", "web", "--expr", "kthread"}).rule.fields.expr(), "kthread");
  EXPECT_THAT(Parse({"rule", "rm", "a", "b"}).rule.names, testing::ElementsAre("a", "b"));
  EXPECT_EQ(Parse({"rule", "rollback"}).rule.version, 0u);
  EXPECT_EQ(Parse({"rule", "rollback", "7", "--if-version", "9"}).rule.version, 7u);
  EXPECT_EQ(Parse({"rule", "rollback", "7", "--if-version", "9"}).rule.expected_version, 9u);
  EXPECT_EQ(Parse({"rule", "explain", "4711"}).tid, 4711);
  EXPECT_EQ(Parse({"rule", "explain", "tid", "==", "4711"}).expression, "tid == 4711");
  EXPECT_EQ(Parse({"rule", "test", "cpu > 50%", "-b", "24h"}).begin, "24h");
  EXPECT_EQ(Parse({"rule", "list", "--socket", "/x"}).socket, "/x");
  EXPECT_EQ(Parse({"rule", "--socket", "/x", "list"}).socket, "/x");
}

TEST(CommandLine, SuggestsBelowRuleToo) {
  EXPECT_EQ(Refused({"rule", "lst"}), "taskmonctl: unknown command 'lst'; did you mean 'list'?\n");
  EXPECT_EQ(Refused({"rule"}), "taskmonctl: no command given; `taskmonctl rule --help` lists them\n");
  EXPECT_EQ(Refused({"rule", "ad", "x", "kthread"}), "taskmonctl: unknown command 'ad'; did you mean 'add'?\n");
  EXPECT_EQ(Refused({"rule", "add", "x", "kthread", "--thread", "all"}),
            "taskmonctl: unknown option '--thread'; did you mean '--threads'?\n");
  EXPECT_THAT(Refused({"rule", "add", "x"}), testing::HasSubstr("see `taskmonctl rule add --help`"));
  EXPECT_THAT(Refused({"rule", "add", "x", "kthread", "--order", "0"}), testing::HasSubstr("--order '0'"));
  EXPECT_THAT(Refused({"rule", "set", "x"}), testing::HasSubstr("nothing to change is named"));
  EXPECT_THAT(Refused({"rule", "rollback", "x"}), testing::HasSubstr("version 'x' is no whole number"));
  EXPECT_THAT(Refused({"rule", "apply"}), testing::HasSubstr("--file"));
  EXPECT_THAT(Refused({"rule", "rm"}), testing::HasSubstr("NAME"));
  EXPECT_THAT(Refused({"rule", "list", "extra"}), testing::HasSubstr("unexpected argument 'extra'"));
}

TEST(CommandLine, RefusesNonsenseInOneLine) {
  EXPECT_THAT(Refused({}), testing::HasSubstr("--help"));
  EXPECT_THAT(Refused({"ps", "--top", "0"}), testing::HasSubstr("--top '0'"));
  EXPECT_THAT(Refused({"ps", "--top", "-3"}), testing::HasSubstr("--top '-3'"));
  EXPECT_THAT(Refused({"history", "--tid", "99999999999"}), testing::HasSubstr("no whole number"));
  EXPECT_THAT(Refused({"watch", "--interval", "soon"}), testing::HasSubstr("--interval"));
  EXPECT_THAT(Refused({"ps", "--at"}), testing::HasSubstr("--at needs a value"));
  EXPECT_THAT(Refused({"show"}), testing::HasSubstr("TID"));
  EXPECT_THAT(Refused({"show", "1", "2"}), testing::HasSubstr("unexpected argument '2'"));
  EXPECT_THAT(Refused({"watch", "--file", "x"}), testing::HasSubstr("--file"));
  EXPECT_THAT(Refused({"events", "-F", "--file", "x"}), testing::HasSubstr("--follow"));
  EXPECT_THAT(Refused({"evil\x1b[2J\nname"}), testing::Not(testing::HasSubstr("\x1b")));
}

TEST(Help, FitsOneScreen) {
  for (const char* command : {"",
                              "status",
                              "doctor",
                              "metrics",
                              "version",
                              "ps",
                              "show",
                              "watch",
                              "history",
                              "events",
                              "diff",
                              "snapshot",
                              "top",
                              "rule",
                              "export",
                              "completion",
                              "rule list",
                              "rule show",
                              "rule add",
                              "rule set",
                              "rule rm",
                              "rule enable",
                              "rule disable",
                              "rule apply",
                              "rule export",
                              "rule rollback",
                              "rule versions",
                              "rule test",
                              "rule explain"}) {
    std::vector<std::string> arguments = {"-h"};
    std::istringstream words(command);
    for (std::string word; words >> word;) arguments.insert(arguments.end() - 1, word);
    const ParsedCommandLine parsed = ParseCommandLine(arguments, "");
    EXPECT_EQ(parsed.exit_code, 0);
    EXPECT_EQ(parsed.err, "");
    std::istringstream lines(parsed.out);
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) EXPECT_LE(line.size(), 80u) << line;
    EXPECT_LE(count, 30) << parsed.out;
  }
}

void ExpectThreeExamples(const CommandNode& command, const std::string& name) {
  for (const CommandNode& below : command.commands) ExpectThreeExamples(below, name + " " + below.name);
  if (!command.commands.empty() || command.name == "version") return;
  const auto lines = std::count(command.examples.begin(), command.examples.end(), '\n') + 1;
  EXPECT_GE(lines, 3) << name;
  EXPECT_THAT(command.examples, testing::HasSubstr(name));
  for (const OptionNode& option : command.options) EXPECT_FALSE(option.help.empty()) << name << " " << option.names[0];
}

TEST(Help, HasThreeExamplesOfEveryCommand) { ExpectThreeExamples(DescribeCommandLine(), "taskmonctl"); }

TEST(Help, IsAlsoACommand) {
  EXPECT_EQ(ParseCommandLine({"help", "ps"}, "").out, ParseCommandLine({"ps", "--help"}, "").out);
  EXPECT_EQ(ParseCommandLine({"--version"}, "").options.command, Command::kVersion);
}

}  // namespace
}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/expression.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/query/expression_node.h"
#include "tests/unit/query/world.h"

namespace taskmon::query {
namespace {

std::string ErrorOf(const std::string& text) {
  absl::StatusOr<Expression> parsed = Expression::Parse(text);
  if (parsed.ok()) return "parsed";
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(parsed.status().message());
}

bool Matches(const std::string& text, const Row& row) {
  absl::StatusOr<Expression> parsed = Expression::Parse(text);
  EXPECT_TRUE(parsed.ok()) << text << ": " << parsed.status();
  return parsed.ok() && parsed->Matches(row);
}

TaskBuilder Nginx() {
  return TaskBuilder(42, "nginx")
      .Uid(33, "www-data")
      .Info([](TaskInfo& info) {
        info.gid = 34;
        info.cmdline = "nginx: worker process org.apache.kafka";
        info.app = "nginx";
        info.cgroup = "/system.slice/nginx.service";
        info.unit = "nginx.service";
        info.rules = {"apps", "web-1"};
      })
      .Set(v1::TASK_RUNTIME_NS, 90 * kSecond, 800 * kMs)
      .Set(v1::TASK_PM_SIZE, 1ll << 30)
      .Set(v1::TASK_UTIME_JIFFIES, 60 * kSecond, 500 * kMs)
      .Set(v1::TASK_READ_BYTES, 5000, 4096)
      .Set(v1::TASK_NICE, -5)
      .Set(v1::TASK_STATE, 'D')
      .Set(v1::TASK_TCP_USED, 1)
      .Set(v1::TASK_UDP_USED, 0)
      .Set(v1::TASK_SWITCH_OFFCPU_TIME_MAX, 12 * kMs)
      .Set(v1::TASK_MIGRATION_COUNT, 7, 2);
}

class ExpressionTest : public testing::Test {
 protected:
  Row row(bool guarded_visible = true, bool cmdline_visible = true) const {
    return {.snapshot = &world_,
            .sample = world_.tasks[0].get(),
            .guarded_visible = guarded_visible,
            .cmdline_visible = cmdline_visible};
  }

  Snapshot world_ = World(10, {Nginx()});
};

TEST_F(ExpressionTest, MatchesWhatIsTrue) {
  for (const char* text : {
           "",
           "  \t ",
           "comm == nginx",
           "comm==\"nginx\"",
           "comm != mysql",
           "app in (mysql, postgres, nginx)",
           "uid == 33 && gid != 33",
           "uid in (0, 33)",
           "tid == 42 && tgid == 42 && ppid == 1",
           "user == www-data",
           "exe == /usr/bin/nginx",
           "uid != 0 && cmdline =~ \"org\\.apache\\.(catalina|kafka)\"",
           "comm =~ ngin",
           "comm =~ \"^n.*x$\"",
           "comm !~ \"^inx\"",
           "container == \"\"",
           "unit == \"nginx.service\" || container =~ \"^web\"",
           "cgroup =~ /system.slice/",
           "cpu > 79.9%",
           "cpu == 80",
           "cpu == 80 %",
           "cpu >= 80% && cpu <= 80%",
           "task_cpu_percent > 50",
           "task_pm_size == 1GiB",
           "rss == 1024MiB && rss < 2GB && rss > 1G && rss == 1073741824 && rss == 1073741824B",
           "mem == 12.5%",
           "read == 4096",
           "read == 4KiB",
           "read == 4 KiB && tcp",
           "total(read) == 5000",
           "total( task_read_bytes ) == 5k",
           "utime == 50 && utime == 500ms",
           "total(utime) == 6000 && total(utime) == 1m",
           "runtime == 800ms",
           "total(runtime) == 90s",
           "offcpu_max > 11.9ms && offcpu_max < 12001us && offcpu_max == 12000000ns",
           "nice < -4 && nice == -5",
           "migr == 2 && total(migr) == 7",
           "state == D",
           "state in (R, D)",
           "task_state != S",
           "tcp",
           "!udp",
           "tcp == true && udp == false && tcp != 0 && tcp == 1",
           "!kthread && tracked",
           "rules == apps",
           "rule == web-1",
           "rule =~ \"^web\"",
           "rules !~ \"^db\"",
           "rules != other",
           "rules in (a, apps)",
           "age == 110s && age > 1m && age < 1h",
           "age > 0",
           "start_time > 2023-11-01T00:00:00Z",
           "start_time < \"2023-11-14T22:13:20Z\"",
           "start_time == @1699999900",
           "((comm == nginx))",
           "!(comm == mysql)",
           "!!tcp",
           "tcp || comm == a && comm == b",
           "comm == a && comm == b || tcp",
           "!udp && tcp",
           "!uid == 0",
           // As the design has them.
           "comm == \"nginx\" || app in (mysql, postgres, redis)",
           "kthread && comm =~ \"^(kswapd|jbd2|kworker)\" || tcp",
           "tcp || udp",
           "cpu > 80% for 10s || task_pm_size > 512MiB",
           "anomaly(task_pm_size) || anomaly(cpu, 6) || state == D",
           "unit == \"ssh.service\" || container =~ \"^web\" || app == nginx",
       }) {
    EXPECT_TRUE(Matches(text, row())) << text;
  }
}

TEST_F(ExpressionTest, DoesNotMatchWhatIsFalse) {
  for (const char* text : {
           "comm == Nginx",
           "comm == ngin",
           "app in (mysql)",
           "comm =~ \"^ginx\"",
           "comm !~ nginx",
           "cpu > 80%",
           "cpu < 80%",
           "total(read) == 4096",
           "udp",
           "!tcp",
           "rules != apps",
           "rules !~ web",
           "state == R",
           "(tcp || comm == a) && comm == b",
           "!(tcp && !udp)",
           "kthread",
       }) {
    EXPECT_FALSE(Matches(text, row())) << text;
  }
}

TEST_F(ExpressionTest, QuotesKeepBackslashesOfRegexes) {
  world_ = World(1, {TaskBuilder(1, "a\"b\\c.d")});
  EXPECT_TRUE(Matches(R"(comm == "a\"b\\c.d")", row()));
  EXPECT_TRUE(Matches(R"(comm == "a\"b\c.d")", row())) << "a backslash before a plain letter is itself";
  EXPECT_TRUE(Matches(R"(comm =~ "c\.d")", row()));
  EXPECT_FALSE(Matches(R"(comm =~ "b\.c")", row()));
}

TEST_F(ExpressionTest, RegexesSeeBytesSoThatBrokenUtf8HidesNothing) {
  world_ = World(1, {TaskBuilder(1, "evil\xff\xfename")});
  EXPECT_TRUE(Matches("comm =~ \"^evil.*name$\"", row()));
}

// ---- Unknown is neither true nor false

TEST_F(ExpressionTest, UnavailableIsUnknownUnderEveryOperator) {
  for (const char* text :
       {"swap > 1", "swap <= 1", "swap == 0", "swap != 0", "swap in (0)", "!(swap > 1)", "!(swap == 0)",
        "!!(swap != 0)", "!(swap > 1 || udp)", "swap > 1 && tcp", "!(swap > 1 && tcp)"}) {
    EXPECT_FALSE(Matches(text, row())) << text;
  }
}

TEST_F(ExpressionTest, WhatIsKnownDecidesWhereItCan) {
  EXPECT_TRUE(Matches("swap > 1 || tcp", row()));
  EXPECT_TRUE(Matches("tcp || swap > 1", row()));
  EXPECT_TRUE(Matches("!(swap > 1 && udp)", row()));
  EXPECT_TRUE(Matches("!(udp && swap > 1)", row()));
}

TEST_F(ExpressionTest, RedactedValuesAnswerNothing) {
  for (const char* text : {"read > 0", "read == 4096", "read != 1", "!(read > 1M)", "!(read == 1)",
                           "total(read) == 5000", "!(total(read) < 10)", "!(read in (1, 2))"}) {
    EXPECT_TRUE(Matches(text, row(true))) << text;
    EXPECT_FALSE(Matches(text, row(false))) << text;
  }
  for (const char* text : {"cmdline =~ kafka", "cmdline !~ kafka", "!(cmdline =~ kafka)", "!(cmdline !~ kafka)",
                           "cmdline == x", "cmdline != x", "!(cmdline in (x))"}) {
    EXPECT_FALSE(Matches(text, row(true, false))) << text;
  }
  EXPECT_TRUE(Matches("cmdline =~ kafka", row(false, true))) << "a command line is public unless /proc hides it";
}

TEST_F(ExpressionTest, AUserWithoutNameIsUnknown) {
  world_ = World(1, {TaskBuilder(1).Uid(4711)});
  EXPECT_FALSE(Matches("user == root", row()));
  EXPECT_FALSE(Matches("user != root", row()));
  EXPECT_TRUE(Matches("uid == 4711", row()));
}

TEST_F(ExpressionTest, RatesUseTheTimeThatReallyPassed) {
  world_.tick.elapsed_ns = 4 * kSecond;  // a late tick
  EXPECT_TRUE(Matches("read == 1KiB && cpu == 20%", row()));
  world_.tick.elapsed_ns = 0;  // the first one
  EXPECT_FALSE(Matches("read >= 0", row()));
  EXPECT_FALSE(Matches("cpu >= 0", row()));
  EXPECT_TRUE(Matches("total(read) == 5000", row()));
}

// ---- Errors

TEST(ExpressionErrors, NameTheColumnAndWhatWasExpected) {
  const std::pair<const char*, const char*> kCases[] = {
      {"cmm == nginx", "column 1: unknown field 'cmm'; did you mean 'comm'?"},
      {"tcp && task_pm_sise > 1", "column 8: unknown field 'task_pm_sise'; did you mean 'task_pm_size'?"},
      {"xyzzy > 1", "column 1: unknown field 'xyzzy'; 'taskmonctl metrics' lists the metrics"},
      {"comm", "column 5: expected ==, !=, =~, !~ or in after 'comm', found the end"},
      {"cpu 80", "column 5: expected ==, !=, <, <=, >, >= or in after 'cpu', found '80'"},
      {"comm = nginx", "column 6: '=' is no operator; expected '=='"},
      {"tcp & udp", "column 5: '&' is no operator; expected '&&'"},
      {"tcp | udp", "column 5: '|' is no operator; expected '||'"},
      {"comm ~ a", "column 6: '~' is no operator; expected '=~' or '!~'"},
      {"comm == ", "column 9: expected text, found the end"},
      {"comm == && tcp", "column 9: expected text, found '&&'"},
      {"comm > a", "column 6: 'comm' is text; expected ==, !=, =~, !~ or in, found '>'"},
      {"cpu =~ a", "column 5: 'cpu' is a percentage; expected ==, !=, <, <=, >, >= or in, found '=~'"},
      {"state > D", "column 7: 'state' is a state letter; expected ==, != or in, found '>'"},
      {"state == Q", "column 10: expected a state letter (R S D T t Z X I), found 'Q'"},
      {"tcp > 0", "column 5: 'tcp' is true or false; expected ==, != or no operator, found '>'"},
      {"tcp == 2", "column 8: expected true or false, found '2'"},
      {"cpu > much", "column 7: expected a percentage such as 80%, found 'much'"},
      {"cpu > \"80\"", "column 7: expected a percentage such as 80%, found '80'"},
      {"rss > big", "column 7: expected a size such as 10MiB, found 'big'"},
      {"offcpu_max > x", "column 14: expected a time such as 10ms, found 'x'"},
      {"uid == root", "column 8: expected a number, found 'root'"},
      {"cpu > 80ms", "column 7: unit 'ms' does not fit; 'cpu' is a percentage, expected one of %"},
      {"rss > 80%",
       "column 7: unit '%' does not fit; 'rss' is a size in bytes, expected one of "
       "B KiB MiB GiB TiB kB MB GB TB k M G"},
      {"rss > 2 GiBs", "column 9: expected '&&', '||' or the end, found 'GiBs'"},
      {"rss > 2Gib",
       "column 7: unit 'Gib' is no unit; 'rss' is a size in bytes, expected one of "
       "B KiB MiB GiB TiB kB MB GB TB k M G"},
      {"offcpu_max > 5MiB",
       "column 14: unit 'MiB' does not fit; 'offcpu_max' is a length of time, expected one of "
       "ns us ms s m h d"},
      {"tid == 5k", "column 8: unit 'k' does not fit; 'tid' is a number, expected a number without unit"},
      {"migr > 5s", "column 8: unit 's' does not fit; 'migr' is a number, expected one of k M G"},
      {"age > 10", "column 7: 'age' needs a unit, expected one of ns us ms s m h d"},
      {"cpu > 1e5", "column 7: unit 'e5' is no unit; 'cpu' is a percentage, expected one of %"},
      {"total(rss) > 1", "column 7: total() needs a counter; 'rss' is a gauge"},
      {"total(comm) > 1", "column 7: total() needs a counter; 'comm' is an attribute"},
      {"total(offcpu_max) > 1", "column 7: total() needs a counter; 'offcpu_max' is a maximum"},
      {"total read > 1", "column 7: expected '(' after total, found 'read'"},
      {"total(read > 1", "column 12: expected ')', found '>'"},
      {"app in mysql", "column 8: expected '(' after in, found 'mysql'"},
      {"app in ()", "column 9: expected text, found ')'"},
      {"app in (a b)", "column 11: expected ',' or ')', found 'b'"},
      {"app in (a,", "column 11: expected text, found the end"},
      {"(tcp", "column 5: expected '&&', '||' or ')', found the end"},
      {"tcp)", "column 4: expected '&&', '||' or the end, found ')'"},
      {"tcp udp", "column 5: expected '&&', '||' or the end, found 'udp'"},
      {"tcp and udp", "column 5: expected '&&', '||' or the end, found 'and'"},
      {"!", "column 2: expected a field, found the end"},
      {"&& tcp", "column 1: expected a field, found '&&'"},
      {"\"comm\" == a", "column 1: expected a field, found 'comm'"},
      {"comm == 'a'", "column 9: unexpected character '''; text that is not a plain word needs double quotes"},
      {"comm =~ ^web", "column 9: unexpected character '^'; text that is not a plain word needs double quotes"},
      {"comm == \"abc", "column 9: this quote is never closed; expected '\"' at the end of the text"},
      {"comm =~ \"a(b\"", "column 9: bad regular expression: missing ): a(b"},
      {"comm =~ \"a\nb(\"", "column 9: bad regular expression: missing ): a\\x0ab("},
      {"comm =~ \"(?=x)\"", "column 9: bad regular expression: invalid perl operator: (?="},
      {"cpu > 80% for", "column 14: expected a time such as 10s after 'for', found the end"},
      {"cpu > 80% for long", "column 15: expected a time such as 10s after 'for', found 'long'"},
      {"cpu > 80% for 10", "column 15: 'for' needs a unit, expected one of ns us ms s m h d"},
      {"cpu > 80% for 10MiB",
       "column 15: unit 'MiB' does not fit; 'for' is a length of time, expected one of ns us ms s m h d"},
      {"cpu > 80% for 0s", "column 15: 'for' takes more than nothing and at most a day (24h)"},
      {"tcp for 25h", "column 9: 'for' takes more than nothing and at most a day (24h)"},
      {"((tcp for 12h) || cpu > 1) for 13h", "column 32: 'for' within 'for' adds up to more than a day (24h)"},
      {"tcp for 10s for 5s", "column 13: expected '&&', '||' or the end, found 'for'"},
      {"for 10s", "column 1: unknown field 'for'; 'taskmonctl metrics' lists the metrics"},
      {"anomaly", "column 8: expected '(' after anomaly, found the end"},
      {"anomaly cpu", "column 9: expected '(' after anomaly, found 'cpu'"},
      {"anomaly()", "column 9: expected a metric, found ')'"},
      {"anomaly(cpv)", "column 9: unknown field 'cpv'; did you mean 'cpu'?"},
      {"anomaly(comm)", "column 9: anomaly() needs a metric that is a quantity; 'comm' is an attribute"},
      {"anomaly(state)", "column 9: anomaly() needs a metric that is a quantity; 'state' is a state letter"},
      {"anomaly(tcp)", "column 9: anomaly() needs a metric that is a quantity; 'tcp' is true or false"},
      {"anomaly(offcpu_max_cpu)",
       "column 9: anomaly() needs a metric that is a quantity; 'offcpu_max_cpu' is the circumstance of a maximum"},
      {"anomaly(cpu, )", "column 14: expected a distance from 1 to 1000, found ')'"},
      {"anomaly(cpu, 0.5)", "column 14: expected a distance from 1 to 1000, found '0.5'"},
      {"anomaly(cpu, 6s)", "column 14: expected a distance from 1 to 1000, found '6s'"},
      {"anomaly(cpu", "column 12: expected ',' or ')', found the end"},
      {"anomaly(cpu, 6", "column 15: expected ')', found the end"},
      {"anomaly(cpu) > 6", "column 14: expected '&&', '||' or the end, found '>'"},
      {"comm == \"é\" && cmm == a", "column 16: unknown field 'cmm'; did you mean 'comm'?"},
      {"comm == é", "column 9: unexpected character 'é'; text that is not a plain word needs double quotes"},
      {"comm == \x01", "column 9: unexpected character '\\x01'; text that is not a plain word needs double quotes"},
      {"start_time > 10m",
       "column 14: 'start_time' needs an absolute time such as \"2026-01-31 14:30\"; "
       "'age' compares with now"},
  };
  for (const auto& [text, error] : kCases) EXPECT_EQ(ErrorOf(text), error) << text;
}

TEST(ExpressionErrors, LimitsHold) {
  const std::string deep = std::string(64, '(') + "tcp" + std::string(64, ')');
  EXPECT_EQ(ErrorOf(deep), "parsed");
  EXPECT_EQ(ErrorOf("(" + deep + ")"), "column 65: nested deeper than 64");
  EXPECT_EQ(ErrorOf(std::string(65, '!') + "tcp"), "column 65: nested deeper than 64");
  EXPECT_EQ(ErrorOf(std::string(4097, ' ')), "column 4097: the expression is longer than 4096 bytes");
  std::string many = "tcp";
  for (int i = 1; i < 512; ++i) many += "||tcp";
  EXPECT_EQ(ErrorOf(many), "parsed");
  EXPECT_EQ(ErrorOf(many + "||tcp"), "column 2561: more than 512 comparisons and set members");
  std::string set = "tid in (1";
  for (int i = 0; i < 511; ++i) set += ",1";
  EXPECT_EQ(ErrorOf(set + ")"), "column 1031: more than 512 comparisons and set members");
  std::string regexes = "comm=~a";
  for (int i = 0; i < 64; ++i) regexes += "||comm=~a";
  EXPECT_EQ(ErrorOf(regexes), "column 583: more than 64 regular expressions");
  EXPECT_EQ(ErrorOf("comm =~ " + std::string(1025, 'a')), "column 9: regular expression longer than 1024 bytes");
  EXPECT_EQ(ErrorOf("comm =~ \"((a{100}){100}){100}\""),
            "column 9: bad regular expression: invalid repetition size: {100}");
  EXPECT_EQ(ErrorOf("comm =~ \"(abcdef){500}\""),
            "column 9: regular expression too large; use fewer or smaller repetitions");
  EXPECT_EQ(ErrorOf("rss > 1" + std::string(400, '0')), "column 7: number too large");
  EXPECT_EQ(ErrorOf("comm == a " + std::string(50, 'x')),
            "column 11: expected '&&', '||' or the end, found 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…'");
}

TEST(ExpressionErrors, RulesMayHoldThousandsOfNames) {
  std::string names = "comm in (name0";
  for (int i = 1; i < 5000; ++i) names += ", name" + std::to_string(i);
  names += ")";
  EXPECT_EQ(ErrorOf(names), "column 4097: the expression is longer than 4096 bytes");
  absl::StatusOr<Expression> rule = Expression::Parse(names, kRuleLimits);
  ASSERT_TRUE(rule.ok()) << rule.status();
  EXPECT_EQ(rule->root()->test.texts.size(), 5000u);
  for (const auto& [comm, matches] : {std::pair("name4321", true), std::pair("name5000", false)}) {
    const Snapshot world = World(1, {TaskBuilder(1, comm)});
    EXPECT_EQ(rule->Matches({.snapshot = &world, .sample = world.tasks[0].get()}), matches) << comm;
  }
  EXPECT_FALSE(Expression::Parse(std::string(2 << 20, ' '), kRuleLimits).ok());
}

TEST(ExpressionErrors, UsesOfMemoryAreLimited) {
  std::string many = "tcp for 1s";
  for (int i = 1; i < 16; ++i) many += " || anomaly(cpu)";
  EXPECT_EQ(ErrorOf(many), "parsed");
  EXPECT_EQ(ErrorOf(many + " || udp for 1s"), "column 259: more than 16 uses of 'for' and anomaly()");
}

// ---- The tree, for whoever plans with it

using Kind = Expression::Node::Kind;

TEST(ExpressionTree, IsAsTheTextSays) {
  const Expression expression = *Expression::Parse("!comm in (b, a, b) && (cpu > 80% for 1m30s || anomaly(rss, 7))");
  const Expression::Node& root = *expression.root();
  ASSERT_EQ(root.kind, Kind::kAnd);
  ASSERT_EQ(root.children.size(), 2u);
  const Expression::Node& named = *root.children[0];
  ASSERT_EQ(named.kind, Kind::kNot);
  EXPECT_TRUE(named.identity);
  EXPECT_EQ(named.children[0]->test.op, Operator::kIn);
  EXPECT_EQ(named.children[0]->test.texts, (std::vector<std::string>{"a", "b"})) << "each once";
  const Expression::Node& either = *root.children[1];
  ASSERT_EQ(either.kind, Kind::kOr);
  EXPECT_FALSE(either.identity);
  EXPECT_EQ(either.memory_tests, 2);
  const Expression::Node& held = *either.children[0];
  ASSERT_EQ(held.kind, Kind::kHeld);
  EXPECT_EQ(held.held_ns, 90u * kSecond);
  EXPECT_TRUE(held.whole_tick);
  EXPECT_EQ(held.children[0]->test.numbers, std::vector<double>{80});
  const Expression::Node& anomaly = *either.children[1];
  ASSERT_EQ(anomaly.kind, Kind::kAnomaly);
  EXPECT_EQ(anomaly.test.field->metric->id, v1::TASK_PM_SIZE);
  EXPECT_EQ(anomaly.distance, 7);
  EXPECT_EQ(expression.thresholds(), (std::vector<const Expression::Node*>{&held, &anomaly}));
}

TEST(ExpressionTree, ForTakesTheTestBeforeIt) {
  EXPECT_EQ(Expression::Parse("tcp && udp for 1s")->root()->children[1]->kind, Kind::kHeld);
  EXPECT_EQ(Expression::Parse("(tcp && udp) for 1s")->root()->kind, Kind::kHeld);
  EXPECT_EQ(Expression::Parse("!tcp for 1s")->root()->kind, Kind::kNot);
  EXPECT_EQ(Expression::Parse("comm == for")->root()->kind, Kind::kTest) << "a word like any other where text stands";
}

TEST(ExpressionTree, OnlyRatesAndMaximaTellOfTheWholeTick) {
  for (const char* text : {"cpu > 1", "read > 1", "offcpu_max > 1s", "(comm == a && cpu > 1)", "anomaly(cpu)"}) {
    EXPECT_TRUE(Expression::Parse(text)->root()->whole_tick) << text;
  }
  for (const char* text : {"rss > 1", "total(read) > 1", "age > 1s", "(cpu > 1 || rss > 1)", "tracked"}) {
    EXPECT_FALSE(Expression::Parse(text)->root()->whole_tick) << text;
  }
}

TEST(ExpressionTree, SaysHowLongAMemoryMustLookOn) {
  EXPECT_FALSE(Expression::Parse("cpu > 80%")->needs_memory());
  EXPECT_EQ(Expression::Parse("cpu > 80%")->look_back_ns(), 0u);
  EXPECT_TRUE(Expression::Parse("tcp && cpu > 80% for 10s")->needs_memory());
  EXPECT_EQ(Expression::Parse("(cpu > 80% for 10s || tcp for 3s) for 5 s")->look_back_ns(), 15u * kSecond);
  EXPECT_EQ(Expression::Parse("anomaly(cpu) for 5s")->look_back_ns(), 605u * kSecond);
}

TEST(ExpressionTree, KnowsWhatChangesWhileATaskIsIdle) {
  for (const char* text : {"age > 1h", "comm == a || offcpu_max > 1s", "!(iowait_max > 1s)", "cpu > 80% for 1s"}) {
    EXPECT_TRUE(Expression::Parse(text)->changes_while_idle()) << text;
  }
  for (const char* text : {"", "comm == a", "cpu < 1%", "rss > 1GiB && total(read) > 1k", "state == S"}) {
    EXPECT_FALSE(Expression::Parse(text)->changes_while_idle()) << text;
  }
}

// ---- Warnings

std::vector<std::string> WarningsOf(const std::string& text) { return Expression::Parse(text)->warnings(); }

TEST(ExpressionWarnings, ANameThatNoTaskCanHave) {
  const std::string tail = "the kernel keeps 15 of a comm: it is never equal; compare the first 15, or exe";
  EXPECT_THAT(WarningsOf("comm == elasticsearch-node"),
              testing::ElementsAre("column 9: 'elasticsearch-node' has 18 bytes, and " + tail));
  EXPECT_THAT(WarningsOf("comm in (nginx, 0123456789abcdef) || comm != \"0123456789 abcdef\""),
              testing::ElementsAre("column 17: '0123456789abcdef' has 16 bytes, and " + tail,
                                   "column 46: '0123456789 abcdef' has 17 bytes, and " + tail));
  EXPECT_THAT(WarningsOf("comm == 0123456789abcde && exe == /usr/bin/elasticsearch && comm =~ elasticsearch-n"),
              testing::IsEmpty());
}

TEST(Expression, ReportsTheMetricsItReads) {
  const MetricSet none = Expression::Parse("comm == a && age > 1s")->metrics();
  EXPECT_TRUE(none.none());
  const MetricSet cpu = Expression::Parse("cpu > 1 || total(read) > 5")->metrics();
  EXPECT_TRUE(cpu[v1::TASK_CPU_PERCENT] && cpu[v1::TASK_RUNTIME_NS] && cpu[v1::TASK_READ_BYTES]);
  EXPECT_EQ(cpu.count(), 3u);
  EXPECT_TRUE(Expression::Parse("offcpu_max > 1")->metrics()[v1::TASK_OFFCPU_SINCE]);
}

TEST(Expression, KeepsItsTextAndKnowsWhenItAsksNothing) {
  EXPECT_EQ(Expression::Parse(" tcp ")->text(), " tcp ");
  EXPECT_TRUE(Expression::Parse(" ")->matches_everything());
  EXPECT_FALSE(Expression::Parse("tcp")->matches_everything());
}

}  // namespace
}  // namespace taskmon::query

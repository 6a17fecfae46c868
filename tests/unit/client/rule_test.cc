// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include "client/output/escape.h"
#include "fake_backend.h"

namespace taskmon::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

void UseUtc() {
  setenv("TZ", "UTC0", 1);
  tzset();
}

v1::Rule* AddRule(const std::string& name, uint32_t order, const std::string& expr, v1::RuleList* list) {
  v1::Rule* rule = list->add_rules();
  rule->set_name(name);
  v1::RuleFields* fields = rule->mutable_fields();
  fields->set_order(order);
  fields->set_expr(expr);
  fields->set_action("track");
  fields->set_groups("all,-syscall");
  fields->set_threads("top:5");
  fields->set_hold("1m");
  fields->set_enabled(true);
  rule->add_groups("cpu");
  rule->add_groups("io");
  rule->set_hold_ns(60'000'000'000);
  return rule;
}

v1::RuleChange* AddChange(v1::RuleChangeKind kind, const std::string& name, v1::RuleEdit* edit) {
  v1::RuleChange* change = edit->add_changes();
  change->set_kind(kind);
  change->set_name(name);
  return change;
}

void AddField(const std::string& field, const std::string& before, const std::string& after, v1::RuleChange* change) {
  v1::RuleFieldChange* added = change->add_fields();
  added->set_field(field);
  added->set_before(before);
  added->set_after(after);
}

google::protobuf::Value Parsed(const std::string& json) {
  google::protobuf::Value value;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(json, &value).ok()) << json;
  return value;
}

void ExpectWithin80(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(DisplayWidth(line), 80u) << line;
}

FakeAnswers TwoRules() {
  FakeAnswers answers;
  answers.rules.set_version(7);
  v1::Rule* web = AddRule("web", 10, "comm == nginx || comm == \"a very long name that goes on\"", &answers.rules);
  web->set_matched(12);
  web->add_stages(v1::KERNEL);
  web->add_stages(v1::TICK);
  web->mutable_fields()->set_note("front, \"end\"");
  AddRule("db", 20, "comm == postgres", &answers.rules)->mutable_fields()->set_enabled(false);
  return answers;
}

TEST(RuleList, IsATableOfEightyColumns) {
  FakeAnswers answers = TwoRules();
  const Outcome result = Invoke({"rule", "list"}, &answers, {.width = 80});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out,
            "ORDER NAME ON  ACTION MATCHED STAGE       EXPR\n"
            "   10 web  yes track       12 kernel+tick comm == nginx || comm == \"a very long…\n"
            "   20 db   no  track        - -           comm == postgres\n");
  ExpectWithin80(result.out);
}

TEST(RuleList, RowsHaveTheKeysOfTheContract) {
  FakeAnswers answers = TwoRules();
  const auto rows = Parsed(Invoke({"rule", "list", "-o", "json"}, &answers).out).list_value();
  ASSERT_EQ(rows.values_size(), 2);
  const auto& web = rows.values(0).struct_value().fields();
  for (const char* key :
       {"name", "order", "expr", "action", "groups", "threads", "hold", "enabled", "matched", "stage", "note"}) {
    EXPECT_TRUE(web.contains(key)) << key;
  }
  EXPECT_EQ(web.at("matched").number_value(), 12);
  EXPECT_EQ(web.at("stage").string_value(), "kernel+tick");
  EXPECT_EQ(web.at("groups").list_value().values_size(), 2);
  // Unavailable is not zero.
  const auto& db = rows.values(1).struct_value().fields();
  EXPECT_TRUE(db.at("matched").has_null_value());
  EXPECT_TRUE(db.at("stage").has_null_value());
  EXPECT_FALSE(db.at("enabled").bool_value());
}

TEST(RuleList, HasEveryFormat) {
  FakeAnswers answers = TwoRules();
  EXPECT_THAT(
      Invoke({"rule", "list", "-o", "csv"}, &answers).out,
      HasSubstr("\nweb,10,\"comm == nginx || comm == \"\"a very long name that goes on\"\"\",track,\"all,-syscall\","
                "top:5,1m,true,\"front, \"\"end\"\"\",12,kernel+tick\ndb,20,"));
  EXPECT_THAT(Invoke({"rule", "list", "-o", "wide"}, &answers, {.width = 80}).out, HasSubstr("front, \"end\""));
  const std::string lines = Invoke({"rule", "list", "-o", "jsonl"}, &answers).out;
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2);
}

TEST(RuleList, OfNoneIsEmptyAndExitsWithOne) {
  FakeAnswers answers;
  EXPECT_EQ(Invoke({"rule", "list"}, &answers).code, 1);
  EXPECT_EQ(Invoke({"rule", "list", "-o", "json"}, &answers).out, "[]\n");
}

TEST(RuleShow, TellsEverythingAboutOne) {
  FakeAnswers answers = TwoRules();
  answers.rules.mutable_rules()->RemoveLast();
  const Outcome result = Invoke({"rule", "show", "web"}, &answers);
  EXPECT_EQ(answers.rules_request.name(), "web");
  EXPECT_THAT(result.out, HasSubstr("Rule web\n  order    10\n"));
  EXPECT_THAT(result.out, HasSubstr("  matched  12 processes now\n  stage    kernel+tick\n"));
  answers.result = absl::NotFoundError("no rule 'wbe'; did you mean 'web'?");
  const Outcome missing = Invoke({"rule", "show", "wbe"}, &answers);
  EXPECT_EQ(missing.code, 1);
  EXPECT_EQ(missing.err, "taskmonctl: no rule 'wbe'; did you mean 'web'?\n");
}

TEST(RuleAdd, SendsWhatWasGivenAndNothingElse) {
  FakeAnswers answers;
  Invoke({"rule", "add", "web", "comm == nginx", "--hold", "5m", "--if-version", "3"}, &answers);
  ASSERT_EQ(answers.edit_requests.size(), 1u);
  EXPECT_EQ(answers.edit_requests[0].ShortDebugString(),
            "add { name: \"web\" fields { expr: \"comm == nginx\" hold: \"5m\" } } expected_version: 3");
  EXPECT_EQ(answers.edit_text, "");
}

TEST(RuleAdd, SendsALongExpressionBesideTheRequest) {
  FakeAnswers answers;
  const std::string expression = "comm in (a" + std::string(40'000, ' ') + ")";
  Invoke({"rule", "add", "web", expression}, &answers);
  EXPECT_FALSE(answers.edit_requests[0].add().fields().has_expr());
  EXPECT_EQ(answers.edit_text, expression);
}

TEST(RuleAdd, SaysWhatHappenedAndWarns) {
  FakeAnswers answers;
  v1::RuleEdit edit;
  edit.set_version(8);
  edit.set_rules(1234);
  v1::RuleChange* added = AddChange(v1::RULE_ADDED, "web", &edit);
  AddField("order", "", "30", added);
  AddField("expr", "", "comm == nginx", added);
  AddField("action", "", "drop", added);
  added->set_matching_now(0);
  edit.add_warnings("rule 'web': column 9: no name is that long");
  answers.rule_edits = {edit};
  const Outcome result = Invoke({"rule", "add", "web", "comm == nginx"}, &answers);
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, "+ web (order 30, drop): comm == nginx\nversion 8, 1,234 rules\n");
  EXPECT_EQ(result.err,
            "taskmonctl: warning: rule 'web': column 9: no name is that long\n"
            "taskmonctl: warning: rule 'web': matches no process now\n");
}

TEST(RuleAdd, SaysNothingOfMatchesThatNobodyCounted) {
  FakeAnswers answers;
  v1::RuleEdit edit;
  AddChange(v1::RULE_ADDED, "web", &edit);
  answers.rule_edits = {edit};
  EXPECT_EQ(Invoke({"rule", "add", "web", "comm == nginx"}, &answers).err, "");
}

TEST(RuleSet, ShowsEachFieldBeforeAndAfter) {
  FakeAnswers answers;
  v1::RuleEdit edit;
  edit.set_version(7);
  edit.set_dry_run(true);
  edit.set_rules(1);
  v1::RuleChange* changed = AddChange(v1::RULE_CHANGED, "web", &edit);
  AddField("hold", "1m", "5m", changed);
  AddField("note", "old", "", changed);
  AddField("expr", std::string(40, 'a'), std::string(40, 'b'), changed);
  answers.rule_edits = {edit};
  EXPECT_EQ(Invoke({"rule", "set", "web", "--hold", "5m", "--dry-run"}, &answers).out,
            "~ web: hold: 1m -> 5m\n~ web: note: old -> (none)\n~ web: expr: " + std::string(40, 'a') + "\n    -> " +
                std::string(40, 'b') + "\ndry run: version 7 stays; it would be 1 rule\n");
  EXPECT_TRUE(answers.edit_requests[0].dry_run());
}

TEST(RuleEdit, SendsTheNamesOfSeveral) {
  FakeAnswers answers;
  Invoke({"rule", "rm", "a", "b"}, &answers);
  Invoke({"rule", "enable", "a"}, &answers);
  Invoke({"rule", "disable", "a", "b"}, &answers);
  Invoke({"rule", "rollback", "5"}, &answers);
  Invoke({"rule", "rollback"}, &answers);
  EXPECT_THAT(answers.edit_requests[0].remove().names(), ElementsAre("a", "b"));
  EXPECT_THAT(answers.edit_requests[1].enable().names(), ElementsAre("a"));
  EXPECT_THAT(answers.edit_requests[2].disable().names(), ElementsAre("a", "b"));
  EXPECT_EQ(answers.edit_requests[3].roll_back(), 5u);
  EXPECT_TRUE(answers.edit_requests[4].has_roll_back());
  EXPECT_EQ(answers.edit_requests[4].roll_back(), 0u);
}

TEST(RuleEdit, WithoutChangeSaysSo) {
  FakeAnswers answers;
  v1::RuleEdit edit;
  edit.set_version(7);
  edit.set_rules(2);
  answers.rule_edits = {edit};
  const Outcome result = Invoke({"rule", "enable", "a"}, &answers);
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, "nothing to change: version 7, 2 rules\n");
}

TEST(RuleEdit, RefusalsHaveTheirExitCodes) {
  FakeAnswers answers;
  answers.result = absl::PermissionDeniedError("only root may edit rules; …");
  EXPECT_EQ(Invoke({"rule", "rm", "a"}, &answers).code, 4);
  answers.result = absl::AbortedError("the rules were edited meanwhile: …");
  EXPECT_EQ(Invoke({"rule", "rm", "a"}, &answers).code, 2);
  answers.result = absl::InvalidArgumentError("no rule 'a'");
  EXPECT_EQ(Invoke({"rule", "rm", "a"}, &answers).code, 2);
}

TEST(RuleEdit, AsJsonIsOneObject) {
  FakeAnswers answers;
  v1::RuleEdit edit;
  edit.set_version(8);
  edit.set_rules(3);
  v1::RuleChange* changed = AddChange(v1::RULE_CHANGED, "web", &edit);
  AddField("hold", "1m", "5m", changed);
  AddChange(v1::RULE_REMOVED, "old", &edit);
  answers.rule_edits = {edit};
  const auto object = Parsed(Invoke({"rule", "rm", "old", "-o", "json"}, &answers).out).struct_value().fields();
  EXPECT_EQ(object.at("version").number_value(), 8);
  const auto& change = object.at("changes").list_value().values(0).struct_value().fields();
  EXPECT_EQ(change.at("change").string_value(), "changed");
  EXPECT_EQ(change.at("fields").struct_value().fields().at("hold").struct_value().fields().at("after").string_value(),
            "5m");
}

class RuleApply : public ::testing::Test {
 protected:
  void SetUp() override { std::ofstream(path_) << "rule = []\n"; }
  void TearDown() override { std::remove(path_.c_str()); }
  const std::string path_ = ::testing::TempDir() + "taskmon-rule-apply.toml";
};

TEST_F(RuleApply, ShowsTheChangesAndHoldsTaskmondToThem) {
  FakeAnswers answers;
  v1::RuleEdit shown;
  shown.set_version(7);
  shown.set_dry_run(true);
  AddChange(v1::RULE_REMOVED, "web", &shown);
  v1::RuleEdit done = shown;
  done.set_version(8);
  done.set_dry_run(false);
  answers.rule_edits = {shown, done};
  const Outcome result = Invoke({"rule", "apply", "-f", path_}, &answers);
  EXPECT_EQ(result.out, "- web\nversion 8, 0 rules\n");
  EXPECT_EQ(answers.edit_text, "rule = []\n");
  ASSERT_EQ(answers.edit_requests.size(), 2u);
  EXPECT_EQ(answers.edit_requests[0].apply(), path_);
  EXPECT_TRUE(answers.edit_requests[0].dry_run());
  EXPECT_FALSE(answers.edit_requests[1].dry_run());
  EXPECT_EQ(answers.edit_requests[1].expected_version(), 7u);
}

TEST_F(RuleApply, OnADryRunAsksOnce) {
  FakeAnswers answers;
  v1::RuleEdit shown;
  shown.set_dry_run(true);
  AddChange(v1::RULE_REMOVED, "web", &shown);
  answers.rule_edits = {shown};
  EXPECT_THAT(Invoke({"rule", "apply", "-f", path_, "--dry-run"}, &answers).out, HasSubstr("dry run"));
  EXPECT_EQ(answers.edit_requests.size(), 1u);
}

TEST_F(RuleApply, ShortensLongListsOfChanges) {
  FakeAnswers answers;
  v1::RuleEdit edit;
  for (int i = 0; i < 100; ++i) AddChange(v1::RULE_REMOVED, "r" + std::to_string(i), &edit);
  answers.rule_edits = {edit};
  const std::string out = Invoke({"rule", "apply", "-f", path_}, &answers).out;
  EXPECT_THAT(out, HasSubstr("- r39\n  … and 60 more removed\n"));
  EXPECT_EQ(out.find("r40"), std::string::npos);
}

TEST_F(RuleApply, NamesAFileThatCannotBeRead) {
  FakeAnswers answers;
  const Outcome result = Invoke({"rule", "apply", "-f", "/nonexistent/rules.toml"}, &answers);
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.err, "taskmonctl: cannot read /nonexistent/rules.toml: No such file or directory\n");
  EXPECT_TRUE(answers.edit_requests.empty());
  EXPECT_EQ(Invoke({"rule", "apply", "-f", "/"}, &answers).code, 2);
}

TEST(RuleExport, PrintsTheFileAsItIs) {
  FakeAnswers answers;
  answers.rule_file.set_text("[[rule]]\nname = \"é\"\n");
  EXPECT_EQ(Invoke({"rule", "export", "--version", "5"}, &answers).out, "[[rule]]\nname = \"é\"\n");
  EXPECT_EQ(answers.export_request.version(), 5u);
}

TEST(RuleVersions, AreATableNewestFirst) {
  UseUtc();
  FakeAnswers answers;
  v1::RuleVersion* version = answers.rule_versions.add_versions();
  version->set_version(12);
  version->set_time_ns(kNow);
  version->set_uid(1000);
  version->set_rules(5000);
  version->set_what("added web; changed db: " + std::string(80, 'x'));
  answers.rule_versions.set_dropped(3);
  const Outcome result = Invoke({"rule", "versions"}, &answers, {.width = 80});
  EXPECT_THAT(result.out, HasSubstr("     12 2026-11-22 08:15:30 1000  5000 added web; changed db: xxx"));
  ExpectWithin80(result.out);
  EXPECT_EQ(result.err, "taskmonctl: 3 older versions are not kept any more\n");
  const auto row = Parsed(Invoke({"rule", "versions", "-o", "json"}, &answers).out).list_value().values(0);
  EXPECT_EQ(row.struct_value().fields().at("time").string_value(), "2026-11-22T08:15:30.000000000Z");
}

v1::TaskExplanation Explained() {
  v1::TaskExplanation explanation;
  explanation.mutable_task()->set_tid(4711);
  explanation.mutable_task()->set_comm("nginx");
  explanation.set_version(7);
  v1::Decision* now = explanation.mutable_now();
  now->set_time_ns(kNow);
  now->set_occasion("exec");
  now->set_outcome(v1::TRACKED);
  now->set_rule("web");
  v1::Decision* before = explanation.add_before();
  before->set_time_ns(kNow - 1'000'000);
  before->set_occasion("born");
  before->set_outcome(v1::PENDING);
  explanation.set_forgotten(2);
  v1::RuleVerdict* apps = explanation.add_rules();
  apps->set_rule("apps");
  apps->set_order(10);
  apps->set_verdict(v1::NO);
  v1::RuleVerdict* web = explanation.add_rules();
  web->set_rule("web");
  web->set_order(20);
  web->set_verdict(v1::YES);
  web->set_decides(true);
  v1::PartVerdict* part = web->add_parts();
  part->set_text("comm == nginx");
  part->set_verdict(v1::YES);
  part->set_value("nginx");
  part->set_stage(v1::KERNEL);
  part = web->add_parts();
  part->set_text("cmdline =~ \"org\\.apache\\.catalina\\.startup\\.Bootstrap\"");
  part->set_verdict(v1::UNKNOWN);
  part->set_stage(v1::USER);
  explanation.set_rules_not_shown(4998);
  return explanation;
}

TEST(RuleExplain, TellsWhichRuleDecidedAndWhen) {
  UseUtc();
  FakeAnswers answers;
  answers.task_explanation = Explained();
  const Outcome result = Invoke({"rule", "explain", "4711"}, &answers, {.width = 80});
  EXPECT_EQ(answers.explain_task_request.tid(), 4711);
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out,
            "Process 4711  nginx\n"
            "tracked by rule web since 2026-11-22 08:15:30.000 UTC\n"
            "  decided at: exec\n"
            "\n"
            "Rules of version 7, the first that matches wins:\n"
            "ORDER RULE MATCHES STAGE  BECAUSE\n"
            "   10 apps no\n"
            "   20 web  yes <-  kernel yes: comm == nginx (is nginx)\n"
            "                   user   unknown: cmdline =~ \"org\\.apache\\.catalina\\.startup\\.…\n"
            "… and 4,998 rules that do not match\n"
            "\n"
            "Before:\n"
            "TIME (UTC)              OUTCOME AT\n"
            "2026-11-22 08:15:29.999 pending born\n"
            "… and 2 earlier ones that are not kept\n");
  ExpectWithin80(result.out);
}

TEST(RuleExplain, ValuesHaveTheirUnits) {
  FakeAnswers answers;
  answers.task_explanation = Explained();
  answers.task_explanation.mutable_now()->set_detail("runq_max 2.99195e+09, beyond 1e+09");
  answers.task_explanation.mutable_before(0)->set_detail("cpu 9.545, back within 0.499976");
  v1::PartVerdict* part = answers.task_explanation.mutable_rules(1)->mutable_parts(0);
  part->set_text("anomaly(rss)");
  part->set_value("66002944");
  part->set_metric(v1::TASK_PM_SIZE);
  part = answers.task_explanation.mutable_rules(1)->mutable_parts(1);
  part->set_text("runq > 1ms");
  part->set_value("204365");
  part->set_metric(v1::TASK_RUNQ_WAIT_TIME);
  part->set_rate(true);
  const std::string out = Invoke({"rule", "explain", "4711"}, &answers, {.width = 80}).out;
  EXPECT_THAT(out, HasSubstr("decided at: exec: runq_max 3.0s beyond 1.0s\n"));
  EXPECT_THAT(out, HasSubstr("born: cpu 9.5% back within 0.5%\n"));
  EXPECT_THAT(out, HasSubstr("anomaly(rss) (is 62.9M)"));
  EXPECT_THAT(out, HasSubstr("runq > 1ms (is 204us/s)"));
}

TEST(RuleExplain, OfATaskIsAnObjectInJson) {
  FakeAnswers answers;
  answers.task_explanation = Explained();
  const auto object = Parsed(Invoke({"rule", "explain", "4711", "-o", "json"}, &answers).out).struct_value().fields();
  EXPECT_EQ(object.at("outcome").string_value(), "tracked");
  EXPECT_EQ(object.at("rule").string_value(), "web");
  const auto& web = object.at("rules").list_value().values(1).struct_value().fields();
  EXPECT_TRUE(web.at("decides").bool_value());
  EXPECT_EQ(web.at("parts").list_value().values(0).struct_value().fields().at("value").string_value(), "nginx");
  EXPECT_TRUE(web.at("parts").list_value().values(1).struct_value().fields().at("value").has_null_value());
}

TEST(RuleExplain, SaysWhenThereIsNoSuchTask) {
  FakeAnswers answers;
  answers.result = absl::NotFoundError("no task 4711");
  const Outcome result = Invoke({"rule", "explain", "4711"}, &answers);
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.err, "taskmonctl: no task 4711\n");
}

TEST(RuleExplain, ShowsThePlanOfAnExpression) {
  FakeAnswers answers;
  v1::ExpressionExplanation& plan = answers.expression_explanation;
  plan.set_rule("web");
  plan.set_expression("comm == nginx && cpu > 50%");
  v1::ExpressionPart* part = plan.add_parts();
  part->set_text("comm == nginx");
  part->set_stage(v1::KERNEL);
  part->set_how("exact name: one look-up in a hash");
  part = plan.add_parts();
  part->set_text("cpu > 50%");
  part->set_stage(v1::TICK);
  part->set_how("a percentage: taskmond, at each tick");
  plan.add_stages(v1::KERNEL);
  plan.add_stages(v1::TICK);
  plan.add_hook_groups("sched");
  plan.set_matching_now(3);
  const Outcome result = Invoke({"rule", "explain", "web"}, &answers, {.width = 80});
  EXPECT_EQ(answers.explain_expression_request.expression(), "web");
  EXPECT_EQ(result.out,
            "Rule web\n"
            "comm == nginx && cpu > 50%\n"
            "\n"
            "STAGE  PART          HOW\n"
            "kernel comm == nginx exact name: one look-up in a hash\n"
            "tick   cpu > 50%     a percentage: taskmond, at each tick\n"
            "\n"
            "As a whole: kernel+tick\n"
            "Hooks:      sched\n"
            "True now:   for 3 processes\n");
  const auto object = Parsed(Invoke({"rule", "explain", "kthread", "-o", "json"}, &answers).out).struct_value();
  EXPECT_EQ(object.fields().at("stage").string_value(), "kernel+tick");
  EXPECT_EQ(object.fields().at("matching_now").number_value(), 3);
}

TEST(RuleTest, ReportsWhatWouldHaveBeenKept) {
  UseUtc();
  FakeAnswers answers;
  v1::RuleTrial& trial = answers.rule_trial;
  trial.set_expression("comm == nginx");
  trial.set_begin_ns(kNow - 86'400'000'000'000);
  trial.set_end_ns(kNow);
  trial.set_ticks(86'400);
  trial.set_tasks(4);
  trial.set_tasks_seen(1234);
  trial.set_rows(345'600);
  trial.set_bytes_per_day(12.5 * 1024 * 1024);
  trial.add_metrics(v1::TASK_UTIME_JIFFIES);
  trial.add_remarks("the history holds no threads of these processes");
  v1::TriedTask* example = trial.add_examples();
  example->mutable_task()->set_tid(4711);
  example->mutable_task()->set_comm("nginx");
  example->mutable_task()->set_cmdline("/usr/sbin/nginx -g daemon");
  example->set_ticks(86'400);
  example->set_first_time_ns(kNow - 86'400'000'000'000);
  example->set_last_time_ns(kNow);
  const Outcome result = Invoke({"rule", "test", "comm == nginx", "-b", "24h"}, &answers, {.width = 80});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(answers.test_request.begin(), "24h");
  EXPECT_EQ(result.out,
            "comm == nginx\n"
            "  from 2026-11-21 08:15:30 to 2026-11-22 08:15:30 UTC, 86,400 ticks\n"
            "  processes  4 of 1,234 matched\n"
            "  rows       345,600\n"
            "  a day      about 12.5M\n"
            "  metrics    utime\n"
            "  note       the history holds no threads of these processes\n"
            "\n"
            "Matched longest:\n"
            " TID TICKS FIRST               LAST                COMMAND\n"
            "4711 86400 2026-11-21 08:15:30 2026-11-22 08:15:30 nginx -g daemon\n");
  ExpectWithin80(result.out);
  const auto object = Parsed(Invoke({"rule", "test", "x == y", "-o", "json"}, &answers).out).struct_value().fields();
  EXPECT_EQ(object.at("tasks").number_value(), 4);
  EXPECT_EQ(object.at("metrics").list_value().values(0).string_value(), "task_utime_jiffies");
}

TEST(RuleTest, ThatMatchedNothingExitsWithOneAndUnknownIsNoZero) {
  FakeAnswers answers;
  const Outcome result = Invoke({"rule", "test", "comm == nginx"}, &answers);
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, HasSubstr("a day      - (unavailable)"));
  EXPECT_EQ(Invoke({"rule", "test", "comm == nginx", "-b", "25:99"}, &answers).code, 2);
}

TEST(RuleOutput, IsSafeForTerminals) {
  FakeAnswers answers = TwoRules();
  answers.rules.mutable_rules(0)->mutable_fields()->set_expr("comm == \"\x1b[2J\"");
  answers.rules.mutable_rules(0)->mutable_fields()->set_note("\x1b]0;x\x07");
  for (const char* format : {"table", "wide", "csv"}) {
    EXPECT_EQ(Invoke({"rule", "list", "-o", format}, &answers).out.find('\x1b'), std::string::npos);
  }
  EXPECT_EQ(Invoke({"rule", "show", "web"}, &answers).out.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace taskmon::client

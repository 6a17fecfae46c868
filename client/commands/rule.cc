// SPDX-License-Identifier: Apache-2.0
//
// The commands that read rules or ask about them. Those that edit are in rule_edit.cc.
#include "client/commands/commands.h"

#include <fmt/format.h>

#include "client/commands/answer.h"
#include "client/exit_code.h"
#include "client/output/rule_answer_text.h"
#include "client/output/rule_text.h"
#include "client/waiting.h"

namespace taskmon::client {
namespace {

int List(const Options& options, Backend* backend, Context* context) {
  const absl::StatusOr<v1::RuleList> list = backend->ListRules({});
  if (!list.ok()) return Fail(list.status(), context);
  PrintRules(*list, options, context->terminal, context->out);
  return list->rules_size() > 0 ? kMatched : kNothingMatched;
}

int Show(const Options& options, Backend* backend, Context* context) {
  v1::ListRulesRequest request;
  request.set_name(options.rule.names[0]);
  const absl::StatusOr<v1::RuleList> list = backend->ListRules(request);
  if (absl::IsNotFound(list.status())) {
    Note(std::string(list.status().message()), context);
    return kNothingMatched;
  }
  if (!list.ok()) return Fail(list.status(), context);
  for (const v1::Rule& rule : list->rules()) {
    context->out->Write(options.format == Format::kTable ? RuleText(rule) : RuleJson(rule) + "\n");
  }
  return kMatched;
}

int Export(const Options& options, Backend* backend, Context* context) {
  v1::ExportRulesRequest request;
  request.set_version(options.rule.version);
  const absl::StatusOr<v1::RuleFile> file = backend->ExportRules(request);
  if (!file.ok()) return Fail(file.status(), context);
  context->out->Write(file->text());
  return kMatched;
}

int Versions(const Options& options, Backend* backend, Context* context) {
  const absl::StatusOr<v1::RuleVersionList> list = backend->ListRuleVersions();
  if (!list.ok()) return Fail(list.status(), context);
  PrintRuleVersions(*list, options, context->terminal, context->out);
  if (list->dropped() > 0 && IsTable(options.format)) {
    Note(fmt::format("{} older versions are not kept any more", list->dropped()), context);
  }
  return list->versions_size() > 0 ? kMatched : kNothingMatched;
}

int ExplainTask(const Options& options, Backend* backend, Context* context) {
  v1::ExplainTaskRequest request;
  request.set_tid(options.tid);
  const absl::StatusOr<v1::TaskExplanation> answer = backend->ExplainTask(request);
  if (absl::IsNotFound(answer.status())) {
    Note(std::string(answer.status().message()), context);
    return kNothingMatched;
  }
  if (!answer.ok()) return Fail(answer.status(), context);
  if (options.format == Format::kTable) {
    PrintTaskExplanation(*answer, context->terminal, context->out);
  } else {
    context->out->Write(TaskExplanationJson(*answer) + "\n");
  }
  return kMatched;
}

int ExplainExpression(const Options& options, Backend* backend, Context* context) {
  v1::ExplainExpressionRequest request;
  request.set_expression(options.expression);
  const absl::StatusOr<v1::ExpressionExplanation> answer = backend->ExplainExpression(request);
  if (!answer.ok()) return Fail(answer.status(), context);
  if (options.format == Format::kTable) {
    PrintExpressionExplanation(*answer, context->terminal, context->out);
  } else {
    context->out->Write(ExpressionExplanationJson(*answer) + "\n");
  }
  return kMatched;
}

int Test(const Options& options, Backend* backend, Context* context) {
  v1::TestRuleRequest request;
  request.set_expression(options.expression);
  if (absl::Status status = SetRange(options, context, &request); !status.ok()) return Fail(status, context);
  Waiting waiting("trying the rule on the history", backend, context);
  const absl::StatusOr<v1::RuleTrial> trial = backend->TestRule(request);
  waiting.End();
  if (!trial.ok()) return Fail(trial.status(), context);
  NoteHiddenFields(trial->expression(), backend, context);  // a rule's, where its name was given
  if (options.format == Format::kTable) {
    PrintRuleTrial(*trial, context->terminal, context->out);
  } else {
    context->out->Write(RuleTrialJson(*trial) + "\n");
  }
  return trial->rows() > 0 ? kMatched : kNothingMatched;
}

// A task's explanation or that of an expression: which, only the argument tells.
std::vector<std::string> SchemasOf(Command command) {
  switch (command) {
    case Command::kRuleList:
    case Command::kRuleShow: return {RuleSchema()};
    case Command::kRuleVersions: return {RuleVersionSchema()};
    case Command::kRuleTest: return {RuleTrialSchema()};
    case Command::kRuleExplain: return {TaskExplanationSchema(), ExpressionExplanationSchema()};
    default: return {RuleEditSchema()};
  }
}

JsonShape ShapeOf(Command command) {
  const bool list = command == Command::kRuleList || command == Command::kRuleVersions;
  return list ? JsonShape::kArray : JsonShape::kObject;
}

}  // namespace

int RunRule(const Options& options, Context* context) {
  if (!options.schema_of.empty())
    return PrintSchema(ShapeOf(options.command), SchemasOf(options.command), options, context);
  const absl::StatusOr<std::unique_ptr<Backend>> opened = context->open_backend(options);
  if (!opened.ok()) return Fail(opened.status(), context);
  Backend* backend = opened->get();
  switch (options.command) {
    case Command::kRuleList: return List(options, backend, context);
    case Command::kRuleShow: return Show(options, backend, context);
    case Command::kRuleExport: return Export(options, backend, context);
    case Command::kRuleVersions: return Versions(options, backend, context);
    case Command::kRuleTest: return Test(options, backend, context);
    case Command::kRuleExplain:
      return options.tid != 0 ? ExplainTask(options, backend, context) : ExplainExpression(options, backend, context);
    default: return RunRuleEdit(options, backend, context);
  }
}

}  // namespace taskmon::client

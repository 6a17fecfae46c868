// SPDX-License-Identifier: Apache-2.0
//
// Any request about rules that a client can send (see asking.h). What an ordinary user reads has no secret in it, and
// he edits nothing. What an administrator's edit leaves behind is a set of rules that its own text reads as again.
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/rules/rule_text.h"
#include "tests/fuzz/asking.h"
#include "tests/fuzz/rule_request_world.h"

namespace taskmon::fuzz {
namespace {

using query::Caller;

template <typename Reply>
void Take(const absl::StatusOr<Reply>& reply, Answer* answer) {
  if (reply.ok()) answer->Add(*reply);
  answer->End(reply.status());
}

// Stored rules read as what they are, whoever wrote them.
void RequireSound(const rules::RuleSet& rules) {
  const auto back = rules::ReadRuleText(rules::WriteRuleText(rules), "f");
  Require(back.ok() && back->size() == rules.size(), "a set of rules that does not read as itself");
  for (size_t i = 0; i < rules.size(); ++i) {
    Require(back->rules()[i]->rule == rules.rules()[i]->rule, "a rule that does not read as itself");
  }
}

void Edit(const RuleMachine& machine, const v1::EditRulesRequest& request, const Caller& caller, Answer* answer) {
  const uint64_t version = machine.book().Current()->version();
  const auto edited = machine.desk().Edit(request, request.text(), caller);
  Take(edited, answer);
  const rules::RuleSetPtr now = machine.book().Current();
  const bool may_change = caller.admin && edited.ok() && !request.dry_run();
  Require(may_change || now->version() == version, "an edit that was not granted, or a dry run, took effect");
  Require(caller.admin || absl::IsPermissionDenied(edited.status()), "an edit by somebody who may not");
  RequireSound(*now);
  machine.Restore();
}

Answer Ask(const RuleMachine& machine, const Input& input, const Caller& caller, bool* understood, bool as_text) {
  Answer answer{.as_text = as_text};
  daemon::RuleDesk& desk = machine.desk();
  const auto& [call, who, text] = input;
  *understood = true;
  if (v1::ListRulesRequest request; call == "list" && Read(text, &request)) {
    Take(desk.List(request, caller), &answer);
  } else if (v1::ExportRulesRequest request; call == "export" && Read(text, &request)) {
    Take(desk.Export(request, caller), &answer);
  } else if (v1::ListRuleVersionsRequest request; call == "versions" && Read(text, &request)) {
    Take(desk.Versions(caller), &answer);
  } else if (v1::ExplainTaskRequest request; call == "task" && Read(text, &request)) {
    Take(desk.ExplainTask(request, caller), &answer);
  } else if (v1::ExplainExpressionRequest request; call == "explain" && Read(text, &request)) {
    Take(desk.ExplainExpression(request, caller), &answer);
  } else if (v1::TestRuleRequest request; call == "test" && Read(text, &request)) {
    Take(desk.Test(request, caller, [] { return false; }), &answer);
  } else if (v1::EditRulesRequest request; call == "edit" && Read(text, &request)) {
    Edit(machine, request, caller, &answer);
  } else {
    *understood = false;
  }
  return answer;
}

int Try(const Input& input) {
  return AskAsWho<RuleMachine>(input, [&](const RuleMachine& machine, const Caller& caller, bool* understood,
                                          bool as_text) { return Ask(machine, input, caller, understood, as_text); });
}

}  // namespace
}  // namespace taskmon::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return taskmon::fuzz::Try(taskmon::fuzz::Split({reinterpret_cast<const char*>(data), size}));
}

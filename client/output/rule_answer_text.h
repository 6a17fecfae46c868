// SPDX-License-Identifier: Apache-2.0
//
// What taskmond says of tasks and expressions under the rules: explanations and trials, for people and as JSON. Times
// are local for people.
#pragma once

#include <string>
#include <string_view>

#include "client/output/output.h"
#include "client/terminal.h"
#include "taskmon/v1/rules.pb.h"

namespace taskmon::client {

// "pending", "tracked", "baseline", "dropped"; "unknown" for one of a newer daemon.
std::string_view OutcomeName(v1::Outcome outcome);
// "yes", "no", "unknown"
std::string_view VerdictName(v1::Verdict verdict);

void PrintTaskExplanation(const v1::TaskExplanation& explanation, const Terminal& terminal, Output* out);
std::string TaskExplanationJson(const v1::TaskExplanation& explanation);

void PrintExpressionExplanation(const v1::ExpressionExplanation& explanation, const Terminal& terminal, Output* out);
std::string ExpressionExplanationJson(const v1::ExpressionExplanation& explanation);

void PrintRuleTrial(const v1::RuleTrial& trial, const Terminal& terminal, Output* out);
std::string RuleTrialJson(const v1::RuleTrial& trial);

// What their JSON looks like.
std::string TaskExplanationSchema();
std::string ExpressionExplanationSchema();
std::string RuleTrialSchema();

}  // namespace taskmon::client

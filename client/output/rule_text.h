// SPDX-License-Identifier: Apache-2.0
//
// Rules, their versions and the changes of an edit, for people and as JSON. Pure but for the local zone.
#pragma once

#include <string>
#include <string_view>

#include "client/options.h"
#include "client/output/output.h"
#include "client/terminal.h"
#include "taskmon/v1/rules.pb.h"

namespace taskmon::client {

// "kernel", "user", "tick"; "-" for a stage that is not known.
std::string_view StageName(v1::Stage stage);
// "kernel+tick"; "-" when none is known.
std::string StagesText(const google::protobuf::RepeatedField<int>& stages);

void PrintRules(const v1::RuleList& list, const Options& options, const Terminal& terminal, Output* out);
void PrintRuleVersions(const v1::RuleVersionList& list, const Options& options, const Terminal& terminal, Output* out);

// A block with every field of one rule.
std::string RuleText(const v1::Rule& rule);
// name order expr action groups threads hold hold_ns enabled note matched stage
std::string RuleJson(const v1::Rule& rule);

// Each change as a line or some, beginning with "+", "~" or "-"; of each kind at most `most`, and how many more.
std::string RuleChangesText(const v1::RuleEdit& edit, int most);
// {version, dry_run, rules, changes: [{change, name, fields: {field: {before, after}}, matching_now}], warnings: []}
std::string RuleEditJson(const v1::RuleEdit& edit);

// What their JSON looks like.
std::string RuleSchema();
std::string RuleVersionSchema();
std::string RuleEditSchema();

}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
//
// Rules between the wire and the model: fields as texts on one side, checked values on the other. Pure.
#pragma once

#include <absl/status/statusor.h>

#include "daemon/rules/rule_diff.h"
#include "daemon/rules/rule_engine.h"
#include "storage/rule_store.h"
#include "taskmon/v1/rules.pb.h"

namespace taskmon::daemon {

// InvalidArgument: "threads: 'topp:3' is not …".
absl::StatusOr<rules::RulePatch> DecodeFields(const v1::RuleFields& fields_untrusted);

void EncodeRule(const rules::Rule& rule, const rules::RuleFigures& figures, v1::Rule* out);
void EncodeChange(const rules::RuleChange& change, v1::RuleChange* out);
void EncodeVersions(const storage::RuleVersionList& list, v1::RuleVersionList* out);

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
//
// Puts the explanation of one task together. Pure: what the sampler knew of it in, message out.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "daemon/query/caller.h"
#include "daemon/query/test_memory.h"
#include "daemon/rules/rule_set.h"
#include "daemon/rules/standing.h"
#include "storage/sample.h"
#include "taskmon/v1/rules.pb.h"

namespace taskmon::daemon {

// What the sampler knows of a process and of the rules that were, or could be, asked about it.
struct KnownOfTask {
  struct AskedRule {
    uint32_t place = 0;
    rules::RulePtr rule;
    query::Verdicts verdicts;  // of its tests with memory
  };

  std::shared_ptr<const TaskSample> sample;  // its row of the newest tick, or of an earlier one while it is idle
  rules::Standing standing;
  std::vector<AskedRule> rules;  // in order, up to the one that decides
  uint64_t rules_not_asked = 0;  // those that a process of its name can never match, and what is left out of long lists
  uint64_t version = 0;          // of the rules
};

v1::TaskExplanation MakeTaskExplanation(const KnownOfTask& known, const Snapshot& newest, const query::Caller& caller);

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
//
// Answers about what decides: which rule has a task and why, where the parts of an expression are decided, what a rule
// would have kept of the past. On gRPC threads; what only the sampler knows it is asked for between ticks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/query/user_budgets.h"
#include "daemon/rules/admission.h"
#include "daemon/rules/rule_engine.h"
#include "daemon/sampler.h"
#include "storage/ring_reader.h"
#include "storage/sample.h"

namespace taskmon::daemon {

class RuleAnswers : public rules::RuleEngine {
 public:
  struct Sources {  // all outlive it
    std::function<absl::Status(const std::function<void(SampleBuilder&)>&)> ask_sampler;
    const rules::Admission* admission;  // to be looked at inside ask_sampler only
    std::function<std::shared_ptr<const Snapshot>()> newest;
    std::function<absl::StatusOr<std::unique_ptr<storage::RingReader>>()> open_ring;
    std::function<uint64_t()> ring_bytes;
    std::function<int64_t()> now_wall_ns;
    bool keep_untracked = true;   // baseline "all"
    query::UserBudgets* budgets;  // shared with other questions
  };

  explicit RuleAnswers(Sources sources) : sources_(std::move(sources)) {}

  std::vector<rules::RuleFigures> Figures(const rules::RuleSet& set) const override;
  absl::StatusOr<v1::TaskExplanation> ExplainTask(const rules::RuleSet& set, int32_t tid_untrusted,
                                                  const query::Caller& caller) const override;
  absl::StatusOr<v1::ExpressionExplanation> ExplainExpression(const query::Expression& expression) const override;
  absl::StatusOr<v1::RuleTrial> TestRule(const query::Expression& expression,
                                         const v1::TestRuleRequest& request_untrusted, const query::Caller& caller,
                                         const std::function<bool()>& cancelled) const override;

 private:
  const Sources sources_;
};

}  // namespace taskmon::daemon

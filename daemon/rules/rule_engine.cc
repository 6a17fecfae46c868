// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/rule_engine.h"

namespace taskmon::rules {
namespace {

absl::Status Unavailable() {
  return absl::FailedPreconditionError("unavailable: this taskmond stores rules, but does not decide tasks by them");
}

class UnavailableRuleEngine : public RuleEngine {
 public:
  std::vector<RuleFigures> Figures(const RuleSet& set) const override { return std::vector<RuleFigures>(set.size()); }
  absl::StatusOr<v1::TaskExplanation> ExplainTask(const RuleSet&, int32_t, const query::Caller&) const override {
    return Unavailable();
  }
  absl::StatusOr<v1::ExpressionExplanation> ExplainExpression(const query::Expression&) const override {
    return Unavailable();
  }
  absl::StatusOr<v1::RuleTrial> TestRule(const query::Expression&, const v1::TestRuleRequest&, const query::Caller&,
                                         const std::function<bool()>&) const override {
    return Unavailable();
  }
};

}  // namespace

std::unique_ptr<RuleEngine> MakeUnavailableRuleEngine() { return std::make_unique<UnavailableRuleEngine>(); }

}  // namespace taskmon::rules

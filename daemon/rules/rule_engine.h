// SPDX-License-Identifier: Apache-2.0
//
// What the rule service asks of whoever decides tasks by rules: figures, explanations, trials. The admission implements
// it. Called on gRPC threads; must not wait for the sampler longer than a tick. Rules come in as the set they belong
// to; an answer for another version than the engine works with is "unavailable" or about the newest it knows.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <absl/status/statusor.h>

#include "daemon/query/caller.h"
#include "daemon/rules/rule_set.h"
#include "taskmon/v1/rules.pb.h"

namespace taskmon::rules {

struct RuleFigures {
  std::optional<uint64_t> matched;  // living processes that are with the rule now; nullopt: not known
  std::vector<v1::Stage> stages;    // where its parts are decided; empty: not known
};

class RuleEngine {
 public:
  virtual ~RuleEngine() = default;

  // One for each rule of the set, in its order.
  virtual std::vector<RuleFigures> Figures(const RuleSet& set) const = 0;

  // Fills `now`, `before`, `rules` …; values that the caller may not see are left out. NotFound: no such task.
  virtual absl::StatusOr<v1::TaskExplanation> ExplainTask(const RuleSet& set, int32_t tid_untrusted,
                                                          const query::Caller& caller) const = 0;

  // Fills parts, stages and hook_groups; the service adds the rest.
  virtual absl::StatusOr<v1::ExpressionExplanation> ExplainExpression(const query::Expression& expression) const = 0;

  // Over the times of the request, whose expression `expression` stands for. `cancelled` is to be asked now and then.
  // OutOfRange: nothing is stored for that time. InvalidArgument: no TIME.
  virtual absl::StatusOr<v1::RuleTrial> TestRule(const query::Expression& expression,
                                                 const v1::TestRuleRequest& request_untrusted,
                                                 const query::Caller& caller,
                                                 const std::function<bool()>& cancelled) const = 0;
};

// Knows nothing: figures are unavailable, questions answered by FailedPrecondition.
std::unique_ptr<RuleEngine> MakeUnavailableRuleEngine();

}  // namespace taskmon::rules

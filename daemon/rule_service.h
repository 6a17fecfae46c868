// SPDX-License-Identifier: Apache-2.0
//
// The gRPC face of the rules: finds out who asks, takes a rule file that comes in pieces together, and leaves the rest
// to the desk. Runs on gRPC's pool.
#pragma once

#include <absl/status/statusor.h>

#include "daemon/peers.h"
#include "daemon/rule_desk.h"
#include "taskmon/v1/rules.grpc.pb.h"

namespace taskmon::daemon {

class RuleService final : public v1::Rules::Service {
 public:
  static constexpr size_t kMaxTextBytes = 16u << 20;

  // Both outlive it.
  RuleService(const Peers* peers, RuleDesk* desk) : peers_(peers), desk_(desk) {}

  grpc::Status ListRules(grpc::ServerContext*, const v1::ListRulesRequest*, v1::RuleList*) override;
  grpc::Status ExportRules(grpc::ServerContext*, const v1::ExportRulesRequest*, v1::RuleFile*) override;
  grpc::Status EditRules(grpc::ServerContext*, grpc::ServerReader<v1::EditRulesRequest>*, v1::RuleEdit*) override;
  grpc::Status ListRuleVersions(grpc::ServerContext*, const v1::ListRuleVersionsRequest*,
                                v1::RuleVersionList*) override;
  grpc::Status ExplainTask(grpc::ServerContext*, const v1::ExplainTaskRequest*, v1::TaskExplanation*) override;
  grpc::Status ExplainExpression(grpc::ServerContext*, const v1::ExplainExpressionRequest*,
                                 v1::ExpressionExplanation*) override;
  grpc::Status TestRule(grpc::ServerContext*, const v1::TestRuleRequest*, v1::RuleTrial*) override;

 private:
  // Asks the desk on behalf of the caller.
  template <typename Reply, typename Ask>
  grpc::Status Answer(const grpc::ServerContext& context, Reply* reply, const Ask& ask) const;

  const Peers* const peers_;
  RuleDesk* const desk_;
};

}  // namespace taskmon::daemon

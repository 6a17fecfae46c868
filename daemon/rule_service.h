// SPDX-License-Identifier: Apache-2.0
//
// The gRPC face of the rules: who may read and who may edit them, edits turned into RuleBook's, answers filled from the
// current set and the engine. Runs on gRPC's pool.
//
// Rules are for everyone who may use the socket to read (Sources::readers_only narrows it to those who see everything):
// what is recorded of a user's tasks, and by whose wish, is no secret from him. Edits are for uid 0 and the admin
// group.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "daemon/peers.h"
#include "daemon/rules/rule_book.h"
#include "daemon/rules/rule_engine.h"
#include "daemon/shares.h"
#include "storage/sample.h"
#include "taskmon/v1/rules.grpc.pb.h"

namespace taskmon::daemon {

class RuleService final : public v1::Rules::Service {
 public:
  struct Sources {
    const Peers* peers;
    rules::RuleBook* book;
    const rules::RuleEngine* engine;
    std::function<std::shared_ptr<const Snapshot>()> newest;  // null before the first tick
    bool readers_only = false;
    std::string reader_group;
    std::string admin_group;
  };

  // A trial reads much of the history.
  static constexpr uint32_t kMostTrials = 4;
  static constexpr size_t kMaxTextBytes = 16u << 20;

  explicit RuleService(Sources sources) : sources_(std::move(sources)), trials_(kMostTrials) {}

  grpc::Status ListRules(grpc::ServerContext*, const v1::ListRulesRequest*, v1::RuleList*) override;
  grpc::Status ExportRules(grpc::ServerContext*, const v1::ExportRulesRequest*, v1::RuleFile*) override;
  grpc::Status EditRules(grpc::ServerContext*, grpc::ServerReader<v1::EditRulesRequest>*, v1::RuleEdit*) override;
  grpc::Status ListRuleVersions(grpc::ServerContext*, const v1::ListRuleVersionsRequest*,
                                v1::RuleVersionList*) override;
  grpc::Status ExplainTask(grpc::ServerContext*, const v1::ExplainTaskRequest*, v1::TaskExplanation*) override;
  grpc::Status ExplainExpression(grpc::ServerContext*, const v1::ExplainExpressionRequest*,
                                 v1::ExpressionExplanation*) override;
  grpc::Status TestRule(grpc::ServerContext*, const v1::TestRuleRequest*, v1::RuleTrial*) override;

  uint64_t refused_trials() const { return trials_.refused(); }

 private:
  // Unauthenticated, or PermissionDenied with what would grant it.
  absl::StatusOr<query::Caller> Reader(const grpc::ServerContext& context) const;
  absl::StatusOr<query::Caller> Editor(const grpc::ServerContext& context) const;

  absl::StatusOr<rules::RuleBook::EditResult> Edit(const v1::EditRulesRequest& request_untrusted,
                                                   const std::string& text_untrusted, const query::Caller& caller);
  void FillEdit(const rules::RuleBook::EditResult& result, bool dry_run, v1::RuleEdit* reply) const;

  const Sources sources_;
  Shares trials_;
};

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/rule_service.h"

#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "daemon/grpc_status.h"

namespace taskmon::daemon {

using query::Caller;

template <typename Reply, typename Ask>
grpc::Status RuleService::Answer(const grpc::ServerContext& context, Reply* reply, const Ask& ask) const {
  const std::optional<Caller> caller = peers_->Find(context.peer());
  if (!caller) return NoCredentials();
  absl::StatusOr<Reply> answer = ask(*caller);
  if (!answer.ok()) return ToGrpc(answer.status());
  *reply = *std::move(answer);
  return grpc::Status::OK;
}

grpc::Status RuleService::ListRules(grpc::ServerContext* context, const v1::ListRulesRequest* request,
                                    v1::RuleList* reply) {
  return Answer(*context, reply, [&](const Caller& caller) { return desk_->List(*request, caller); });
}

grpc::Status RuleService::ExportRules(grpc::ServerContext* context, const v1::ExportRulesRequest* request,
                                      v1::RuleFile* reply) {
  return Answer(*context, reply, [&](const Caller& caller) { return desk_->Export(*request, caller); });
}

grpc::Status RuleService::EditRules(grpc::ServerContext* context, grpc::ServerReader<v1::EditRulesRequest>* reader,
                                    v1::RuleEdit* reply) {
  return Answer(*context, reply, [&](const Caller& caller) -> absl::StatusOr<v1::RuleEdit> {
    // First of all: nobody else's bytes get as far as the parser.
    if (absl::Status status = desk_->MayEdit(caller); !status.ok()) return status;
    v1::EditRulesRequest request;
    if (!reader->Read(&request)) return absl::InvalidArgumentError("the request has no edit");
    std::string text = request.text();
    for (v1::EditRulesRequest more; reader->Read(&more);) {
      if (text.size() + more.text().size() > kMaxTextBytes) {
        return absl::InvalidArgumentError(fmt::format("the file is larger than {} MiB", kMaxTextBytes >> 20));
      }
      text += more.text();
    }
    if (context->IsCancelled()) return absl::CancelledError("the client has gone");
    return desk_->Edit(request, text, caller);
  });
}

grpc::Status RuleService::ListRuleVersions(grpc::ServerContext* context, const v1::ListRuleVersionsRequest*,
                                           v1::RuleVersionList* reply) {
  return Answer(*context, reply, [&](const Caller& caller) { return desk_->Versions(caller); });
}

grpc::Status RuleService::ExplainTask(grpc::ServerContext* context, const v1::ExplainTaskRequest* request,
                                      v1::TaskExplanation* reply) {
  return Answer(*context, reply, [&](const Caller& caller) { return desk_->ExplainTask(*request, caller); });
}

grpc::Status RuleService::ExplainExpression(grpc::ServerContext* context, const v1::ExplainExpressionRequest* request,
                                            v1::ExpressionExplanation* reply) {
  return Answer(*context, reply, [&](const Caller& caller) { return desk_->ExplainExpression(*request, caller); });
}

grpc::Status RuleService::TestRule(grpc::ServerContext* context, const v1::TestRuleRequest* request,
                                   v1::RuleTrial* reply) {
  const auto cancelled = [context] { return context->IsCancelled(); };
  return Answer(*context, reply, [&](const Caller& caller) { return desk_->Test(*request, caller, cancelled); });
}

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/rule_service.h"

#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "daemon/early_call.h"
#include "daemon/grpc_status.h"

namespace taskmon::daemon {

using query::Caller;

RuleService::RuleService(const Peers* peers, RuleDesk* desk) : peers_(peers), desk_(desk) {
  using Context = grpc::ServerContext;
  Handle<v1::ListRulesRequest, v1::RuleList>(
      "ListRules", [desk](Context*, const auto& request, const Caller& caller) { return desk->List(request, caller); });
  Handle<v1::ExportRulesRequest, v1::RuleFile>(
      "ExportRules",
      [desk](Context*, const auto& request, const Caller& caller) { return desk->Export(request, caller); });
  Handle<v1::ListRuleVersionsRequest, v1::RuleVersionList>(
      "ListRuleVersions", [desk](Context*, const auto&, const Caller& caller) { return desk->Versions(caller); });
  Handle<v1::ExplainTaskRequest, v1::TaskExplanation>(
      "ExplainTask",
      [desk](Context*, const auto& request, const Caller& caller) { return desk->ExplainTask(request, caller); });
  Handle<v1::ExplainExpressionRequest, v1::ExpressionExplanation>(
      "ExplainExpression",
      [desk](Context*, const auto& request, const Caller& caller) { return desk->ExplainExpression(request, caller); });
  Handle<v1::TestRuleRequest, v1::RuleTrial>(
      "TestRule", [desk](Context* context, const auto& request, const Caller& caller) {
        return desk->Test(request, caller, [context] { return context->IsCancelled(); });
      });
}

template <typename Request, typename Reply, typename Ask>
void RuleService::Handle(const char* method, Ask ask) {
  const auto handle = [this, ask](grpc::ServerContext* context, EarlyCall<Request, Reply>* call) {
    const std::optional<Caller> caller = peers_->Find(context->peer());
    if (!caller) return NoCredentials();
    Request request;
    if (!call->Read(&request)) return NoRequest();
    const absl::StatusOr<Reply> answer = ask(context, request, *caller);
    if (!answer.ok()) return ToGrpc(answer.status());
    call->Write(*answer);
    return grpc::Status::OK;
  };
  MarkMethodStreamed(MethodIndex<Request>("Rules", method), EarlyHandler<Request, Reply>(handle));
}

grpc::Status RuleService::EditRules(grpc::ServerContext* context, grpc::ServerReader<v1::EditRulesRequest>* reader,
                                    v1::RuleEdit* reply) {
  const std::optional<Caller> caller = peers_->Find(context->peer());
  if (!caller) return NoCredentials();
  // First of all: nobody else's bytes get as far as the parser.
  if (absl::Status status = desk_->MayEdit(*caller); !status.ok()) return ToGrpc(status);
  v1::EditRulesRequest request;
  if (!reader->Read(&request)) return NoRequest();
  std::string text = request.text();
  for (v1::EditRulesRequest more; reader->Read(&more);) {
    if (text.size() + more.text().size() > kMaxTextBytes) {
      return ToGrpc(absl::InvalidArgumentError(fmt::format("the file is larger than {} MiB", kMaxTextBytes >> 20)));
    }
    text += more.text();
  }
  if (context->IsCancelled()) return ToGrpc(absl::CancelledError("the client has gone"));
  auto edit = desk_->Edit(request, text, *caller);
  if (!edit.ok()) return ToGrpc(edit.status());
  *reply = *std::move(edit);
  return grpc::Status::OK;
}

}  // namespace taskmon::daemon

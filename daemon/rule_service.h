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
  RuleService(const Peers* peers, RuleDesk* desk);

  grpc::Status EditRules(grpc::ServerContext*, grpc::ServerReader<v1::EditRulesRequest>*, v1::RuleEdit*) override;

 private:
  // Has a method answered by `ask(context, request, caller)`.
  template <typename Request, typename Reply, typename Ask>
  void Handle(const char* method, Ask ask);

  const Peers* const peers_;
  RuleDesk* const desk_;
};

}  // namespace taskmon::daemon

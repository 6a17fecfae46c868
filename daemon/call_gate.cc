// SPDX-License-Identifier: Apache-2.0
#include "daemon/call_gate.h"

#include <optional>

#include <grpcpp/server_context.h>

namespace taskmon::daemon {
namespace {

using grpc::experimental::InterceptionHookPoints;

// Lives as long as its call has a thread.
class OneCall final : public grpc::experimental::Interceptor {
 public:
  OneCall(CallGate* gate, grpc::experimental::ServerRpcInfo* info) : gate_(gate), info_(info) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      share_.emplace(gate_->Enter(info_->server_context()->peer()));
    }
    methods->Proceed();
  }

 private:
  CallGate* const gate_;
  grpc::experimental::ServerRpcInfo* const info_;
  std::optional<Shares::Share> share_;
};

class CallFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit CallFactory(CallGate* gate) : gate_(gate) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(grpc::experimental::ServerRpcInfo* info) override {
    return new OneCall(gate_, info);
  }

 private:
  CallGate* const gate_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> CallGate::MakeInterceptors() {
  return std::make_unique<CallFactory>(this);
}

Shares::Share CallGate::Enter(const std::string& peer) {
  // Of a connection that is not known any more nothing is granted, nor is there anything to end.
  const auto caller = peers_->Find(peer);
  if (!caller) return Shares::Share(nullptr, 0);
  Shares::Share share = calls_.Take(*caller);
  if (!share.granted() && !caller->admin) peers_->SendAway(caller->uid);
  return share;
}

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
//
// How many calls there are at once, counted from a call's first header until its last byte has left, for so long has it
// a thread of gRPC's pool. A client that sends no request, or takes no answer, holds that thread: no limit of HTTP/2's
// keeps him from it, for he need not heed them, and a refusal is one more answer that he does not take. So who has more
// calls than his share is sent away with all his connections: what he has said on the others is yet to come. Safe from
// every thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <grpcpp/support/server_interceptor.h>

#include "daemon/peers.h"
#include "daemon/shares.h"

namespace taskmon::daemon {

class CallGate {
 public:
  // `max_streams`: that the services grant. A user's share leaves room for his, for short calls beside them and for
  // refusals of more. Peers outlive the gate, and the gate the server.
  CallGate(Peers* peers, uint32_t max_streams) : peers_(peers), calls_(2 * max_streams + kShortCalls) {}

  // What tells it of every call of the server, those of unknown methods, too.
  std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeInterceptors();

  // `peer` as ServerContext::peer() gives it. Not granted: he has been sent away, unless he is an administrator.
  Shares::Share Enter(const std::string& peer);

  uint32_t limit() const { return calls_.limit(); }
  uint32_t of_one_user() const { return calls_.of_one_user(); }
  uint64_t refused() const { return calls_.refused(); }

 private:
  static constexpr uint32_t kShortCalls = 64;

  Peers* const peers_;
  Shares calls_;
};

}  // namespace taskmon::daemon

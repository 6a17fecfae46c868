// SPDX-License-Identifier: Apache-2.0
//
// What the gRPC services answer besides data: errors of ours as gRPC's (the codes have the same numbers), and the
// refusal of a connection whose credentials are not known.
#pragma once

#include <string>

#include <absl/status/status.h>
#include <grpcpp/support/status.h>

namespace taskmon::daemon {

inline grpc::Status ToGrpc(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}

inline grpc::Status NoRequest() { return {grpc::StatusCode::INVALID_ARGUMENT, "no request came"}; }

inline grpc::Status NoCredentials() {
  return {grpc::StatusCode::UNAUTHENTICATED, "this connection has no credentials"};
}

}  // namespace taskmon::daemon

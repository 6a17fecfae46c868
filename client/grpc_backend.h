// SPDX-License-Identifier: Apache-2.0
//
// Asks taskmond over its Unix socket. The channel connects at the first call; nothing is retried. The one place where
// gRPC's codes become ours.
#pragma once

#include <memory>
#include <string>

#include "client/backend.h"

namespace taskmon::client {

// Unavailable: nobody answers at the socket, or the connection broke. PermissionDenied: the socket or the daemon
// refuses.
std::unique_ptr<Backend> MakeGrpcBackend(const std::string& socket_path);

}  // namespace taskmon::client

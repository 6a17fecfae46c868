// SPDX-License-Identifier: Apache-2.0
//
// What gRPC and Protobuf have to say of the bytes they get. By themselves they write a line to stderr for each request
// that is malformed, as many as a client likes: here such lines are for who debugs taskmond, and nobody can fill a log.
#pragma once

namespace taskmon::daemon {

// Called once, before the first connection.
void QuietLibraryLogs();

}  // namespace taskmon::daemon

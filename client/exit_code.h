// SPDX-License-Identifier: Apache-2.0
//
// The exit codes that scripts rely on (documented in `taskmonctl --help`), and how failures become one line of text.
// A status keeps the code of what went wrong; the client's edge (grpc_backend, file_backend) chooses it so that this
// mapping is the only one.
#pragma once

#include <string>
#include <vector>

#include <absl/status/status.h>

namespace taskmon::client {

enum ExitCode : int {
  kMatched = 0,
  kNothingMatched = 1,
  kUsage = 2,  // also: bad expression, bad time
  kNotReachable = 3,
  kPermission = 4,
  kPartial = 5,  // only with --strict
  kNoData = 6,
  kInternal = 70,
  kInterrupted = 130,
};

struct ExitCodeText {
  int code;
  const char* meaning;
};
const std::vector<ExitCodeText>& ExitCodeTexts();

// InvalidArgument and Aborted → kUsage, Unavailable → kNotReachable, PermissionDenied → kPermission, OutOfRange and
// NotFound → kNoData, ResourceExhausted → kUsage: what was asked for is too much, Cancelled → kInterrupted, OK →
// kMatched, everything else → kInternal.
ExitCode ExitCodeFor(const absl::Status& status);

// "taskmonctl: <what>\n": always one line, control characters made visible.
std::string ErrorLine(const std::string& what);

}  // namespace taskmon::client

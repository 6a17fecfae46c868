// SPDX-License-Identifier: Apache-2.0
#include "client/exit_code.h"

#include "client/output/escape.h"

namespace taskmon::client {

ExitCode ExitCodeFor(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk: return kMatched;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kAborted: return kUsage;
    case absl::StatusCode::kUnavailable: return kNotReachable;
    case absl::StatusCode::kPermissionDenied: return kPermission;
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kNotFound: return kNoData;
    case absl::StatusCode::kCancelled: return kInterrupted;
    default: return kInternal;
  }
}

std::string ErrorLine(const std::string& what) { return "taskmonctl: " + TerminalSafe(what) + "\n"; }

}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
#include "client/exit_code.h"

#include "client/output/escape.h"

namespace taskmon::client {

const std::vector<ExitCodeText>& ExitCodeTexts() {
  static const std::vector<ExitCodeText> kTexts = {
      {kMatched, "Something matched, or was done."},
      {kNothingMatched, "Nothing matched."},
      {kUsage, "Wrong usage, a bad expression or time, or more asked for than taskmond gives at once."},
      {kNotReachable, "taskmond is not reachable."},
      {kPermission, "No permission; the message says what would grant it."},
      {kPartial, "The answer is partial; with --strict only."},
      {kNoData, "No data for that time."},
      {kInternal, "Internal error."},
      {kInterrupted, "Interrupted by Ctrl-C; 128 and the signal's number for others."},
  };
  return kTexts;
}

ExitCode ExitCodeFor(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk: return kMatched;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kResourceExhausted: return kUsage;
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

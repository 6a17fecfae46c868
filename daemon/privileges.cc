// SPDX-License-Identifier: Apache-2.0
#include "daemon/privileges.h"

#include <cap-ng.h>
#include <sys/prctl.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace taskmon::daemon {
namespace {

// Newer than the headers of some distributions.
#ifndef CAP_PERFMON
constexpr unsigned CAP_PERFMON = 38;
constexpr unsigned CAP_BPF = 39;
#endif

std::vector<unsigned> NeededFor(Duty duty) {
  switch (duty) {
    case Duty::kStarting: return {CAP_BPF, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN, CAP_SYS_NICE};
    case Duty::kSampling: return {CAP_BPF, CAP_SYS_ADMIN};
    case Duty::kReadingProc: return {CAP_SYS_PTRACE};
    case Duty::kReadingFiles: return {CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH};
    case Duty::kServing: return {};
  }
  return {};
}

bool Has(unsigned capability) { return capng_have_capability(CAPNG_EFFECTIVE, capability) != 0; }

}  // namespace

absl::Status KeepCapabilitiesFor(Duty duty) {
  if (capng_get_caps_process() != 0) return absl::InternalError("cannot read the capabilities of this thread");
  std::vector<unsigned> kept;
  for (unsigned capability : NeededFor(duty)) {
    if (Has(capability)) kept.push_back(capability);
  }
  const bool may_bound = Has(CAP_SETPCAP);
  capng_clear(CAPNG_SELECT_BOTH);
  for (unsigned capability : kept) {
    capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED), capability);
  }
  // Without the right to it the bounding set stays: then no_new_privs alone keeps them from coming back.
  const int failed = capng_apply(may_bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS);
  if (failed == 0) return absl::OkStatus();
  return absl::InternalError(fmt::format("cannot give up capabilities ({})", failed));
}

absl::Status ForbidNewPrivileges() {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) return absl::OkStatus();
  return absl::InternalError(fmt::format("PR_SET_NO_NEW_PRIVS: {}", std::strerror(errno)));
}

std::vector<LackingCapability> LackingCapabilities() {
  std::vector<LackingCapability> lacking;
  if (capng_get_caps_process() != 0) return lacking;
  if (!Has(CAP_SYS_PTRACE)) {
    lacking.push_back({"CAP_SYS_PTRACE",
                       "executables, smaps metrics and connections older than the hooks are unknown for other users' "
                       "processes"});
  }
  return lacking;
}

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
//
// seccomp(2): what taskmond stops being able to ask the kernel for once its programs are loaded. The unit's
// SystemCallFilter cannot be as narrow, since it holds from before the start, and does not hold where there is no
// systemd: no programs are executed, no processes made, no BPF programs loaded, no sockets but Unix ones opened, nobody
// traced or read, nothing mounted, no user changed.
#pragma once

#include <absl/status/status.h>

namespace taskmon::daemon {

// For every thread of the process, for good. Needs no_new_privs. Unimplemented: the kernel has no seccomp filters, or
// this is a build with sanitizers, which do some of it themselves.
absl::Status ForbidSystemCalls();

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
//
// How /proc is mounted: with hidepid (proc(5)) the kernel keeps command lines from other users, and so does taskmond.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace taskmon::daemon {

struct ProcMount {
  bool hides_others = false;  // hidepid is not off
  std::optional<gid_t> gid;   // members of this group are shown all the same
};

// Pure. The text is that of /proc/PID/mountinfo; of several mounts at /proc the last one counts.
ProcMount ParseProcMount(const std::string& mountinfo);

// As it is now: it can be mounted anew at any time.
ProcMount ReadProcMount();

}  // namespace taskmon::daemon

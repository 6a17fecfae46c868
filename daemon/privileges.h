// SPDX-License-Identifier: Apache-2.0
//
// The capabilities of taskmond, and that they become fewer: each thread keeps what its duty needs. The only file with
// libcap-ng. Capabilities belong to threads, and a new thread has those of the one that made it.
//
//   capability           what fails without it                                          who keeps it after start
//   CAP_BPF              loading programs; making the maps of an edited rule set        tm-sampler
//   CAP_PERFMON          loading programs that read kernel memory                       nobody
//   CAP_SYS_PTRACE       exe, smaps metrics, connections older than the hooks           tm-names, tm-smaps, tm-conns
//   CAP_DAC_READ_SEARCH  the same connections on kernels before 5.14 (/proc/PID/fd)     tm-conns
//   CAP_SYS_ADMIN        what the hooks cost (BPF_ENABLE_STATS); kernels before 5.8     tm-sampler
//   CAP_SYS_NICE         tm-sampler and tm-smaps at nice -20; RLIMIT_NICE does as well   nobody
//   CAP_SYS_RESOURCE     locked memory for maps on kernels before 5.11                  nobody
//
// The first three are needed; the others are used if they are there. Threads share memory, so this protects from what a
// thread can be talked into, not from one that runs somebody else's code.
#pragma once

#include <string>
#include <vector>

#include <absl/status/status.h>

namespace taskmon::daemon {

enum class Duty {
  kStarting,      // the main thread, once the programs are loaded, until it serves
  kSampling,      // tm-sampler
  kReadingProc,   // tm-names, tm-smaps
  kReadingFiles,  // tm-conns
  kServing,       // everybody else
};

// Takes from the calling thread whatever the duty does not need, for good.
absl::Status KeepCapabilitiesFor(Duty duty);

// prctl(PR_SET_NO_NEW_PRIVS): no program that is executed gets more than there is.
absl::Status ForbidNewPrivileges();

struct LackingCapability {
  std::string name;
  std::string effect;  // what is not known for want of it
};

// Of the needed ones, those that the calling thread lacks.
std::vector<LackingCapability> LackingCapabilities();

}  // namespace taskmon::daemon

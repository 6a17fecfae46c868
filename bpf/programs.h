// SPDX-License-Identifier: Apache-2.0
//
// The table of BPF programs: which tracepoint each one hooks, to which group it belongs and which arguments it expects.
// Plain data and one pure decision: which of them fit a given kernel.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "bpf/kernel_support.h"
#include "bpf/taskmon_abi.h"

namespace taskmon::bpf {

// What a program does worse than it would on a newer kernel.
struct ProgramLimit {
  const char* reason;
  // It holds where this tracepoint is missing or has fewer arguments; null: always.
  const char* tracepoint = nullptr;
  size_t arguments = 0;
  std::vector<const char*> metrics = {};  // of the catalogue; empty: all that the program's group fills
};

struct ProgramSpec {
  const char* name;        // of the BPF function
  const char* tracepoint;  // null: it runs in a pass, not at an event
  tm_hook_group group;
  // Programs of one role do the same job on different kernels: the lowest variant all of whose programs fit is taken.
  const char* role;
  int variant;
  bool required;
  // The leading argument types that the program relies on; null: any.
  std::vector<const char*> arguments;
  std::vector<ProgramLimit> limits = {};
  enum { kNothing, kTaskStorage, kTaskWalk } needs = kNothing;  // of the kernel, beside its tracepoint

  const char* shown_name() const { return tracepoint != nullptr ? tracepoint : role; }
};

struct ProgramChoice {
  const ProgramSpec* spec;
  bool load;
  std::string reason;  // why not, for the one program that then stands for its role; empty otherwise
  bool listed;         // in Probe::Hooks
  std::vector<const ProgramLimit*> limits;  // those that hold
};

std::span<const ProgramSpec> Programs();

// One choice per program, in the table's order.
std::vector<ProgramChoice> ChoosePrograms(const KernelSupport& kernel);

}  // namespace taskmon::bpf

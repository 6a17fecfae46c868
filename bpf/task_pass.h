// SPDX-License-Identifier: Apache-2.0
//
// One pass over all tasks: along the kernel's list of tasks where the kernel lets us (since 6.10), otherwise, and
// whenever that loses its way, by the kernel's task iterator. Used by probe.cc only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <absl/status/status.h>

#include "bpf/mapping.h"
#include "bpf/probe.h"
#include "bpf/walk_abi.h"

struct bpf_link;
struct bpf_program;

namespace taskmon::bpf {

class TaskPass {
 public:
  struct Walk {
    int program_fd = -1;  // -1: this kernel has none
    int records_fd = -1;
    tm_walk* place = nullptr;
  };

  TaskPass() = default;
  TaskPass(const TaskPass&) = delete;
  TaskPass& operator=(const TaskPass&) = delete;
  ~TaskPass();

  // `left_out` is counted up by the programs. All of it outlives the pass.
  absl::Status Open(bpf_program* iterate, const Walk& walk, std::span<uint32_t> left_out);

  // Every task once. Unavailable: it broke off, and some were not seen.
  absl::Status Run(const Probe::TaskSink& sink);

 private:
  bool WalkThrough(const Probe::TaskSink& sink);
  absl::Status Iterate(const Probe::TaskSink& sink);
  absl::Status Read(int fd, const Probe::TaskSink& sink);

  bpf_link* iterator_ = nullptr;
  Walk walk_;
  Mapping records_;  // TM_WALK_ROOM of them, written by the kernel; not open: no walk
  std::span<uint32_t> left_out_;
  std::vector<char> buffer_;
};

}  // namespace taskmon::bpf

// SPDX-License-Identifier: Apache-2.0
//
// Facts about the running kernel, read from its BTF: which raw tracepoints it has and what they are called with.
// No decisions: what follows from a fact is up to probe.cc. Immutable once read, so any thread may ask.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

namespace taskmon::bpf {

class KernelSupport {
 public:
  // Types of a tracepoint's arguments in C spelling without qualifiers: "struct task_struct *", "int", "bool".
  using Arguments = std::vector<std::string>;

  static constexpr const char* kKernelBtf = "/sys/kernel/btf/vmlinux";

  // Every `btf_trace_*` prototype of a raw BTF file. FailedPrecondition: the file is missing or is not BTF.
  static absl::StatusOr<KernelSupport> Read(const std::string& path = kKernelBtf);

  // Arguments of a raw tracepoint as `tp_btf` programs get them; nullopt: this kernel does not have it.
  std::optional<Arguments> Tracepoint(const std::string& name) const;

  // Tracing programs can use task storage (since 5.13): task_struct has the member that it hangs on.
  bool has_task_storage() const { return has_task_storage_; }

  // Programs may perhaps go along the list of tasks: known by bpf_iter_task_new, which is younger (6.7) than the
  // functions that they call for it. Before 6.10 the verifier refuses them all the same.
  bool has_task_walk() const { return has_task_walk_; }

  size_t tracepoint_count() const { return tracepoints_.size(); }

 private:
  std::map<std::string, Arguments> tracepoints_;
  bool has_task_storage_ = false;
  bool has_task_walk_ = false;
};

// Capabilities that loading BPF programs needs and this process lacks, e.g. {"CAP_BPF", "CAP_PERFMON"}; CAP_SYS_ADMIN
// stands for both. Empty when /proc/self/status cannot be read.
std::vector<std::string> MissingCapabilities();

}  // namespace taskmon::bpf

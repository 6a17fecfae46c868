// SPDX-License-Identifier: Apache-2.0
#include "bpf/programs.h"

#include <fmt/format.h>

#include <map>

namespace taskmon::bpf {
namespace {

constexpr const char* kTask = "struct task_struct *";
constexpr const char* kRequest = "struct request *";
constexpr const char* kSock = "struct sock *";

const ProgramLimit kVictimByNumber = {
    .reason = "mark_victim names the victim by number only: its kill is counted once, on its leading thread"};
const ProgramLimit kLateStart = {
    .reason =
        "without block_io_start requests count from the scheduler's insertion or the issue to the device, and "
        "those that a kworker issues are billed to the kworker"};
// 6.16 moved the tracepoint before the address space goes, and gave it the argument group_dead.
const ProgramLimit kMemoryGoneAtExit = {
    .reason = "final records have the peak but no other memory size: sched_process_exit comes when the memory is gone",
    .tracepoint = "sched_process_exit",
    .arguments = 2,
    .metrics = {"task_vm_size", "task_pm_size", "task_mem_percent", "task_rss_anon_size", "task_rss_file_size",
                "task_rss_shmem_size", "task_swap_data_size"}};
const ProgramLimit kTcpByConnectOnly = {
    .reason = "without sock_send_length TCP is known by connect only: accepted connections are not seen",
    .tracepoint = "sock_send_length",
    .metrics = {"task_tcp_used"}};

// Empty when the program fits.
std::string WhyNot(const ProgramSpec& spec, const KernelSupport& kernel) {
  if (spec.needs == ProgramSpec::kTaskWalk && !kernel.has_task_walk())
    return "this kernel lets no program walk its list of tasks";
  if (spec.needs == ProgramSpec::kTaskStorage && !kernel.has_task_storage()) return "this kernel has no task storage";
  if (spec.tracepoint == nullptr) return "";
  const auto arguments = kernel.Tracepoint(spec.tracepoint);
  if (!arguments.has_value()) return fmt::format("this kernel has no tracepoint {}", spec.tracepoint);
  for (size_t i = 0; i < spec.arguments.size(); ++i) {
    if (i >= arguments->size()) return fmt::format("{} has only {} arguments", spec.tracepoint, arguments->size());
    if (spec.arguments[i] == nullptr || (*arguments)[i] == spec.arguments[i]) continue;
    return fmt::format("{}: argument {} is {}, not {}", spec.tracepoint, i + 1, (*arguments)[i], spec.arguments[i]);
  }
  return "";
}

bool Holds(const ProgramLimit& limit, const KernelSupport& kernel) {
  if (limit.tracepoint == nullptr) return true;
  const auto arguments = kernel.Tracepoint(limit.tracepoint);
  return !arguments.has_value() || arguments->size() < limit.arguments;
}

}  // namespace

std::span<const ProgramSpec> Programs() {
  static const std::vector<ProgramSpec> programs = {
      {"tm_iterate", nullptr, TM_HOOKS_LIFECYCLE, "iter/task", 0, true, {}},
      {"tm_walk_stretch", nullptr, TM_HOOKS_LIFECYCLE, "walk", 0, false, {}, {}, ProgramSpec::kTaskWalk},
      {"tm_newtask", "task_newtask", TM_HOOKS_LIFECYCLE, "fork", 0, true, {kTask}, {}, ProgramSpec::kTaskStorage},
      {"tm_fork", "sched_process_fork", TM_HOOKS_LIFECYCLE, "fork", 1, true, {kTask, kTask}},
      {"tm_io_thread", "task_newtask", TM_HOOKS_LIFECYCLE, "fork", 1, true, {kTask}},
      {"tm_exec", "sched_process_exec", TM_HOOKS_LIFECYCLE, "exec", 0, true, {kTask, nullptr, "struct linux_binprm *"}},
      {"tm_rename", "task_rename", TM_HOOKS_LIFECYCLE, "rename", 0, true, {kTask}},
      {"tm_exit", "sched_process_exit", TM_HOOKS_LIFECYCLE, "exit", 0, true, {kTask}, {kMemoryGoneAtExit}},
      {"tm_final_switch", "sched_switch", TM_HOOKS_LIFECYCLE, "final", 0, true, {nullptr, kTask, kTask}},
      {"tm_free", "sched_process_free", TM_HOOKS_LIFECYCLE, "free", 0, true, {kTask}},
      {"tm_cgroup_attach",
       "cgroup_attach_task",
       TM_HOOKS_LIFECYCLE,
       "cgroup",
       0,
       false,
       {"struct cgroup *", "char *", kTask}},
      {"tm_sched_switch", "sched_switch", TM_HOOKS_SCHED, "sched", 0, false, {nullptr, kTask, kTask}},
      {"tm_signal_deliver", "signal_deliver", TM_HOOKS_SIGNAL, "signal", 0, false, {}},
      {"tm_sys_exit", "sys_exit", TM_HOOKS_SYSCALL, "syscall", 0, false, {"struct pt_regs *", nullptr}},
      {"tm_mark_victim_task", "mark_victim", TM_HOOKS_OOM, "oom", 0, false, {kTask}},
      {"tm_mark_victim_tid", "mark_victim", TM_HOOKS_OOM, "oom", 1, false, {"int"}, {kVictimByNumber}},
      {"tm_page_cache_add", "mm_filemap_add_to_page_cache", TM_HOOKS_PAGE_CACHE, "add", 0, false, {}},
      {"tm_page_cache_dirty_folio", "writeback_dirty_folio", TM_HOOKS_PAGE_CACHE, "dirty", 0, false, {}},
      {"tm_page_cache_dirty_page", "writeback_dirty_page", TM_HOOKS_PAGE_CACHE, "dirty", 1, false, {}},
      {"tm_page_cache_lookup",
       "mm_filemap_get_pages",
       TM_HOOKS_PAGE_CACHE_LOOKUP,
       "lookup",
       0,
       false,
       {"struct address_space *", "long unsigned int", "long unsigned int"}},
      {"tm_block_io_start", "block_io_start", TM_HOOKS_BLOCK, "block", 0, false, {kRequest}},
      {"tm_block_io_done", "block_io_done", TM_HOOKS_BLOCK, "block", 0, false, {kRequest}},
      {"tm_block_rq_insert", "block_rq_insert", TM_HOOKS_BLOCK, "block", 1, false, {kRequest}, {kLateStart}},
      {"tm_block_rq_issue", "block_rq_issue", TM_HOOKS_BLOCK, "block", 1, false, {kRequest}, {kLateStart}},
      {"tm_block_rq_complete", "block_rq_complete", TM_HOOKS_BLOCK, "block", 1, false, {kRequest, nullptr, nullptr}},
      {"tm_sock_send", "sock_send_length", TM_HOOKS_NET, "send", 0, false, {kSock, "int"}},
      {"tm_sock_recv", "sock_recv_length", TM_HOOKS_NET, "recv", 0, false, {kSock, "int", "int"}},
      {"tm_set_state",
       "inet_sock_set_state",
       TM_HOOKS_CONNECT,
       "connect",
       0,
       false,
       {kSock, "int", "int"},
       {kTcpByConnectOnly}},
  };
  return programs;
}

std::vector<ProgramChoice> ChoosePrograms(const KernelSupport& kernel) {
  std::vector<ProgramChoice> choices;
  std::map<std::string, std::map<int, bool>> fits;  // role -> variant -> all of its programs fit
  for (const ProgramSpec& spec : Programs()) {
    choices.push_back({&spec, false, WhyNot(spec, kernel), false, {}});
    auto [variant, first] = fits[spec.role].try_emplace(spec.variant, true);
    variant->second = variant->second && choices.back().reason.empty();
  }
  for (ProgramChoice& choice : choices) {
    const auto& variants = fits[choice.spec->role];
    int taken = variants.begin()->first;  // none fits: the first one says why
    for (const auto& [variant, fit] : variants) {
      if (!fit) continue;
      taken = variant;
      break;
    }
    choice.listed = choice.spec->variant == taken;
    choice.load = choice.listed && variants.at(taken);
    if (choice.listed && !choice.load && choice.reason.empty()) choice.reason = "the other half of the pair is missing";
    if (!choice.listed) choice.reason.clear();
    if (!choice.load) continue;
    for (const ProgramLimit& limit : choice.spec->limits) {
      if (Holds(limit, kernel)) choice.limits.push_back(&limit);
    }
  }
  return choices;
}

}  // namespace taskmon::bpf

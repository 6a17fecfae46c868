// SPDX-License-Identifier: Apache-2.0
#include "bpf/probe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <utility>

#include "bpf/abi_names.h"
#include "bpf/fd.h"
#include "bpf/kernel_support.h"
#include "bpf/libbpf_log.h"
#include "bpf/programs.h"
#include "bpf/record_ring.h"
#include "bpf/rule_maps.h"
#include "bpf/task_pass.h"
#include "bpf/taskmon.skel.h"
#include "bpf/taskmon_hash.skel.h"
#include "bpf/taskmon_iterate.skel.h"

namespace taskmon::bpf {
namespace {

constexpr uint64_t kNever = ~uint64_t{0};
// Records wake us when so large a part of the ring waits for us, and again with each further one.
constexpr uint32_t kRingWakeParts = 32;

struct DestroySkeleton {
  void operator()(taskmon_bpf* skeleton) const { taskmon_bpf__destroy(skeleton); }
};
struct DestroyLink {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using Skeleton = std::unique_ptr<taskmon_bpf, DestroySkeleton>;
using Link = std::unique_ptr<bpf_link, DestroyLink>;

// All flavours have the same maps, programs and variables, so one skeleton type serves them.
#define TASKMON_SAME_OFFSET(other, section, variable)                      \
  static_assert(offsetof(taskmon_bpf::taskmon_bpf__##section, variable) == \
                offsetof(other##_bpf::other##_bpf__##section, variable))
#define TASKMON_SAME_SKELETON(other)                         \
  static_assert(sizeof(taskmon_bpf) == sizeof(other##_bpf)); \
  TASKMON_SAME_OFFSET(other, rodata, tm_refuse_storage);     \
  TASKMON_SAME_OFFSET(other, bss, tm_rules);                 \
  TASKMON_SAME_OFFSET(other, bss, tm_walk);                  \
  TASKMON_SAME_OFFSET(other, data, tm_sched_since_ns)
TASKMON_SAME_SKELETON(taskmon_iterate);
TASKMON_SAME_SKELETON(taskmon_hash);

using ElfBytes = const void* (*)(size_t* bytes);

ElfBytes FlavourFor(const KernelSupport& kernel) {
  if (!kernel.has_task_storage()) return taskmon_hash_bpf__elf_bytes;
  return kernel.has_task_walk() ? taskmon_bpf__elf_bytes : taskmon_iterate_bpf__elf_bytes;
}

taskmon_bpf* OpenSkeleton(ElfBytes flavour) {
  auto* skeleton = static_cast<taskmon_bpf*>(std::calloc(1, sizeof(taskmon_bpf)));
  if (skeleton == nullptr) return nullptr;
  int error = -taskmon_bpf__create_skeleton(skeleton);
  if (error == 0) {
    skeleton->skeleton->data = const_cast<void*>(flavour(&skeleton->skeleton->data_sz));
    // Named, because libbpf otherwise looks for types of other kernels in the modules' BTF, which takes CAP_SYS_ADMIN.
    LIBBPF_OPTS(bpf_object_open_opts, options, .btf_custom_path = KernelSupport::kKernelBtf);
    error = -bpf_object__open_skeleton(skeleton->skeleton, &options);
  }
  if (error == 0) return skeleton;
  taskmon_bpf__destroy(skeleton);
  errno = error;
  return nullptr;
}

uint64_t BootNs() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// Somebody who may has switched them on for all.
bool StatisticsAreOn() {
  std::ifstream file("/proc/sys/kernel/bpf_stats_enabled");
  int enabled = 0;
  return file >> enabled && enabled != 0;
}

// Its first instruction that is not one half of two reads a register that nothing was written to. As long as it was, so
// that relocations still fit.
void Spoil(bpf_program* program) {
  const bpf_insn* first = bpf_program__insns(program);
  std::vector<bpf_insn> instructions(first, first + bpf_program__insn_cnt(program));
  size_t place = 0;
  while (instructions[place].code == (BPF_LD | BPF_IMM | BPF_DW)) place += 2;
  instructions[place] = {
      .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_0, .src_reg = BPF_REG_9, .off = 0, .imm = 0};
  // Fails only for want of memory; the program then loads, and the test fails.
  (void)bpf_program__set_insns(program, instructions.data(), instructions.size());
}

absl::Status LoadError(int error, const std::string& log) {
  if (error == EPERM || error == EACCES) {
    std::string missing;
    for (const std::string& capability : MissingCapabilities())
      missing += (missing.empty() ? "" : " and ") + capability;
    if (!missing.empty())
      return absl::PermissionDeniedError(fmt::format("cannot load BPF programs without {}", missing));
  }
  return absl::InternalError(
      fmt::format("cannot load BPF programs: {} ({})", LastVerifierLine(log), std::strerror(error)));
}

class ProbeImpl : public Probe {
 public:
  ProbeImpl(const ProbeOptions& options, std::vector<ProgramChoice> choices, ElfBytes flavour)
      : options_(options), flavour_(flavour), choices_(std::move(choices)), links_(choices_.size()) {}

  absl::Status Load() override;
  absl::Status Attach(tm_hook_group group) override;
  void Detach(tm_hook_group group) override;
  bool IsAttached(tm_hook_group group) const override;
  absl::Status Collect(bool all, const TaskSink& sink) override;
  int ring_fd() const override { return bpf_map__fd(skeleton_->maps.tm_ring); }
  size_t DrainRing(const RingSink& sink) override;
  bool WantsDrain() const override { return ring_.waiting_bytes() >= skeleton_->rodata->tm_ring_wake_bytes; }
  absl::Status SetRules(const KernelRules& rules) override;
  absl::Status SetVerdicts(std::span<const UserVerdict> verdicts) override;
  LeftOut left_out() const override;
  DropCounters Drops() const override;
  std::vector<Hook> Hooks() const override;
  absl::Status SetStatistics(bool on) override;

 private:
  // One attempt with the programs still chosen; 0 or an errno.
  int TryLoad(std::string* log);
  void Configure();
  absl::Status SetAside(const std::string& program, const std::string& reason);
  void SetAsideRest(const ProgramSpec& refused);
  absl::Status OpenChannels();
  absl::Status AttachProgram(size_t index);
  size_t IndexOf(const char* program) const;
  void HandOverFinalRecords(tm_hook_group attached);
  void ForgetRequests();
  void BeginPass(bool all);
  bpf_program* ProgramAt(size_t index) const;
  Hook HookAt(size_t index) const;

  const ProbeOptions options_;
  const ElfBytes flavour_;
  std::vector<ProgramChoice> choices_;
  Skeleton skeleton_;
  std::vector<Link> links_;  // by index of choices_
  std::unique_ptr<TaskPass> pass_;
  RecordRing ring_;
  std::optional<RuleMaps> rules_;  // once loaded
  uint64_t last_pass_ns_ = 0;
  bool last_pass_failed_ = false;
  Fd statistics_;
};

absl::Status ProbeImpl::Load() {
  if (skeleton_ != nullptr) return absl::FailedPreconditionError("loaded already");
  // Each round sets at least one program aside, so this ends.
  for (;;) {
    std::string log;
    const int error = TryLoad(&log);
    if (error == 0) return OpenChannels();
    skeleton_.reset();
    const std::string program = FailedProgram(log);
    const absl::Status failure = LoadError(error, log);
    if (program.empty() || absl::IsPermissionDenied(failure)) return failure;
    if (absl::Status aside = SetAside(program, LastVerifierLine(log)); !aside.ok()) return aside;
  }
}

int ProbeImpl::TryLoad(std::string* log) {
  ScopedLog scope;
  skeleton_.reset(OpenSkeleton(flavour_));
  int error = skeleton_ == nullptr ? errno : 0;
  if (error == 0) {
    Configure();
    error = -taskmon_bpf__load(skeleton_.get());
  }
  *log = scope.text();
  return error;
}

void ProbeImpl::Configure() {
  for (const ProgramChoice& choice : choices_) {
    bpf_program* program = bpf_object__find_program_by_name(skeleton_->obj, choice.spec->name);
    bpf_program__set_autoload(program, choice.load);
    if (options_.spoil_program == choice.spec->name) Spoil(program);
    if (choice.load && std::strcmp(choice.spec->name, "tm_mark_victim_tid") == 0) {
      skeleton_->rodata->tm_oom_from_signal = 1;
    }
  }
  skeleton_->rodata->tm_page_size = static_cast<uint32_t>(sysconf(_SC_PAGESIZE));
  skeleton_->rodata->tm_refuse_storage = options_.refuse_storage;
  skeleton_->rodata->tm_ring_wake_bytes = options_.ring_bytes / kRingWakeParts;
  bpf_map__set_autocreate(skeleton_->maps.tm_walked, bpf_program__autoload(skeleton_->progs.tm_walk_stretch));
  bpf_map__set_max_entries(skeleton_->maps.tm_ring, options_.ring_bytes);
  bpf_map__set_max_entries(skeleton_->maps.tm_requests, options_.block_requests);
  bpf_map__set_max_entries(skeleton_->maps.tm_io, options_.block_requests);
}

absl::Status ProbeImpl::SetAside(const std::string& program, const std::string& reason) {
  for (ProgramChoice& choice : choices_) {
    if (program != choice.spec->name || !choice.load) continue;
    if (choice.spec->required)
      return absl::FailedPreconditionError(fmt::format("{} does not load: {}", program, reason));
    choice.load = false;
    choice.reason = reason;
    SetAsideRest(*choice.spec);
    return absl::OkStatus();
  }
  return absl::InternalError(fmt::format("{} does not load: {}", program, reason));
}

// What half a group counts would pass for the whole: its metrics are unavailable rather than too small.
void ProbeImpl::SetAsideRest(const ProgramSpec& refused) {
  if (refused.group == TM_HOOKS_LIFECYCLE) return;  // its one optional program stands alone
  for (ProgramChoice& choice : choices_) {
    if (choice.spec->group != refused.group || !choice.load) continue;
    choice.load = false;
    choice.reason = fmt::format("{} of its group does not load", refused.tracepoint);
  }
}

absl::Status ProbeImpl::OpenChannels() {
  ScopedLog log;
  pass_ = std::make_unique<TaskPass>();
  const auto& maps = skeleton_->maps;
  TaskPass::Walk walk;
  if (bpf_program__autoload(skeleton_->progs.tm_walk_stretch)) {
    walk = {.program_fd = bpf_program__fd(skeleton_->progs.tm_walk_stretch),
            .records_fd = bpf_map__fd(maps.tm_walked),
            .place = &skeleton_->bss->tm_walk};
  }
  absl::Status opened = pass_->Open(skeleton_->progs.tm_iterate, walk, skeleton_->bss->tm_pass_left_out);
  if (!opened.ok()) return opened;
  if (absl::Status mapped = ring_.Open(ring_fd(), options_.ring_bytes); !mapped.ok()) return mapped;
  rules_.emplace(RuleMaps::Fds{.keys = bpf_map__fd(maps.tm_rule_keys),
                               .prefixes = bpf_map__fd(maps.tm_rule_prefixes),
                               .verdicts = bpf_map__fd(maps.tm_verdicts),
                               .sent = bpf_map__fd(maps.tm_sent),
                               .left_out = bpf_map__fd(maps.tm_left_out)},
                 &skeleton_->bss->tm_rules, &skeleton_->bss->tm_verdicts_waiting);
  return absl::OkStatus();
}

bpf_program* ProbeImpl::ProgramAt(size_t index) const {
  return bpf_object__find_program_by_name(skeleton_->obj, choices_[index].spec->name);
}

size_t ProbeImpl::IndexOf(const char* program) const {
  const auto found = std::find_if(choices_.begin(), choices_.end(), [program](const auto& choice) {
    return std::strcmp(choice.spec->name, program) == 0;
  });
  return static_cast<size_t>(found - choices_.begin());
}

absl::Status ProbeImpl::AttachProgram(size_t index) {
  ScopedLog log;
  links_[index].reset(bpf_program__attach(ProgramAt(index)));
  if (links_[index] != nullptr) return absl::OkStatus();
  choices_[index].reason = fmt::format("cannot attach: {}", std::strerror(errno));
  return absl::InternalError(fmt::format("{}: {}", choices_[index].spec->tracepoint, choices_[index].reason));
}

absl::Status ProbeImpl::Attach(tm_hook_group group) {
  if (skeleton_ == nullptr) return absl::FailedPreconditionError("not loaded");
  if (IsAttached(group)) return absl::OkStatus();
  absl::Status result = absl::FailedPreconditionError(
      fmt::format("no tracepoint of the group {} can be used on this kernel", HookGroupName(group)));
  // What the scheduler hook noted before this moment is from an earlier time that it was attached.
  if (group == TM_HOOKS_SCHED) skeleton_->data->tm_sched_since_ns = BootNs();
  if (group == TM_HOOKS_LIFECYCLE) skeleton_->bss->tm_lifecycle_since_ns = BootNs();
  for (size_t i = 0; i < choices_.size(); ++i) {
    const ProgramChoice& choice = choices_[i];
    if (choice.spec->group != group || choice.spec->tracepoint == nullptr) continue;
    if (!choice.load) {
      if (choice.listed && absl::IsFailedPrecondition(result)) {
        result = absl::FailedPreconditionError(fmt::format("{}: {}", HookGroupName(group), choice.reason));
      }
      continue;
    }
    absl::Status attached = AttachProgram(i);
    if (!attached.ok() && choice.spec->required) return attached;
    if (attached.ok() || !result.ok()) result = std::move(attached);
  }
  HandOverFinalRecords(group);
  return result;
}

// Each switch runs one program: the scheduler hook sends the final records while it is attached. Both are attached for
// a moment in between; the first to see a dead task marks it.
void ProbeImpl::HandOverFinalRecords(tm_hook_group attached) {
  if (attached != TM_HOOKS_LIFECYCLE && attached != TM_HOOKS_SCHED) return;
  if (IsAttached(TM_HOOKS_SCHED)) links_[IndexOf("tm_final_switch")].reset();
}

void ProbeImpl::Detach(tm_hook_group group) {
  if (!IsAttached(group)) return;
  if (group == TM_HOOKS_SCHED && IsAttached(TM_HOOKS_LIFECYCLE)) {
    // If this fails, the scheduler hook stays: final records matter more than its cost.
    if (!AttachProgram(IndexOf("tm_final_switch")).ok()) return;
  }
  for (size_t i = 0; i < choices_.size(); ++i) {
    if (choices_[i].spec->group == group) links_[i].reset();
  }
  if (group == TM_HOOKS_SCHED) skeleton_->data->tm_sched_since_ns = kNever;
  if (group == TM_HOOKS_BLOCK) ForgetRequests();
}

// Requests whose completion nobody sees would hold their places for ever.
void ProbeImpl::ForgetRequests() {
  const int fd = bpf_map__fd(skeleton_->maps.tm_requests);
  uint64_t key = 0;
  while (bpf_map_get_next_key(fd, nullptr, &key) == 0) {
    if (bpf_map_delete_elem(fd, &key) != 0) return;
  }
}

bool ProbeImpl::IsAttached(tm_hook_group group) const {
  for (size_t i = 0; i < choices_.size(); ++i) {
    if (choices_[i].spec->group == group && links_[i] != nullptr) return true;
  }
  return false;
}

absl::Status ProbeImpl::Collect(bool all, const TaskSink& sink) {
  if (skeleton_ == nullptr) return absl::FailedPreconditionError("not loaded");
  BeginPass(all);
  absl::Status result = pass_->Run(sink);
  last_pass_failed_ = !result.ok();
  if (result.ok()) rules_->ForgetAnswers();
  return result;
}

void ProbeImpl::BeginPass(bool all) {
  auto* bss = skeleton_->bss;
  const uint64_t now_ns = BootNs();
  bss->tm_send_all = all || last_pass_failed_;
  bss->tm_pass_us = last_pass_ns_ == 0 ? 0 : std::max<uint64_t>((now_ns - last_pass_ns_) / 1000, 1);
  last_pass_ns_ = now_ns;
  __atomic_fetch_add(&skeleton_->data->tm_epoch, 1, __ATOMIC_SEQ_CST);
}

size_t ProbeImpl::DrainRing(const RingSink& sink) {
  return ring_.Drain([&sink](const void* record, size_t size) {
    const auto& header = *static_cast<const tm_record_header*>(record);
    if (size >= sizeof(header) && header.size <= size) sink(header);
  });
}

DropCounters ProbeImpl::Drops() const {
  DropCounters sums{};
  std::vector<uint64_t> per_cpu(static_cast<size_t>(libbpf_num_possible_cpus()));
  const int fd = bpf_map__fd(skeleton_->maps.tm_drops);
  for (uint32_t kind = 0; kind < TM_DROP_MAX; ++kind) {
    // Cannot fail: the index is in range.
    if (bpf_map_lookup_elem(fd, &kind, per_cpu.data()) != 0) continue;
    for (uint64_t count : per_cpu) sums[kind] += count;
  }
  sums[TM_DROP_VERDICT] += rules_->dropped_verdicts();
  return sums;
}

absl::Status ProbeImpl::SetRules(const KernelRules& rules) {
  if (skeleton_ == nullptr) return absl::FailedPreconditionError("not loaded");
  return rules_->Set(rules, skeleton_->data->tm_epoch);
}

absl::Status ProbeImpl::SetVerdicts(std::span<const UserVerdict> verdicts) {
  if (skeleton_ == nullptr) return absl::FailedPreconditionError("not loaded");
  return rules_->Answer(verdicts);
}

LeftOut ProbeImpl::left_out() const {
  LeftOut left_out = rules_->CountLeftOut();
  left_out.tasks = skeleton_->bss->tm_pass_left_out[0];
  left_out.processes = skeleton_->bss->tm_pass_left_out[1];
  return left_out;
}

Hook ProbeImpl::HookAt(size_t index) const {
  const ProgramChoice& choice = choices_[index];
  Hook hook;
  hook.name = choice.spec->shown_name();
  hook.own_time = choice.spec->tracepoint == nullptr;
  hook.group = choice.spec->group;
  hook.available = choice.load;
  hook.reason = choice.reason;
  if (choice.load) {
    for (const ProgramLimit* limit : choice.limits) {
      hook.limits.push_back({limit->reason, {limit->metrics.begin(), limit->metrics.end()}});
    }
  }
  hook.attached = links_[index] != nullptr || (hook.own_time && pass_ != nullptr);
  if (skeleton_ == nullptr || !choice.load) return hook;
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(bpf_program__fd(ProgramAt(index)), &info, &size) == 0) {
    hook.runs = info.run_cnt;
    hook.run_time_ns = info.run_time_ns;
  }
  return hook;
}

std::vector<Hook> ProbeImpl::Hooks() const {
  std::vector<Hook> hooks;
  for (size_t i = 0; i < choices_.size(); ++i) {
    if (choices_[i].listed) hooks.push_back(HookAt(i));
  }
  return hooks;
}

absl::Status ProbeImpl::SetStatistics(bool on) {
  if (!on) {
    statistics_.Reset(-1);
    return absl::OkStatus();
  }
  if (statistics_.get() >= 0) return absl::OkStatus();
  statistics_.Reset(bpf_enable_stats(BPF_STATS_RUN_TIME));
  if (statistics_.get() >= 0) return absl::OkStatus();
  const int error = errno;
  if (StatisticsAreOn()) return absl::OkStatus();
  return absl::PermissionDeniedError(fmt::format("cannot switch BPF statistics on: {}", std::strerror(error)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Probe>> Probe::Open(const ProbeOptions& options) {
  absl::StatusOr<KernelSupport> kernel = KernelSupport::Read();
  if (!kernel.ok()) return kernel.status();
  std::vector<ProgramChoice> choices = ChoosePrograms(*kernel);
  for (const ProgramChoice& choice : choices) {
    if (choice.spec->required && choice.listed && !choice.load) return absl::FailedPreconditionError(choice.reason);
  }
  return std::make_unique<ProbeImpl>(options, std::move(choices), FlavourFor(*kernel));
}

}  // namespace taskmon::bpf

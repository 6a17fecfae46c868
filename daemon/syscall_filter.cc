// SPDX-License-Identifier: Apache-2.0
#include "daemon/syscall_filter.h"

#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <vector>

#include <fmt/format.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TASKMON_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TASKMON_SANITIZED 1
#endif
#endif

namespace taskmon::daemon {
namespace {

#if defined(__x86_64__)
constexpr uint32_t kArch = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t kArch = AUDIT_ARCH_AARCH64;
#else
constexpr uint32_t kArch = 0;
#endif

constexpr uint32_t kX32 = 0x40000000;

constexpr int kForbidden[] = {
    SYS_execve,
    SYS_execveat,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_pidfd_getfd,
    SYS_kcmp,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_move_mount,
    SYS_open_tree,
    SYS_fsopen,
    SYS_setns,
    SYS_unshare,
    SYS_setuid,
    SYS_setgid,
    SYS_setreuid,
    SYS_setregid,
    SYS_setresuid,
    SYS_setresgid,
    SYS_setgroups,
    SYS_setfsuid,
    SYS_setfsgid,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_open_by_handle_at,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_clock_adjtime,
    SYS_acct,
    SYS_quotactl,
    SYS_syslog,
    SYS_personality,
    SYS_bind,
    SYS_listen,
#if defined(SYS_fork)
    SYS_fork,
    SYS_vfork,
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
#endif
};

class Program {
 public:
  Program() {
    Load(offsetof(seccomp_data, arch));
    JumpUnless(kArch, 1);
    Return(SECCOMP_RET_KILL_PROCESS);
    Load(offsetof(seccomp_data, nr));
#if defined(__x86_64__)
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, kX32, 0, 1));
    Return(Error(ENOSYS));
#endif
  }

  void Forbid(int call, int error) {
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call), 0, 1));
    Return(Error(error));
  }
  // Allowed only with this as the first argument.
  void Only(int call, uint32_t argument, int error) {
    WithArgument(call, 0, {BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, argument, 1, 0), ReturnCode(Error(error))});
  }
  void ForbidWith(int call, uint32_t argument, int error) {
    WithArgument(call, 0, {BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, argument, 0, 1), ReturnCode(Error(error))});
  }
  void OnlyWithBits(int call, uint32_t bits, int error) {
    WithArgument(call, 0, {BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 1, 0), ReturnCode(Error(error))});
  }

  const std::vector<sock_filter>& Finish() {
    Return(SECCOMP_RET_ALLOW);
    return code_;
  }

 private:
  static uint32_t Error(int error) { return SECCOMP_RET_ERRNO | static_cast<uint32_t>(error); }
  static sock_filter ReturnCode(uint32_t value) { return BPF_STMT(BPF_RET | BPF_K, value); }
  void Return(uint32_t value) { code_.push_back(ReturnCode(value)); }
  void Load(size_t offset) { code_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset))); }
  // Skips the next instruction when the accumulator is the value.
  void JumpUnless(uint32_t value, uint8_t skipped) {
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, skipped, 0));
  }
  // The low half of an argument holds all of what is asked here: an int, or flags below 2^32.
  void WithArgument(int call, int argument, const std::vector<sock_filter>& test) {
    code_.push_back(
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call), 0, static_cast<uint8_t>(test.size() + 2)));
    Load(offsetof(seccomp_data, args) + sizeof(uint64_t) * static_cast<size_t>(argument));
    code_.insert(code_.end(), test.begin(), test.end());
    Load(offsetof(seccomp_data, nr));
  }

  std::vector<sock_filter> code_;
};

}  // namespace

absl::Status ForbidSystemCalls() {
#if defined(TASKMON_SANITIZED)
  return absl::UnimplementedError("no filter of system calls in a build with sanitizers");
#endif
  if (kArch == 0) return absl::UnimplementedError("no filter of system calls for this architecture");
  Program program;
  for (int call : kForbidden) program.Forbid(call, EPERM);
  program.Forbid(SYS_clone3, ENOSYS);  // its flags cannot be read here; libc then takes clone
  program.OnlyWithBits(SYS_clone, CLONE_THREAD, EPERM);
  program.Only(SYS_socket, AF_UNIX, EAFNOSUPPORT);
  program.ForbidWith(SYS_bpf, BPF_PROG_LOAD, EPERM);
  program.ForbidWith(SYS_bpf, BPF_BTF_LOAD, EPERM);
  std::vector<sock_filter> code = program.Finish();
  const sock_fprog filter = {.len = static_cast<unsigned short>(code.size()), .filter = code.data()};
  const long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
  if (result == 0) return absl::OkStatus();
  if (result < 0 && (errno == ENOSYS || errno == EINVAL)) {
    return absl::UnimplementedError(fmt::format("seccomp: {}", std::strerror(errno)));
  }
  return absl::InternalError(fmt::format("seccomp: {}", result > 0 ? "a thread cannot follow" : std::strerror(errno)));
}

}  // namespace taskmon::daemon

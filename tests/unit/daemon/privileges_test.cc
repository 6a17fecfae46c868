// SPDX-License-Identifier: Apache-2.0
#include "daemon/privileges.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "daemon/syscall_filter.h"

namespace taskmon::daemon {
namespace {

// What a process of its own answers: a thread or process that gave something up does not get it back.
int InChild(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// "0000000000080000" of this thread's CapEff.
std::string Effective() {
  std::ifstream status("/proc/thread-self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("CapEff:")) return line.substr(8);
  }
  return "";
}

TEST(PrivilegesTest, ServingThreadsHaveNoneAndTheirThreadsNeither) {
  EXPECT_EQ(InChild([] {
              if (!KeepCapabilitiesFor(Duty::kServing).ok()) return 1;
              std::string of_thread;
              std::thread([&] { of_thread = Effective(); }).join();
              return Effective() == "0000000000000000" && of_thread == "0000000000000000" ? 0 : 2;
            }),
            0);
}

TEST(PrivilegesTest, NothingIsAskedForThatIsNotHeld) {
  EXPECT_EQ(InChild([] {
              if (!KeepCapabilitiesFor(Duty::kServing).ok()) return 1;
              if (!KeepCapabilitiesFor(Duty::kStarting).ok()) return 2;
              return Effective() == "0000000000000000" ? 0 : 3;
            }),
            0);
}

TEST(PrivilegesTest, ReadersOfProcKeepOneCapability) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_EQ(InChild([] {
              if (!KeepCapabilitiesFor(Duty::kStarting).ok()) return 1;
              if (!KeepCapabilitiesFor(Duty::kReadingProc).ok()) return 2;
              return Effective() == "0000000000080000" ? 0 : 3;  // 1 << CAP_SYS_PTRACE
            }),
            0);
}

TEST(PrivilegesTest, LackOfCapabilitiesIsTold) {
  EXPECT_EQ(InChild([] {
              if (!KeepCapabilitiesFor(Duty::kServing).ok()) return 1;
              const auto lacking = LackingCapabilities();
              return lacking.size() == 1 && lacking[0].name == "CAP_SYS_PTRACE" ? 0 : 2;
            }),
            0);
}

int Refused(long result, int error) { return result < 0 && errno == error ? 0 : 1; }

// The answer to one question of a filtered process; 100: it is not filtered; 77: there are no filters here.
int Filtered(const std::function<int()>& question) {
  return InChild([&] {
    if (!ForbidNewPrivileges().ok()) return 100;
    const absl::Status status = ForbidSystemCalls();
    if (absl::IsUnimplemented(status)) return 77;
    return status.ok() ? question() : 100;
  });
}

class SyscallFilterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (Filtered([] { return 0; }) == 77) GTEST_SKIP() << "no filter in this build or kernel";
  }
};

TEST_F(SyscallFilterTest, NoProgramIsExecutedAndNoProcessMade) {
  EXPECT_EQ(Filtered([] { return Refused(execl("/bin/true", "true", nullptr), EPERM); }), 0);
  EXPECT_EQ(Filtered([] { return Refused(fork(), EPERM); }), 0);
}

TEST_F(SyscallFilterTest, ThreadsAreMade) {
  EXPECT_EQ(Filtered([] {
              int answer = 1;
              std::thread([&] { answer = 0; }).join();
              return answer;
            }),
            0);
}

TEST_F(SyscallFilterTest, UnixSocketsOnlyAndNoNewListeners) {
  EXPECT_EQ(Filtered([] { return socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 0 : 1; }), 0);
  EXPECT_EQ(Filtered([] { return Refused(socket(AF_INET, SOCK_STREAM, 0), EAFNOSUPPORT); }), 0);
  EXPECT_EQ(Filtered([] { return Refused(socket(AF_NETLINK, SOCK_RAW, 0), EAFNOSUPPORT); }), 0);
  EXPECT_EQ(Filtered([] { return Refused(listen(socket(AF_UNIX, SOCK_STREAM, 0), 1), EPERM); }), 0);
}

TEST_F(SyscallFilterTest, NoProgramIsLoadedIntoTheKernel) {
  EXPECT_EQ(Filtered([] {
              bpf_attr attr{};
              return Refused(syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr)), EPERM);
            }),
            0);
  // Of maps the kernel itself decides: here it finds fault with the empty request, or the caller.
  EXPECT_EQ(Filtered([] {
              bpf_attr attr{};
              attr.map_type = BPF_MAP_TYPE_ARRAY;
              const long result = syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
              return result < 0 && (errno == EINVAL || geteuid() != 0) ? 0 : 1;
            }),
            0);
}

TEST_F(SyscallFilterTest, NobodyIsTracedAndNobodyElseBecome) {
  EXPECT_EQ(Filtered([] { return Refused(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr), EPERM); }), 0);
  EXPECT_EQ(Filtered([] { return Refused(setuid(0), EPERM); }), 0);
}

TEST_F(SyscallFilterTest, FilesAreReadAsBefore) {
  EXPECT_EQ(Filtered([] { return Effective().empty() ? 1 : 0; }), 0);
}

}  // namespace
}  // namespace taskmon::daemon

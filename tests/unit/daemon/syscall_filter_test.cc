// SPDX-License-Identifier: Apache-2.0
#include "daemon/syscall_filter.h"

#include <linux/bpf.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "daemon/privileges.h"
#include "tests/unit/daemon/in_child.h"

namespace taskmon::daemon {
namespace {

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
    if (Filtered([] { return 0; }) == 77) GTEST_SKIP() << "no filters in this kernel";
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
  EXPECT_EQ(Filtered([] {
              std::string first;
              return std::getline(std::ifstream("/proc/thread-self/status"), first) ? 0 : 1;
            }),
            0);
}

}  // namespace
}  // namespace taskmon::daemon

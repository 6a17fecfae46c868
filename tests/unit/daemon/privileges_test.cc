// SPDX-License-Identifier: Apache-2.0
#include "daemon/privileges.h"

#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "tests/unit/daemon/in_child.h"

namespace taskmon::daemon {
namespace {

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

}  // namespace
}  // namespace taskmon::daemon

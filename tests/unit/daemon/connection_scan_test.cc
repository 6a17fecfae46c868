// SPDX-License-Identifier: Apache-2.0
#include "daemon/connection_scan.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bpf/taskmon_abi.h"

namespace taskmon::daemon {
namespace {

using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr char kTcp[] =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    "   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   105        0 4711 1 0 100 0 0 10 0\n"
    "   1: 0100007F:1538 0100007F:C350 01 00000000:00000000 00:00000000 00000000   105        0 4712 1 0 20 4 30 10 "
    "-1\n"
    "   2: 0100007F:C351 0100007F:1538 06 00000000:00000000 03:00001770 00000000     0        0 0 3 0\n";
constexpr char kUdp[] =
    "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref\n"
    "  100: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4713 2 0 0\n";

TEST(ConnectionScanTest, ListeningIsNoConnectionAndTimeWaitBelongsToNobody) {
  std::map<uint64_t, uint32_t> sockets;
  ReadSocketTable(kTcp, TM_TASK_TCP_USED, &sockets);
  ReadSocketTable(kUdp, TM_TASK_UDP_USED, &sockets);
  ReadSocketTable("", TM_TASK_TCP_USED, &sockets);
  ReadSocketTable("header\ngarbage\n", TM_TASK_TCP_USED, &sockets);
  EXPECT_THAT(sockets, UnorderedElementsAre(Pair(4712, TM_TASK_TCP_USED), Pair(4713, TM_TASK_UDP_USED)));
}

TEST(ConnectionScanTest, DescriptorInfoNamesMountAndInode) {
  const DescriptorInfo info = ParseDescriptorInfo("pos:\t0\nflags:\t02000002\nmnt_id:\t10\nino:\t1656543\n");
  EXPECT_EQ(info.mount_id, 10u);
  EXPECT_EQ(info.inode, 1656543u);
  EXPECT_EQ(ParseDescriptorInfo("pos:\t0\nflags:\t02\nmnt_id:\t10\n").inode, 0u) << "before Linux 5.14";
  EXPECT_EQ(ParseDescriptorInfo("ino: x\n\nmnt_id:\n").mount_id, 0u);
}

// A /proc of one's own.
class ProcTest : public ::testing::Test {
 protected:
  ProcTest() {
    char directory[] = "/tmp/taskmon-proc-XXXXXX";
    root_ = mkdtemp(directory);
  }
  ~ProcTest() override { std::filesystem::remove_all(root_); }

  void AddProcess(int tgid, const std::string& space, const std::vector<std::string>& descriptors) {
    const std::string directory = root_ + "/" + std::to_string(tgid);
    for (const char* each : {"/ns", "/net", "/fd"}) std::filesystem::create_directories(directory + each);
    std::filesystem::create_symlink("net:[" + space + "]", directory + "/ns/net");
    std::ofstream(directory + "/stat") << tgid << " (a b) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 500 0 0\n";
    int fd = 0;
    for (const std::string& target : descriptors) {
      std::filesystem::create_symlink(target, directory + "/fd/" + std::to_string(fd++));
    }
  }
  void AddTable(int tgid, const std::string& name, const std::string& text) {
    std::ofstream(root_ + "/" + std::to_string(tgid) + "/net/" + name) << text;
  }

  // starttime of 500 clock ticks.
  const uint64_t start_ns_ = 500 * (1'000'000'000ull / static_cast<uint64_t>(sysconf(_SC_CLK_TCK)));
  std::string root_;
};

TEST_F(ProcTest, OwnersAreFoundByTheirDescriptorsInEachNamespace) {
  AddProcess(1, "1", {"/dev/null", "socket:[4712]"});
  AddTable(1, "tcp", kTcp);
  AddProcess(2, "1", {"socket:[4711]", "pipe:[4712]"});
  AddProcess(3, "2", {"socket:[4713]"});
  AddTable(3, "udp6", kUdp);
  AddProcess(4, "1", {"socket:[4712]"});
  ConnectionScan scan(root_);
  const auto found = scan.Look({{1, start_ns_}, {2, start_ns_}, {3, start_ns_}, {4, 1}, {5, start_ns_}});
  ASSERT_THAT(found, SizeIs(2)) << "4 is another process by now, 5 is gone";
  EXPECT_EQ(found[0].process.tgid, 1);
  EXPECT_EQ(found[0].used_flags, static_cast<uint32_t>(TM_TASK_TCP_USED));
  EXPECT_EQ(found[1].process.tgid, 3);
  EXPECT_EQ(found[1].used_flags, static_cast<uint32_t>(TM_TASK_UDP_USED));
}

}  // namespace
}  // namespace taskmon::daemon

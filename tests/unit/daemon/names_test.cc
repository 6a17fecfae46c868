// SPDX-License-Identifier: Apache-2.0
#include "daemon/names.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <absl/time/clock.h>

#include "daemon/clocks.h"

namespace taskmon::daemon {
namespace {

constexpr char kId[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

TEST(CgroupPath, InnermostUnitIsTheTasksUnit) {
  EXPECT_EQ(ParseCgroupPath("/system.slice/ssh.service").unit, "ssh.service");
  EXPECT_EQ(ParseCgroupPath("/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service").unit, "foo.service");
  EXPECT_EQ(ParseCgroupPath("/user.slice/user-1000.slice/session-3.scope").unit, "session-3.scope");
  EXPECT_EQ(ParseCgroupPath("/").unit, "");
}

TEST(CgroupPath, ContainersOfTheCommonEnginesAreKnown) {
  const std::string id = kId;
  const std::string expected = "0123456789ab";
  EXPECT_EQ(ParseCgroupPath("/docker/" + id).container, expected);
  EXPECT_EQ(ParseCgroupPath("/system.slice/docker-" + id + ".scope").container, expected);
  EXPECT_EQ(ParseCgroupPath("/machine.slice/libpod-" + id + ".scope").container, expected);
  EXPECT_EQ(ParseCgroupPath("/kubepods.slice/kubepods-pod1.slice/cri-containerd-" + id + ".scope").container, expected);
  EXPECT_EQ(ParseCgroupPath("/lxc.payload.web/init.scope").container, "web");
  EXPECT_EQ(ParseCgroupPath("/system.slice/ssh.service").container, "");
}

TEST(CgroupPath, UnifiedHierarchyWinsUnlessItSaysOnlyRoot) {
  EXPECT_EQ(CgroupPathFromProc("0::/system.slice/a.service\n"), (CgroupPath{"/system.slice/a.service", true}));
  EXPECT_EQ(CgroupPathFromProc("12:cpu:/x\n1:name=systemd:/system.slice/b.service\n0::/\n"),
            (CgroupPath{"/system.slice/b.service", false}));
  EXPECT_EQ(CgroupPathFromProc("1:name=systemd:/b.service\n"), (CgroupPath{"/b.service", false}));
  EXPECT_EQ(CgroupPathFromProc("0::/\n"), (CgroupPath{"/", true}));
  EXPECT_EQ(CgroupPathFromProc(""), (CgroupPath{"", false}));
}

NameAnswer Ask(NameReader& reader, const NameRequest& request) {
  reader.Post({request});
  for (int i = 0; i < 1000; ++i) {
    std::vector<NameAnswer> answers = reader.TakeAnswers();
    if (!answers.empty()) return answers[0];
    absl::SleepFor(absl::Milliseconds(10));
  }
  ADD_FAILURE() << "no answer";
  return {};
}

TEST(NameReader, ReadsWhatProcSaysOfALivingProcess) {
  NameReader reader;
  reader.Start();
  // Any start time but the true one must be refused.
  NameRequest request{.tgid = getpid(), .start_ns = 1, .cmdline = true, .exe = true, .cgroup = true};
  NameAnswer answer = Ask(reader, request);
  EXPECT_FALSE(answer.found);
  EXPECT_NE(answer.cmdline.find("unit_daemon_names"), std::string::npos);
  EXPECT_NE(answer.exe.find("unit_daemon_names"), std::string::npos);
  answer = Ask(reader, {.uid = 0, .user = true});
  EXPECT_EQ(answer.user, "root");
}

TEST(CommandLine, LongOneKeepsItsEndWhereJavaHasItsMainClass) {
  const std::string line = "java -cp " + std::string(8000, 'x') + " kafka.Kafka server.properties";
  const std::string kept = ShortenCommandLine(line);
  EXPECT_EQ(kept.size(), kLongestCommandLine);
  EXPECT_EQ(kept.substr(0, 9), "java -cp ");
  EXPECT_TRUE(kept.ends_with("x kafka.Kafka server.properties"));
  EXPECT_NE(kept.find(" … "), std::string::npos);
  EXPECT_EQ(ShortenCommandLine("short"), "short");
}

}  // namespace
}  // namespace taskmon::daemon

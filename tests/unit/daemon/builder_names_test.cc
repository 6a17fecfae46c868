// SPDX-License-Identifier: Apache-2.0
// What /proc and the user database say, in the builder's picture.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "tests/unit/daemon/builder_fixture.h"

namespace taskmon::daemon {
namespace {

using ::testing::IsEmpty;

TEST_F(SampleBuilderTest, NamesAreAskedForOnceAndFilledIn) {
  auto result = TickWith({Preexisting(TaskRecord(kShell, "sh", 7))});
  ASSERT_EQ(result.requests.size(), 2u);
  EXPECT_TRUE(result.requests[0].cmdline && result.requests[0].exe && result.requests[0].cgroup);
  EXPECT_TRUE(result.requests[1].user);
  builder_.OnNames({.request = result.requests[0],
                    .found = true,
                    .cmdline = "sh -l",
                    .exe = "/bin/dash",
                    .cgroup = {.path = "/system.slice/ssh.service", .unit = "ssh.service"}});
  builder_.OnNames({.request = result.requests[1], .user = "root"});
  result = TickWith({});
  EXPECT_THAT(result.requests, IsEmpty());
  const TaskInfo& info = *result.snapshot->tasks[0]->info;
  EXPECT_EQ(info.cmdline, "sh -l");
  EXPECT_EQ(info.exe, "/bin/dash");
  EXPECT_EQ(info.unit, "ssh.service");
  EXPECT_EQ(info.user, "root");
}

TEST_F(SampleBuilderTest, ATextThatIsItsParentsIsInMemoryOnce) {
  tm_task_record child = TaskRecord(Leader(200, 6 * kSecond), "sh", 7);
  child.ppid = 100;
  const auto first = TickWith({Preexisting(TaskRecord(kShell, "sh", 7)), Preexisting(child)});
  for (const NameRequest& request : first.requests) {
    if (request.tgid != 0)
      builder_.OnNames({.request = request, .found = true, .cmdline = "sh worker", .exe = "/bin/sh"});
  }
  const auto result = TickWith({});
  const TaskInfo& parent = *Find(*result.snapshot, 100)->info;
  const TaskInfo& worker = *Find(*result.snapshot, 200)->info;
  EXPECT_EQ(worker.cmdline, "sh worker");
  EXPECT_EQ(&worker.cmdline.str(), &parent.cmdline.str());
  EXPECT_EQ(&worker.exe.str(), &parent.exe.str());
}

TEST_F(SampleBuilderTest, AnswerAboutAnotherProcessOfThatNumberIsIgnored) {
  auto result = TickWith({Preexisting(TaskRecord(kShell, "sh", 7))});
  builder_.OnNames({.request = result.requests[0], .found = false, .cmdline = "someone else"});
  EXPECT_EQ(TickWith({}).snapshot->tasks[0]->info->cmdline, "");
}

class CgroupNamesTest : public SampleBuilderTest {
 protected:
  // In the v2 cgroup `id`.
  static tm_task_record In(uint64_t id, tm_task_record record) {
    record.cgroup_id = id;
    return record;
  }
  // What /proc/TGID/cgroup says of each process that is asked about.
  void Answer(const SampleBuilder::Result& result, const std::function<std::string(int32_t)>& text) {
    for (const NameRequest& request : result.requests) {
      if (request.tgid == 0) continue;
      NameAnswer answer{.request = request, .found = true, .cmdline = "x"};
      const CgroupPath cgroup = CgroupPathFromProc(text(request.tgid));
      if (request.cgroup) {
        answer.cgroup = ParseCgroupPath(cgroup.path);
        answer.cgroup_unified = cgroup.unified;
      }
      builder_.OnNames(answer);
    }
  }
  static std::string V1(int32_t tgid) {
    return "3:cpu:/\n1:name=systemd:/system.slice/" + std::to_string(tgid) + ".service\n0::/\n";
  }
  size_t known_cgroups() { return builder_.names().Facts().cgroups.size(); }
};

const Who kOther = Leader(200, 6 * kSecond);
const Who kLater = Leader(300, 7 * kSecond);

TEST_F(CgroupNamesTest, ACgroupIsAskedForOnceForAllThatAreInIt) {
  Answer(TickWith({In(7, TaskRecord(kShell, "sh", 1))}), [](int32_t) { return "0::/a.service\n"; });
  TickWith({});
  const auto result = TickWith({In(7, TaskRecord(kOther, "sh", 1))});
  EXPECT_EQ(Find(*result.snapshot, 200)->info->unit, "a.service");
  EXPECT_EQ(known_cgroups(), 1u);
}

TEST_F(CgroupNamesTest, WhereOnlyTheOldHierarchyTellsEachProcessIsAskedFor) {
  const tm_task_record shell = In(1, TaskRecord(kShell, "sh", 1)), other = In(1, TaskRecord(kOther, "sh", 1));
  Answer(TickWith({shell, other}), V1);
  auto result = TickWith({In(1, TaskRecord(kLater, "sh", 1))});
  EXPECT_EQ(Find(*result.snapshot, 100)->info->unit, "100.service");
  EXPECT_EQ(Find(*result.snapshot, 200)->info->unit, "200.service");
  EXPECT_EQ(Find(*result.snapshot, 300)->info->unit, "");
  Answer(result, V1);
  EXPECT_EQ(Find(*TickWith({}).snapshot, 300)->info->unit, "300.service");
  EXPECT_EQ(known_cgroups(), 0u);
}

TEST_F(CgroupNamesTest, APathIsNotLearntForACgroupThatTheProcessHadLeftWhenItWasRead) {
  Answer(TickWith({In(7, TaskRecord(kShell, "sh", 1))}), [](int32_t) { return "0::/b.service\n"; });
  auto result = TickWith({In(8, TaskRecord(kShell, "sh", 2)), In(7, TaskRecord(kOther, "sh", 1))});
  EXPECT_EQ(Find(*result.snapshot, 100)->info->unit, "b.service");
  EXPECT_EQ(Find(*result.snapshot, 200)->info->unit, "");
  Answer(result, [](int32_t tgid) { return tgid == 100 ? "0::/b.service\n" : "0::/a.service\n"; });
  result = TickWith({});
  EXPECT_EQ(Find(*result.snapshot, 100)->info->unit, "b.service");
  EXPECT_EQ(Find(*result.snapshot, 200)->info->unit, "a.service");
  EXPECT_EQ(known_cgroups(), 2u);
}

}  // namespace
}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/proc_mount.h"

#include <gtest/gtest.h>

namespace taskmon::daemon {
namespace {

std::string Proc(const std::string& options, const std::string& point = "/proc") {
  return "22 28 0:21 / " + point + " rw,nosuid,nodev,noexec,relatime shared:12 - proc proc " + options + "\n";
}

TEST(ProcMountTest, PlainMountHidesNothing) {
  EXPECT_FALSE(ParseProcMount(Proc("rw")).hides_others);
  EXPECT_FALSE(ParseProcMount(Proc("rw,hidepid=off")).hides_others);
  EXPECT_FALSE(ParseProcMount(Proc("rw,hidepid=0")).hides_others);
  EXPECT_FALSE(ParseProcMount("").hides_others);
}

TEST(ProcMountTest, EveryWayOfHidingIsKnownByItsOldAndNewName) {
  for (const char* way : {"1", "2", "4", "noaccess", "invisible", "ptraceable"}) {
    EXPECT_TRUE(ParseProcMount(Proc(std::string("rw,hidepid=") + way)).hides_others) << way;
  }
}

TEST(ProcMountTest, GroupIsExempt) {
  const ProcMount mount = ParseProcMount(Proc("rw,gid=27,hidepid=invisible"));
  EXPECT_TRUE(mount.hides_others);
  EXPECT_EQ(mount.gid, std::optional<gid_t>(27));
}

TEST(ProcMountTest, TheMountOnTopCountsAndOthersDoNot) {
  EXPECT_TRUE(ParseProcMount(Proc("rw") + Proc("rw,hidepid=2")).hides_others);
  EXPECT_FALSE(ParseProcMount(Proc("rw,hidepid=2") + Proc("rw")).hides_others);
  EXPECT_FALSE(ParseProcMount(Proc("rw") + Proc("rw,hidepid=2", "/srv/jail/proc")).hides_others);
  EXPECT_FALSE(ParseProcMount("99 22 0:21 /sys /proc/sys ro - proc proc rw,hidepid=2\n").hides_others);
}

}  // namespace
}  // namespace taskmon::daemon

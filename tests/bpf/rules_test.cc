// SPDX-License-Identifier: Apache-2.0
//
// Which rule takes whom: names, owners, cgroups, kernel threads, connections and terms of them.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/bpf/rules_fixture.h"

namespace taskmon::bpf {
namespace {

TEST_F(RulesTest, WithoutRulesEverybodyIsWanted) {
  Actor actor({});
  const auto task = PassOf(actor.tid());
  EXPECT_EQ(task.decision.verdict, TM_VERDICT_WANTED);
  EXPECT_EQ(task.decision.at, TM_DECIDED_NEVER);
  EXPECT_EQ(task.decision.rule, kNoRule);
  EXPECT_EQ(Of<tm_fork_record>(TM_RECORD_FORK, actor.tid()).front().decision.rule, kNoRule);
  EXPECT_EQ(probe_->left_out().tasks, 0u);
}

TEST_F(RulesTest, AnExactNameIsTheWholeName) {
  Actor same({}, "tm-alpha"), longer({}, "tm-alphabet"), shorter({}, "tm-alph");
  SetRules(FilterByName("tm-alpha"));
  ExpectWanted(same.tid(), TM_DECIDED_START);
  EXPECT_TRUE(IsLeftOut(longer.tid()));
  EXPECT_TRUE(IsLeftOut(shorter.tid()));
}

TEST_F(RulesTest, ANameOfFifteenBytesIsFound) {
  Actor longest({}, "tm-123456789abc");
  SetRules(FilterByName("tm-123456789abc"));
  ExpectWanted(longest.tid(), TM_DECIDED_START);
}

TEST_F(RulesTest, TheLongestPrefixCounts) {
  Actor shorter({}, "tm-ab"), longer({}, "tm-abc"), none({}, "tm-b");
  KernelRules rules = Filter();
  rules.prefixes = {{"tm-a", {.rule = kLater}}, {"tm-abc", {.rule = kTrack}}};
  SetRules(rules);
  ExpectWanted(shorter.tid(), TM_DECIDED_START, kLater);
  ExpectWanted(longer.tid(), TM_DECIDED_START, kTrack);
  EXPECT_TRUE(IsLeftOut(none.tid()));
}

TEST_F(RulesTest, TheFirstRuleWinsWhateverItIsAbout) {
  Actor actor({});
  KernelRules rules = Filter();
  rules.prefixes = {{"tm-", {.rule = kTrack}}};
  rules.comms = {{"tm-actor", {.rule = kDrop}}};
  SetRules(rules);
  ExpectWanted(actor.tid(), TM_DECIDED_START);
  rules.comms = {{"tm-actor", {.rule = MakeRuleRef(0, true)}}};
  SetRules(rules);
  ExpectDropped(actor.tid(), TM_DECIDED_RULES);
}

TEST_F(RulesTest, AChangeOfOwnerIsSeenInTheNextPass) {
  Actor actor({[] {
    if (setresuid(4321, 4321, 4321) != 0) _exit(1);
  }});
  KernelRules rules = Filter();
  rules.uids = {{4321, {.rule = kTrack}}};
  SetRules(rules);
  EXPECT_TRUE(IsLeftOut(actor.tid()));
  actor.Act();
  ExpectWanted(actor.tid(), TM_DECIDED_OWNER);
}

TEST_F(RulesTest, AShortLifeUnderAnotherOwnerIsJudgedByThatOwner) {
  KernelRules rules = Filter();
  rules.uids = {{4321, {.rule = kTrack}}};
  SetRules(rules);
  const auto final = FinalOf([] { return setresuid(4321, 4321, 4321); });
  EXPECT_EQ(final.decision.rule, kTrack);
  EXPECT_EQ(final.decision.at, TM_DECIDED_OWNER);
  EXPECT_EQ(Of<tm_fork_record>(TM_RECORD_FORK, final.id.tgid).size(), 0u);
}

std::string UnifiedMount() {
  for (const char* candidate : {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"}) {
    if (access((std::string(candidate) + "/cgroup.controllers").c_str(), F_OK) == 0) return candidate;
  }
  return "";
}

class Cgroup {
 public:
  Cgroup() : directory_(UnifiedMount() + "/taskmon-rules-test") { made_ = mkdir(directory_.c_str(), 0755) == 0; }
  ~Cgroup() {
    if (made_) rmdir(directory_.c_str());
  }
  Cgroup(const Cgroup&) = delete;
  Cgroup& operator=(const Cgroup&) = delete;
  bool made() const { return made_; }
  uint64_t id() const {
    struct stat inode {};
    return stat(directory_.c_str(), &inode) == 0 ? inode.st_ino : 0;
  }
  bool Move(pid_t tgid) const {
    FILE* procs = std::fopen((directory_ + "/cgroup.procs").c_str(), "w");
    if (procs == nullptr) return false;
    std::fprintf(procs, "%d", tgid);
    return std::fclose(procs) == 0;
  }

 private:
  const std::string directory_;
  bool made_ = false;
};

uint64_t BootNs() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

TEST_F(RulesTest, AMoveToAnotherCgroupIsSeenAtOnce) {
  const Cgroup cgroup;
  if (!cgroup.made()) GTEST_SKIP() << "no cgroup can be made under '" << UnifiedMount() << "'";
  Actor actor({});
  KernelRules rules = Filter();
  rules.cgroups = {{cgroup.id(), {.rule = kTrack}}};
  SetRules(rules);
  EXPECT_TRUE(IsLeftOut(actor.tid()));
  ASSERT_TRUE(cgroup.Move(actor.tid()));
  const uint64_t moved_ns = BootNs();
  const auto decision = Decision(actor.tid());
  ASSERT_TRUE(decision.has_value());
  EXPECT_EQ(decision->rule, kTrack);
  EXPECT_EQ(decision->at, TM_DECIDED_CGROUP);
  EXPECT_LT(decision->decided_ns, moved_ns) << "by the hook, not by the pass";
  actor.End();
}

TEST_F(RulesTest, KernelThreadsCanBeAllThatIsWanted) {
  KernelRules rules = Filter();
  rules.kthread = {.rule = kTrack};
  Pass();
  SetRules(rules);
  Pass();
  const auto tasks = Pass();
  if (tasks.count(2) == 0) GTEST_SKIP() << "no kthreadd in this pid namespace";
  for (const auto& [tid, task] : tasks) {
    if (task.state == 'Z' || task.state == 'X') continue;  // dead before there was a probe
    EXPECT_TRUE(task.flags & TM_TASK_KTHREAD) << task.comm;
  }
}

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// To a port where nobody listens: the attempt counts.
void ConnectTcp() {
  const sockaddr_in address = Loopback(1);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) _exit(1);
  close(fd);
}

void SendUdp() {
  const sockaddr_in address = Loopback(9);
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (sendto(fd, "x", 1, 0, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 1) _exit(1);
  close(fd);
}

TEST_F(RulesTest, TheFirstTcpConnectionDecides) {
  AttachOrSkip(TM_HOOKS_CONNECT);
  if (IsSkipped()) return;
  Actor connects({ConnectTcp}), does_not({SendUdp});
  KernelRules rules = Filter();
  rules.tcp_used = {.rule = kTrack};
  SetRules(rules);
  EXPECT_TRUE(IsLeftOut(connects.tid()));
  connects.Act();
  does_not.Act();
  ExpectWanted(connects.tid(), TM_DECIDED_CONNECTION);
  EXPECT_TRUE(IsLeftOut(does_not.tid()));
}

TEST_F(RulesTest, TheFirstUdpMessageDecides) {
  AttachOrSkip(TM_HOOKS_NET);
  if (IsSkipped()) return;
  Actor sends({SendUdp}), does_not({});
  KernelRules rules = Filter();
  rules.udp_used = {.rule = kTrack};
  SetRules(rules);
  EXPECT_TRUE(IsLeftOut(sends.tid()));
  sends.Act();
  ExpectWanted(sends.tid(), TM_DECIDED_CONNECTION);
  EXPECT_TRUE(IsLeftOut(does_not.tid()));
}

TEST_F(RulesTest, AConnectionOfOneThreadDecidesForAllThreads) {
  AttachOrSkip(TM_HOOKS_CONNECT);
  if (IsSkipped()) return;
  Gate connect, connected, never;
  Actor actor({[&] {
    StartThread([&] {
      connect.Await();
      ConnectTcp();
      connected.Signal();
      never.Await();
    });
    StartThread([&] { never.Await(); });
  }});
  KernelRules rules = Filter();
  rules.tcp_used = {.rule = kTrack};
  SetRules(rules);
  actor.Act();
  EXPECT_TRUE(IsLeftOut(actor.tid()));
  EXPECT_FALSE(IsSent(actor.tid())) << "idle";
  connect.Signal();
  connected.Await();
  size_t threads = 0;
  for (const auto& [tid, task] : Pass(false)) {
    if (task.id.tgid != actor.tid()) continue;
    EXPECT_EQ(task.decision.rule, kTrack) << tid;
    ++threads;
  }
  EXPECT_EQ(threads, 3u);
}

TEST_F(RulesTest, AConnectionOlderThanTheHooksCanBeTold) {
  Actor actor({});
  KernelRules rules = Filter();
  rules.tcp_used = {.rule = kTrack};
  const auto task = PassOf(actor.tid());
  SetRules(rules);
  ExpectDropped(actor.tid(), TM_DECIDED_START);
  Tell({.tgid = task.id.tgid, .start_ns = task.id.process_start_ns, .used = TM_TASK_TCP_USED});
  ExpectWanted(actor.tid(), TM_DECIDED_CONNECTION);
  EXPECT_TRUE(PassOf(actor.tid()).flags & TM_TASK_TCP_USED);
}

TEST_F(RulesTest, ATermHoldsWhenAllOfItsTestsDoAndNoneOfTheOthers) {
  Actor both({[] {
    if (setresuid(4321, 4321, 4321) != 0) _exit(1);
  }});
  Actor one({}), excluded({}, "tm-excluded");
  KernelRules rules = Filter();
  rules.prefixes = {{"tm-", {.tests = 1}}};
  rules.uids = {{4321, {.tests = 2}}};
  rules.comms = {{"tm-excluded", {.tests = 4}}};
  rules.terms = {{.yes = 1 | 2, .no = 0, .rule = kTrack}, {.yes = 1, .no = 4, .rule = kLater}};
  SetRules(rules);
  ExpectWanted(both.tid(), TM_DECIDED_START, kLater);
  both.Act();
  ExpectWanted(both.tid(), TM_DECIDED_OWNER, kTrack);
  ExpectWanted(one.tid(), TM_DECIDED_START, kLater);
  EXPECT_TRUE(IsLeftOut(excluded.tid()));
}

TEST_F(RulesTest, AllTestsAndTermsThatFitAreUsed) {
  Actor actor({});
  KernelRules rules = Filter();
  rules.comms = {{"tm-actor", {.tests = uint64_t{1} << 63}}};
  for (uint32_t i = 0; i < kMaxKernelTerms; ++i) {
    rules.terms.push_back({.yes = uint64_t{1} << i, .no = 0, .rule = MakeRuleRef(i, false)});
  }
  SetRules(rules);
  ExpectWanted(actor.tid(), TM_DECIDED_START, MakeRuleRef(63, false));
}

}  // namespace
}  // namespace taskmon::bpf

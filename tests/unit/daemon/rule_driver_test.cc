// SPDX-License-Identifier: Apache-2.0
#include "daemon/rule_driver.h"

#include <unistd.h>

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace taskmon::daemon {
namespace {

using ::testing::SizeIs;

constexpr uint64_t kSecond = 1'000'000'000;

// Remembers what it is told.
class FakeProbe : public bpf::Probe {
 public:
  absl::Status Load() override { return absl::OkStatus(); }
  absl::Status Attach(tm_hook_group) override { return absl::OkStatus(); }
  void Detach(tm_hook_group) override {}
  bool IsAttached(tm_hook_group) const override { return false; }
  absl::Status Collect(bool, const TaskSink&) override { return absl::OkStatus(); }
  int ring_fd() const override { return -1; }
  size_t DrainRing(const RingSink&) override { return 0; }
  bool WantsDrain() const override { return false; }
  absl::Status SetRules(const bpf::KernelRules& rules) override {
    if (!rules.comms.empty() && refuses_names) return absl::InvalidArgumentError("no");
    told.push_back(rules);
    return absl::OkStatus();
  }
  absl::Status SetVerdicts(std::span<const bpf::UserVerdict>) override { return absl::OkStatus(); }
  bpf::LeftOut left_out() const override { return {}; }
  bpf::DropCounters Drops() const override { return {}; }
  std::vector<bpf::Hook> Hooks() const override { return {}; }
  absl::Status SetStatistics(bool) override { return absl::OkStatus(); }

  std::vector<bpf::KernelRules> told;
  bool refuses_names = false;
};

class RuleDriverTest : public ::testing::Test {
 protected:
  void Open(const std::string& rules) {
    std::string pattern = "/tmp/taskmon-driver-XXXXXX";
    directory_ = mkdtemp(pattern.data());
    auto book = rules::RuleBook::Open({.store = {.path = directory_ + "/rules.db"},
                                       .defaults = rules,
                                       .now_wall_ns = [] { return 1000; },
                                       .now_boot_ns = [] { return 500u; }});
    ASSERT_TRUE(book.ok()) << book.status();
    book_ = *std::move(book);
    driver_ = std::make_unique<RuleDriver>(
        RuleDriver::Parts{.book = book_.get(), .admission = &admission_, .demand = &demand_}, /*send_unwanted=*/false);
  }
  void TearDown() override {
    driver_.reset();
    book_.reset();
    std::filesystem::remove_all(directory_);
  }

  std::string directory_;
  std::unique_ptr<rules::RuleBook> book_;
  rules::Admission admission_;
  HookDemand demand_{HookGroups()};
  KnownNames names_;
  FakeProbe probe_;
  std::unique_ptr<RuleDriver> driver_;
};

TEST_F(RuleDriverTest, KernelIsToldOncePerEdit) {
  Open("[[rule]]\nname = 'a'\nexpr = 'comm == a'\ngroups = ['net']\n");
  driver_->Update(names_, kSecond, nullptr);
  EXPECT_THAT(admission_.enabled(), SizeIs(1)) << "taskmond decides before the kernel side does";
  EXPECT_TRUE(demand_.Wanted(0).test(TM_HOOKS_NET));
  driver_->Update(names_, 2 * kSecond, &probe_);
  driver_->Update(names_, 3 * kSecond, &probe_);
  ASSERT_THAT(probe_.told, SizeIs(1));
  EXPECT_FALSE(probe_.told[0].send_unwanted);
  EXPECT_THAT(probe_.told[0].comms, SizeIs(1));
  ASSERT_TRUE(book_->Edit([](const rules::RuleSet& set) { return set.SetEnabled({"a"}, false); }, {}).ok());
  driver_->Update(names_, 4 * kSecond, &probe_);
  ASSERT_THAT(probe_.told, SizeIs(2));
  EXPECT_GT(probe_.told[1].version, probe_.told[0].version);
  EXPECT_THAT(probe_.told[1].comms, SizeIs(0));
  EXPECT_FALSE(demand_.Wanted(0).test(TM_HOOKS_NET));
}

TEST_F(RuleDriverTest, CgroupsThatARuleSpeaksOfAreToldWhenMetButNotAllTheTime) {
  Open("[[rule]]\nname = 'a'\nexpr = 'unit == web.service'\n");
  driver_->Update(names_, kSecond, &probe_);
  EXPECT_THAT(probe_.told.back().cgroups, SizeIs(0));
  names_.LearnCgroup(7, {.path = "/system.slice/web.service", .unit = "web.service"});
  driver_->Update(names_, 2 * kSecond, &probe_);
  EXPECT_THAT(probe_.told, SizeIs(1)) << "a new plan costs more than the question that it spares";
  driver_->Update(names_, 12 * kSecond, &probe_);
  ASSERT_THAT(probe_.told, SizeIs(2));
  EXPECT_THAT(probe_.told.back().cgroups, SizeIs(1));
  names_.LearnCgroup(8, {.path = "/system.slice/other.service", .unit = "other.service"});
  driver_->Update(names_, 24 * kSecond, &probe_);
  EXPECT_THAT(probe_.told, SizeIs(2)) << "nothing changes by it";
  names_.LearnUser(33, "www-data");
  driver_->Update(names_, 30 * kSecond, &probe_);
  EXPECT_THAT(probe_.told, SizeIs(2)) << "no rule speaks of users";
}

TEST_F(RuleDriverTest, WhenTheKernelTakesNoRulesEverybodyIsPending) {
  Open("[[rule]]\nname = 'a'\nexpr = 'comm == a'\n");
  probe_.refuses_names = true;
  driver_->Update(names_, kSecond, &probe_);
  ASSERT_THAT(probe_.told, SizeIs(1));
  EXPECT_EQ(probe_.told[0].first_user_rule, bpf::MakeRuleRef(0, false));
}

TEST(HooksOfRules, AreThoseOfGroupsAndOfWhatTheExpressionReads) {
  auto rule = [](const std::string& expression, rules::Action action) {
    return rules::CheckedRule{.rule = {.name = "r",
                                       .order = 1,
                                       .expression = expression,
                                       .action = action,
                                       .groups = rules::MetricGroups().set(v1::NET)},
                              .expression = *query::Expression::Parse(expression)};
  };
  const HookGroups tracking = HooksOf(rule("sysfails > 10", rules::Action::kTrack));
  EXPECT_TRUE(tracking.test(TM_HOOKS_SYSCALL));
  EXPECT_TRUE(tracking.test(TM_HOOKS_NET));
  const HookGroups dropping = HooksOf(rule("sysfails > 10", rules::Action::kDrop));
  EXPECT_TRUE(dropping.test(TM_HOOKS_SYSCALL));
  EXPECT_FALSE(dropping.test(TM_HOOKS_NET)) << "nothing is recorded of what a rule drops";
}

}  // namespace
}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace taskmon::daemon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string ErrorOf(const std::string& toml) {
  Config config;
  return std::string(ApplyToml(toml, "taskmond.toml", &config).message());
}

TEST(Config, ReadsEveryKey) {
  Config config;
  const absl::Status status = ApplyToml(R"(
socket = "/tmp/s"
socket_mode = 0o660
state_dir = "/tmp/d"
interval = "500ms"
log_level = "debug"
[history]
max_bytes = "64MiB"
max_age = "3d"
[kernel]
ring_bytes = 65536
hooks = ["sched", "net"]
[access]
reader_group = "ops"
admin_group = "wheel"
max_subscriptions = 7
[rules]
readable_by = "readers"
keep_versions = 5
max_bytes = "16MiB"
[baseline]
keep = "none"
[budget]
cpu_percent = 2.5
bpf_percent = 0
stall_per_second = "20ms"
window = "1m"
)",
                                        "taskmond.toml", &config);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(config.socket_path, "/tmp/s");
  EXPECT_EQ(config.socket_mode, 0660u);
  EXPECT_EQ(config.state_dir, "/tmp/d");
  EXPECT_EQ(config.interval_ns, 500'000'000u);
  EXPECT_EQ(config.log_level, "debug");
  EXPECT_EQ(config.history_cap_bytes, 64u << 20);
  EXPECT_EQ(config.history_max_age_ns, 3ull * 86400 * 1'000'000'000);
  EXPECT_EQ(config.ring_bytes, 65536u);
  EXPECT_THAT(config.hooks, ElementsAre(TM_HOOKS_SCHED, TM_HOOKS_NET));
  EXPECT_EQ(config.reader_group, "ops");
  EXPECT_EQ(config.admin_group, "wheel");
  EXPECT_EQ(config.max_subscriptions, 7u);
  EXPECT_EQ(config.rules_readable_by, Config::RulesReadableBy::kReaders);
  EXPECT_EQ(config.rules_keep_versions, 5u);
  EXPECT_EQ(config.rules_max_bytes, 16u << 20);
  EXPECT_EQ(config.baseline, Config::Baseline::kNone);
  EXPECT_EQ(config.budget_cpu_percent, 2.5);
  EXPECT_EQ(config.budget_bpf_percent, 0);
  EXPECT_EQ(config.budget_stall_per_second_ns, 20'000'000u);
  EXPECT_EQ(config.budget_window_ns, 60'000'000'000u);
  EXPECT_TRUE(CheckConfig(config).ok());
}

TEST(Config, UnknownKeyIsAnErrorThatNamesLineAndNearestKey) {
  EXPECT_EQ(ErrorOf("\nintervall = \"1s\"\n"), "taskmond.toml:2: unknown key 'intervall'; did you mean 'interval'?");
  EXPECT_THAT(ErrorOf("[history]\nmax_byte = 1\n"), HasSubstr("did you mean 'history.max_bytes'?"));
}

TEST(Config, WrongTypeSaysWhatWouldBeRight) {
  EXPECT_THAT(ErrorOf("interval = 1"), HasSubstr("interval: expected a duration in quotes"));
  EXPECT_EQ(ErrorOf("[baseline]\nkeep = \"some\""), "taskmond.toml:2: baseline.keep: expected \"all\" or \"none\"");
  EXPECT_THAT(ErrorOf("[rules]\nreadable_by = 1"), HasSubstr("expected \"everyone\" or \"readers\""));
  EXPECT_THAT(ErrorOf("[history]\nmax_bytes = \"1 gig\""), HasSubstr("expected a size"));
  EXPECT_THAT(ErrorOf("[history]\nmax_bytes = -5"), HasSubstr("expected a size"));
  EXPECT_THAT(ErrorOf("[kernel]\nhooks = [\"sched\", \"nett\"]"), HasSubstr("unknown hook group 'nett'"));
  EXPECT_THAT(ErrorOf("[budget]\ncpu_percent = \"10%\""), HasSubstr("budget.cpu_percent: expected a percentage"));
  EXPECT_THAT(ErrorOf("[budget]\ncpu_percent = -1"), HasSubstr("expected a percentage"));
  EXPECT_THAT(ErrorOf("[budget]\ncpu_percent = nan"), HasSubstr("expected a percentage"));
  EXPECT_THAT(ErrorOf("history = 5"), HasSubstr("unknown key 'history'"));
}

TEST(Config, NoTimeAtAllIsAChoiceWhereItMeansSomething) {
  Config config;
  ASSERT_TRUE(ApplyToml("[smaps]\nper_second = \"0s\"\n[budget]\nstall_per_second = \"0s\"", "x", &config).ok());
  EXPECT_EQ(config.smaps_per_second_ns, 0u);
  EXPECT_EQ(config.budget_stall_per_second_ns, 0u);
  EXPECT_TRUE(CheckConfig(config).ok());
  EXPECT_THAT(ErrorOf("interval = \"0s\""), HasSubstr("must be longer than 0"));
}

TEST(Config, BrokenTomlIsAnErrorWithItsLine) {
  EXPECT_THAT(ErrorOf("interval = \"1s\"\nsocket = \n"), HasSubstr("taskmond.toml:2:"));
}

TEST(Config, ValuesOutOfRangeAreRefused) {
  Config config;
  config.interval_ns = 1;
  EXPECT_THAT(std::string(CheckConfig(config).message()), HasSubstr("interval"));
  config = {};
  config.ring_bytes = 5000;
  EXPECT_THAT(std::string(CheckConfig(config).message()), HasSubstr("power of two"));
  config = {};
  config.socket_path = std::string(120, 'x');
  EXPECT_THAT(std::string(CheckConfig(config).message()), HasSubstr("socket"));
  config = {};
  config.budget_window_ns = 1;
  EXPECT_THAT(std::string(CheckConfig(config).message()), HasSubstr("budget.window must lie between 1s and 1h"));
  config = {};
  config.log_level = "loud";
  EXPECT_THAT(std::string(CheckConfig(config).message()), HasSubstr("log_level"));
}

TEST(Config, MissingFileIsNotFound) {
  Config config;
  EXPECT_TRUE(absl::IsNotFound(ApplyConfigFile("/nonexistent/taskmond.toml", &config)));
}

}  // namespace
}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
//
// What cannot be put in force is refused before anything in the kernel is touched: there is none here.
#include "bpf/rule_maps.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace taskmon::bpf {
namespace {

class RuleMapsTest : public testing::Test {
 protected:
  std::string Refusal(const KernelRules& rules) {
    const tm_rules before = shared_;
    const absl::Status set = maps_.Set(rules, 1);
    EXPECT_TRUE(absl::IsInvalidArgument(set)) << set;
    EXPECT_EQ(std::memcmp(&before, &shared_, sizeof(before)), 0) << "the rules in force have changed";
    return std::string(set.message());
  }

  tm_rules shared_{};
  uint32_t waiting_ = 0;
  RuleMaps maps_{{.keys = -1, .prefixes = -1, .verdicts = -1, .sent = -1, .left_out = -1}, &shared_, &waiting_};
};

TEST_F(RuleMapsTest, ANameThatNoTaskCanHaveIsRefused) {
  KernelRules rules;
  rules.comms = {{"sixteen-bytes-xx", {}}};
  EXPECT_EQ(Refusal(rules), "a name in the kernel has at most 15 bytes: sixteen-bytes-xx");
  rules.comms = {{std::string("a\0b", 3), {}}};
  EXPECT_EQ(Refusal(rules), "a name holds a NUL");
}

TEST_F(RuleMapsTest, AKeyThatStandsTwiceIsNamed) {
  KernelRules rules;
  rules.comms = {{"one", {}}, {"two", {}}, {"one", {}}};
  EXPECT_EQ(Refusal(rules), "name one stands twice");
  rules.comms.clear();
  rules.uids = {{7, {}}, {7, {}}};
  EXPECT_EQ(Refusal(rules), "owner 7 stands twice");
  rules.uids.clear();
  rules.cgroups = {{42, {}}, {42, {}}};
  EXPECT_EQ(Refusal(rules), "cgroup 42 stands twice");
}

TEST_F(RuleMapsTest, EachLimitIsNamedWithWhatFits) {
  KernelRules rules;
  rules.terms.resize(kMaxKernelTerms + 1);
  EXPECT_EQ(Refusal(rules), "65 terms for the kernel: at most 64 fit");
  rules = {};
  rules.thresholds.resize(kMaxKernelThresholds + 1, {.of = KernelThreshold::Of::kMaximum});
  EXPECT_EQ(Refusal(rules), "17 thresholds for the kernel: at most 16 fit");
  rules = {};
  for (uint32_t i = 0; i <= kMaxKernelNames; ++i) rules.prefixes.push_back({std::to_string(i), {}});
  EXPECT_EQ(Refusal(rules), "65537 prefixes for the kernel: at most 65536 fit");
}

TEST_F(RuleMapsTest, AThresholdOverWhatNoHookKeepsIsRefused) {
  KernelRules rules;
  rules.thresholds = {{.of = KernelThreshold::Of::kRate, .index = TM_C_RUNTIME_NS}};
  EXPECT_EQ(Refusal(rules), "the kernel keeps no counter 0 to watch: 16 to 31 it does");
  rules.thresholds = {{.of = KernelThreshold::Of::kMaximum, .index = TM_M_MAX}};
  EXPECT_EQ(Refusal(rules), "the kernel keeps no maximum 4 to watch: 0 to 3 it does");
}

}  // namespace
}  // namespace taskmon::bpf

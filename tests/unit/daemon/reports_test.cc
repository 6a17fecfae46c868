// SPDX-License-Identifier: Apache-2.0
#include "daemon/reports.h"

#include <map>

#include <gtest/gtest.h>

#include "proto/catalogue.h"

namespace taskmon::daemon {
namespace {

v1::MetricHealth HealthOf(const v1::Doctor& doctor, v1::Metric metric) {
  for (const v1::MetricHealth& health : doctor.metrics()) {
    if (health.metric() == static_cast<uint32_t>(metric)) return health;
  }
  ADD_FAILURE() << "no health of " << metric;
  return {};
}

bpf::Hook Attached(const std::string& name, tm_hook_group group) {
  bpf::Hook hook;
  hook.name = name;
  hook.group = group;
  hook.available = true;
  hook.attached = true;
  return hook;
}

TEST(ReportsTest, LimitOfSomeMetricsLeavesTheOthersOfItsGroupAlone) {
  Figures figures;
  figures.sampler.hooks = {Attached("inet_sock_set_state", TM_HOOKS_CONNECT)};
  figures.sampler.hooks[0].limits = {{"connect only", {"task_tcp_used"}}};
  const v1::Doctor doctor = MakeDoctor(Config(), figures, "5.10");
  EXPECT_EQ(HealthOf(doctor, v1::TASK_TCP_USED).health(), v1::DEGRADED);
  EXPECT_EQ(HealthOf(doctor, v1::TASK_TCP_USED).reason(), "connect only");
  EXPECT_EQ(HealthOf(doctor, v1::TASK_CONNECT_COUNT).health(), v1::WORKS);
}

TEST(ReportsTest, DoctorNamesWhatAMissingCapabilityCosts) {
  Figures figures;
  figures.lacking = {{"CAP_SYS_PTRACE", "executables are unknown"}};
  figures.sampler.hook_costs_refused = true;
  const v1::Doctor doctor = MakeDoctor(Config(), figures, "6.1");
  std::map<std::string, v1::Health> checks;
  for (const v1::Check& check : doctor.checks()) checks[check.name()] = check.health();
  EXPECT_EQ(checks["CAP_SYS_PTRACE"], v1::DEGRADED);
  EXPECT_EQ(checks["hook costs"], v1::DEGRADED);
  EXPECT_EQ(HealthOf(doctor, v1::TASK_PSS_SIZE).health(), v1::DEGRADED);
}

v1::Check CheckOf(const v1::Doctor& doctor, const std::string& name) {
  for (const v1::Check& check : doctor.checks()) {
    if (check.name() == name) return check;
  }
  ADD_FAILURE() << "no check " << name;
  return {};
}

TEST(ReportsTest, DoctorSaysWhatIsShedAndWhatItCosts) {
  Figures figures;
  figures.sampler.budget.cpu_percent = 3.25;
  v1::Check check = CheckOf(MakeDoctor(Config(), figures, "6.12"), "budget");
  EXPECT_EQ(check.health(), v1::WORKS);
  EXPECT_EQ(check.reason(),
            "recording 3.2% of a CPU of 10% allowed, hooks not measured of 5% allowed, smaps stall 0.0 ms a second of "
            "10 ms allowed");
  figures.sampler.budget.shed = {Shed::kSmaps, Shed::kInterval2};
  const v1::Doctor doctor = MakeDoctor(Config(), figures, "6.12");
  check = CheckOf(doctor, "budget");
  EXPECT_EQ(check.health(), v1::DEGRADED);
  EXPECT_NE(check.reason().find("left out: smaps, interval x2"), std::string::npos) << check.reason();
  EXPECT_EQ(HealthOf(doctor, v1::TASK_PSS_SIZE).health(), v1::DEGRADED);
}

TEST(ReportsTest, StatusTellsTheIntervalInForceAndWhatClientsCost) {
  Figures figures;
  figures.sampler.budget.interval_factor = 4;
  figures.refused_calls = 3;
  figures.self.serving_cpu_percent = 2.5;
  figures.sampler.budget.bpf_percent = 0.5;
  const v1::Status status = MakeStatus(Config(), figures);
  EXPECT_EQ(status.serving_cpu_percent(), 2.5);
  EXPECT_EQ(status.dropped().at("calls_refused"), 3u);
  EXPECT_EQ(status.interval_ms(), 1000u);
  EXPECT_EQ(status.budget().interval_ms(), 4000u);
  EXPECT_TRUE(status.budget().bpf_known());
}

TEST(ReportsTest, LimitWithoutMetricsIsAboutItsGroup) {
  Figures figures;
  figures.sampler.hooks = {Attached("mark_victim", TM_HOOKS_OOM)};
  figures.sampler.hooks[0].limits = {{"by number", {}}};
  const v1::Doctor doctor = MakeDoctor(Config(), figures, "5.10");
  EXPECT_EQ(HealthOf(doctor, v1::TASK_OOM_COUNT).health(), v1::DEGRADED);
  EXPECT_EQ(HealthOf(doctor, v1::TASK_VM_SIZE).health(), v1::WORKS);
}

TEST(ReportsTest, LimitOfFinalRecordsIsToldOfMetricsThatNoHookFills) {
  Figures figures;
  figures.sampler.hooks = {Attached("sched_process_exit", TM_HOOKS_LIFECYCLE)};
  figures.sampler.hooks[0].limits = {{"no sizes at the end", {"task_vm_size"}}};
  const v1::Doctor doctor = MakeDoctor(Config(), figures, "6.1");
  EXPECT_EQ(HealthOf(doctor, v1::TASK_VM_SIZE).health(), v1::DEGRADED);
  EXPECT_EQ(HealthOf(doctor, v1::TASK_FORK_COUNT).health(), v1::WORKS);
}

TEST(ReportsTest, UnavailableStaysUnavailableWhateverTheLimits) {
  Figures figures;
  figures.sampler.hooks = {Attached("inet_sock_set_state", TM_HOOKS_CONNECT)};
  figures.sampler.hooks[0].attached = false;
  figures.sampler.hooks[0].limits = {{"connect only", {"task_tcp_used"}}};
  figures.hook_reasons[TM_HOOKS_CONNECT] = "not wanted";
  const v1::MetricHealth health = HealthOf(MakeDoctor(Config(), figures, "5.10"), v1::TASK_TCP_USED);
  EXPECT_EQ(health.health(), v1::UNAVAILABLE);
  EXPECT_EQ(health.reason(), "hook inet_sock_set_state is not attached: not wanted");
}

}  // namespace
}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
//
// What `status` and `doctor` say, put together from the figures of the parts. Pure: figures in, messages out.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "daemon/config.h"
#include "daemon/privileges.h"
#include "daemon/sampler.h"
#include "daemon/self_stats.h"
#include "daemon/writer.h"
#include "taskmon/v1/taskmon.pb.h"

namespace taskmon::daemon {

struct Figures {
  Sampler::Stats sampler;
  Writer::Stats writer;
  SelfStats::Values self;
  SmapsBudget::Stats smaps;
  std::array<std::string, TM_HOOK_GROUP_MAX> hook_reasons;  // why each group is attached, or not
  uint64_t rules_enabled = 0;                               // for the doctor only
  std::vector<std::string> rules_without_match;             // … enabled ones that no living process is with
  std::vector<LackingCapability> lacking;                   // … too
  bool all_tasks_visible = true;                            // … too: it is in the initial PID namespace
  uint64_t names_dropped = 0;
  uint64_t refused_streams = 0;
  uint64_t refused_calls = 0;
  uint64_t refused_connections = 0;
  uint64_t query_memory_turned_away = 0;
  double uptime_s = 0;
};

v1::Status MakeStatus(const Config& config, const Figures& figures);

// Kernel facts and metrics: what works on this machine, what does not, why and what would help.
v1::Doctor MakeDoctor(const Config& config, const Figures& figures, const std::string& kernel_release);

}  // namespace taskmon::daemon

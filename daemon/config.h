// SPDX-License-Identifier: Apache-2.0
//
// taskmond's configuration: built-in defaults, then the TOML file, then the command line. Parsing is pure and strict:
// an unknown key, a wrong type or a value out of range is an error that names the key and what would be right.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "bpf/taskmon_abi.h"

namespace taskmon::daemon {

inline constexpr char kDefaultConfigPath[] = "/etc/taskmon/taskmond.toml";
inline constexpr char kDefaultSocketPath[] = "/run/taskmon/taskmond.sock";
inline constexpr char kDefaultStateDir[] = "/var/lib/taskmon";

struct Config {
  std::string socket_path = kDefaultSocketPath;
  uint32_t socket_mode = 0666;  // what a caller may see is decided for each caller, not by the file mode
  std::string state_dir = kDefaultStateDir;
  uint64_t interval_ns = 1'000'000'000;
  std::string log_level = "info";

  uint64_t history_cap_bytes = 1ull << 30;
  uint64_t history_max_age_ns = 7ull * 86400 * 1'000'000'000;

  uint32_t ring_bytes = 8u << 20;
  std::vector<tm_hook_group> hooks;  // besides what rules and watchers want

  uint64_t smaps_per_target_ns = 10'000'000;  // longest stall of one process
  uint64_t smaps_per_second_ns = 5'000'000;   // all reads together; 0: never read

  // What taskmond itself may cost before it leaves something out (daemon/self_control.h); 0: no limit.
  double budget_cpu_percent = 10;
  double budget_bpf_percent = 5;
  uint64_t budget_stall_per_second_ns = 10'000'000;
  uint64_t budget_window_ns = 10'000'000'000;

  // Who, besides uid 0, may read the rules; the edit of rules is the admin group's.
  enum class RulesReadableBy { kEveryone, kReaders };
  RulesReadableBy rules_readable_by = RulesReadableBy::kEveryone;
  uint32_t rules_keep_versions = 1000;
  uint64_t rules_max_bytes = 64ull << 20;

  // What becomes of tasks that no rule decides.
  enum class Baseline { kAll, kNone };
  Baseline baseline = Baseline::kAll;

  // Rows that were not stored are kept in memory for tasks that come under a rule later.
  uint64_t pre_roll_age_ns = 300ull * 1'000'000'000;
  uint64_t pre_roll_bytes = 8ull << 20;

  std::string rules_initial;  // a rule file to begin with where none are stored; empty: the built-in one
  std::string apps_dir = "/etc/taskmon/apps.d";  // applications besides the shipped ones

  std::string reader_group = "taskmon";       // members see everything
  std::string admin_group = "taskmon-admin";  // members may change rules, too
  uint32_t max_subscriptions = 256;
  uint32_t max_connections = 1024;

  std::string ring_path() const { return state_dir + "/history.db"; }
  std::string rules_path() const { return state_dir + "/rules.db"; }
};

// Applies a TOML text to `config`. InvalidArgument: "taskmond.toml:7: unknown key 'intervall' …".
absl::Status ApplyToml(const std::string& text, const std::string& origin, Config* config);

// Reads and applies a file. NotFound when there is none.
// Every key there is, "history.max_age".
std::vector<std::string> ConfigKeys();

absl::Status ApplyConfigFile(const std::string& path, Config* config);

// InvalidArgument names the value that is out of range.
absl::Status CheckConfig(const Config& config);

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/config.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "bpf/abi_names.h"
#include "daemon/query/nearest.h"
#include "daemon/query/time_spec.h"
#include "daemon/rules/toml_file.h"

namespace taskmon::daemon {
namespace {

using Setter = std::function<absl::Status(const toml::node&)>;

absl::Status WrongType(const char* expected) {
  return absl::InvalidArgumentError(fmt::format("expected {}", expected));
}

Setter SetString(std::string* target) {
  return [target](const toml::node& node) -> absl::Status {
    auto value = node.value_exact<std::string>();
    if (!value) return WrongType("a string");
    *target = *value;
    return absl::OkStatus();
  };
}

Setter SetDuration(uint64_t* target) {
  return [target](const toml::node& node) -> absl::Status {
    auto value = node.value_exact<std::string>();
    if (!value) return WrongType("a duration in quotes, such as \"1s\" or \"7d\"");
    auto parsed = query::ParseDuration(*value);
    if (!parsed.ok()) return parsed.status();
    *target = static_cast<uint64_t>(*parsed);
    return absl::OkStatus();
  };
}

// Where nothing is a choice: "0s".
Setter SetDurationOrNone(uint64_t* target) {
  return [target](const toml::node& node) -> absl::Status {
    if (node.value_exact<std::string>() != "0s") return SetDuration(target)(node);
    *target = 0;
    return absl::OkStatus();
  };
}

// Bytes as an integer, or as a string with KiB, MiB or GiB.
Setter SetBytes(uint64_t* target) {
  return [target](const toml::node& node) -> absl::Status {
    constexpr char kExpected[] = "a size, such as 1073741824 or \"1GiB\"";
    if (auto number = node.value_exact<int64_t>()) {
      if (*number < 0) return WrongType(kExpected);
      *target = static_cast<uint64_t>(*number);
      return absl::OkStatus();
    }
    auto text = node.value_exact<std::string>();
    if (!text) return WrongType(kExpected);
    static const std::map<std::string, uint64_t> kUnits = {
        {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30}, {"TiB", 1ull << 40}};
    char* end = nullptr;
    errno = 0;
    const uint64_t count = std::strtoull(text->c_str(), &end, 10);
    auto unit = kUnits.find(end);
    const bool digits = !text->empty() && std::isdigit(static_cast<unsigned char>((*text)[0]));
    if (!digits || errno != 0 || unit == kUnits.end() || count > UINT64_MAX / unit->second) return WrongType(kExpected);
    *target = count * unit->second;
    return absl::OkStatus();
  };
}

Setter SetUint32(uint32_t* target) {
  return [target](const toml::node& node) -> absl::Status {
    auto value = node.value_exact<int64_t>();
    if (!value || *value < 0 || *value > UINT32_MAX) return WrongType("a whole number");
    *target = static_cast<uint32_t>(*value);
    return absl::OkStatus();
  };
}

Setter SetPercent(double* target) {
  return [target](const toml::node& node) -> absl::Status {
    const auto value = node.is_number() ? node.value<double>() : std::nullopt;
    if (!value || !(*value >= 0 && *value <= 1e6)) return WrongType("a percentage, such as 10 or 2.5");
    *target = *value;
    return absl::OkStatus();
  };
}

// One of a few words, each of which stands for a value.
template <typename Value>
Setter SetWord(Value* target, std::vector<std::pair<std::string, Value>> words) {
  return [target, words](const toml::node& node) -> absl::Status {
    const auto text = node.value_exact<std::string>();
    std::vector<std::string> quoted;
    for (const auto& [word, value] : words) {
      if (text && *text == word) return *target = value, absl::OkStatus();
      quoted.push_back("\"" + word + "\"");
    }
    return WrongType(fmt::format("{}", fmt::join(quoted, " or ")).c_str());
  };
}

absl::StatusOr<tm_hook_group> ParseHookGroup(const std::string& name) {
  std::vector<std::string> names;
  for (int i = 0; i < TM_HOOK_GROUP_MAX; ++i) {
    names.emplace_back(bpf::HookGroupName(static_cast<tm_hook_group>(i)));
    if (names.back() == name) return static_cast<tm_hook_group>(i);
  }
  return absl::InvalidArgumentError(fmt::format("unknown hook group '{}'; known: {}", name, fmt::join(names, ", ")));
}

Setter SetHooks(std::vector<tm_hook_group>* target) {
  return [target](const toml::node& node) -> absl::Status {
    const toml::array* array = node.as_array();
    if (array == nullptr) return WrongType("an array of hook groups, such as [\"sched\", \"signal\"]");
    std::vector<tm_hook_group> groups;
    for (const toml::node& element : *array) {
      auto name = element.value_exact<std::string>();
      if (!name) return WrongType("an array of hook groups, such as [\"sched\", \"signal\"]");
      auto group = ParseHookGroup(*name);
      if (!group.ok()) return group.status();
      groups.push_back(*group);
    }
    *target = std::move(groups);
    return absl::OkStatus();
  };
}

// Every key there is. Adding one is one line here and one field in Config.
std::map<std::string, Setter> Keys(Config* config) {
  return {
      {"socket", SetString(&config->socket_path)},
      {"socket_mode", SetUint32(&config->socket_mode)},
      {"state_dir", SetString(&config->state_dir)},
      {"interval", SetDuration(&config->interval_ns)},
      {"log_level", SetString(&config->log_level)},
      {"history.max_bytes", SetBytes(&config->history_cap_bytes)},
      {"history.max_age", SetDuration(&config->history_max_age_ns)},
      {"kernel.ring_bytes", SetUint32(&config->ring_bytes)},
      {"kernel.hooks", SetHooks(&config->hooks)},
      {"smaps.per_target", SetDuration(&config->smaps_per_target_ns)},
      {"smaps.per_second", SetDurationOrNone(&config->smaps_per_second_ns)},
      {"budget.cpu_percent", SetPercent(&config->budget_cpu_percent)},
      {"budget.bpf_percent", SetPercent(&config->budget_bpf_percent)},
      {"budget.stall_per_second", SetDurationOrNone(&config->budget_stall_per_second_ns)},
      {"budget.window", SetDuration(&config->budget_window_ns)},
      {"rules.readable_by", SetWord(&config->rules_readable_by, {{"everyone", Config::RulesReadableBy::kEveryone},
                                                                 {"readers", Config::RulesReadableBy::kReaders}})},
      {"rules.initial", SetString(&config->rules_initial)},
      {"rules.apps", SetString(&config->apps_dir)},
      {"rules.keep_versions", SetUint32(&config->rules_keep_versions)},
      {"rules.max_bytes", SetBytes(&config->rules_max_bytes)},
      {"baseline.keep",
       SetWord(&config->baseline, {{"all", Config::Baseline::kAll}, {"none", Config::Baseline::kNone}})},
      {"pre_roll.max_age", SetDuration(&config->pre_roll_age_ns)},
      {"pre_roll.max_bytes", SetBytes(&config->pre_roll_bytes)},
      {"access.reader_group", SetString(&config->reader_group)},
      {"access.admin_group", SetString(&config->admin_group)},
      {"access.max_subscriptions", SetUint32(&config->max_subscriptions)},
      {"access.max_connections", SetUint32(&config->max_connections)},
  };
}

absl::Status ApplyTable(const toml::table& table, const std::string& prefix, const std::string& origin,
                        const std::map<std::string, Setter>& keys) {
  for (const auto& [name, node] : table) {
    const std::string key = prefix + rules::Undisguised(name.str());
    auto setter = keys.find(key);
    if (setter != keys.end()) {
      if (absl::Status status = setter->second(node); !status.ok()) {
        return absl::InvalidArgumentError(
            fmt::format("{}:{}: {}: {}", origin, node.source().begin.line, key, std::string(status.message())));
      }
      continue;
    }
    const toml::table* inner = node.as_table();
    auto section = keys.lower_bound(key + ".");
    if (inner != nullptr && section != keys.end() && section->first.rfind(key + ".", 0) == 0) {
      if (absl::Status status = ApplyTable(*inner, key + ".", origin, keys); !status.ok()) return status;
      continue;
    }
    std::vector<std::string> names;
    for (const auto& entry : keys) names.push_back(entry.first);
    return absl::InvalidArgumentError(
        fmt::format("{}:{}: unknown key '{}'{}", origin, node.source().begin.line, key, query::DidYouMean(key, names)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ApplyToml(const std::string& text, const std::string& origin, Config* config) {
  const absl::StatusOr<toml::table> table = rules::ReadToml(text, origin);
  return table.ok() ? ApplyTable(*table, "", origin, Keys(config)) : table.status();
}

absl::Status ApplyConfigFile(const std::string& path, Config* config) {
  std::ifstream file(path);
  if (!file) {
    const std::string message = fmt::format("cannot read {}: {}", path, std::strerror(errno));
    return errno == ENOENT ? absl::NotFoundError(message) : absl::FailedPreconditionError(message);
  }
  std::ostringstream text;
  text << file.rdbuf();
  return ApplyToml(text.str(), path, config);
}

absl::Status CheckConfig(const Config& config) {
  auto bad = [](std::string message) { return absl::InvalidArgumentError(message); };
  if (config.interval_ns < 100'000'000 || config.interval_ns > 3600ull * 1'000'000'000) {
    return bad("interval must lie between 100ms and 1h");
  }
  if (config.history_cap_bytes < (4ull << 20)) return bad("history.max_bytes must be at least 4MiB");
  if (config.history_max_age_ns < 60ull * 1'000'000'000) return bad("history.max_age must be at least 1m");
  const bool power_of_two = (config.ring_bytes & (config.ring_bytes - 1)) == 0;
  if (config.ring_bytes < 4096 || config.ring_bytes > (1u << 30) || !power_of_two) {
    return bad("kernel.ring_bytes must be a power of two between 4096 and 1073741824");
  }
  if (config.smaps_per_second_ns > 1'000'000'000) return bad("smaps.per_second must be at most 1s");
  if (config.budget_stall_per_second_ns > 1'000'000'000) return bad("budget.stall_per_second must be at most 1s");
  if (config.budget_window_ns < 1'000'000'000 || config.budget_window_ns > 3600ull * 1'000'000'000) {
    return bad("budget.window must lie between 1s and 1h");
  }
  if (config.pre_roll_age_ns > 3600ull * 1'000'000'000) return bad("pre_roll.max_age must be at most 1h");
  if (config.pre_roll_bytes > (1ull << 30)) return bad("pre_roll.max_bytes must be at most 1GiB");
  if (config.rules_keep_versions < 2) return bad("rules.keep_versions must be at least 2");
  if (config.rules_max_bytes < (16ull << 20)) return bad("rules.max_bytes must be at least 16MiB");
  if (config.socket_path.empty() || config.socket_path.size() >= 108) {
    return bad("socket must be a path of 1 to 107 bytes");
  }
  if (config.socket_mode > 0777) return bad("socket_mode must be at most 0o777");
  if (config.state_dir.empty()) return bad("state_dir must not be empty");
  static const std::vector<std::string> kLevels = {"trace", "debug", "info", "warn", "error", "critical", "off"};
  if (std::find(kLevels.begin(), kLevels.end(), config.log_level) == kLevels.end()) {
    return bad(fmt::format("log_level must be one of {}", fmt::join(kLevels, ", ")));
  }
  return absl::OkStatus();
}

std::vector<std::string> ConfigKeys() {
  Config config;
  std::vector<std::string> names;
  for (const auto& [name, setter] : Keys(&config)) names.push_back(name);
  return names;
}

}  // namespace taskmon::daemon

// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <cstdlib>
#include <string>

#include <CLI/CLI.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "daemon/config.h"
#include "daemon/daemon.h"
#include "daemon/library_logs.h"
#include "daemon/query/time_spec.h"

namespace taskmon::daemon {
namespace {

constexpr int kExitUsage = 2;
constexpr int kExitPermission = 4;
constexpr int kExitInternal = 70;

struct Arguments {
  std::string config_path;
  std::string socket_path;
  std::string state_dir;
  std::string interval;
  std::string log_level;
  bool check_config = false;
};

void DeclareArguments(CLI::App& app, Arguments& arguments) {
  app.add_option("--config", arguments.config_path,
                 std::string("Configuration file (default: ") + kDefaultConfigPath + ")");
  app.add_option("--socket", arguments.socket_path, std::string("Unix socket (default: ") + kDefaultSocketPath + ")")
      ->envname("TASKMON_SOCKET");
  app.add_option("--state-dir", arguments.state_dir,
                 std::string("Where history.db lies (default: ") + kDefaultStateDir + ")");
  app.add_option("--interval", arguments.interval, "Time between samples, 100ms to 1h (default: 1s)");
  app.add_option("--log-level", arguments.log_level, "trace, debug, info, warn, error, critical or off");
  app.add_flag("--check-config", arguments.check_config, "Check the configuration and exit");
  app.set_version_flag("--version", std::string("taskmond ") + TASKMON_VERSION);
}

absl::StatusOr<Config> MakeConfig(const Arguments& arguments) {
  Config config;
  const bool named = !arguments.config_path.empty();
  absl::Status status = ApplyConfigFile(named ? arguments.config_path : kDefaultConfigPath, &config);
  if (!status.ok() && (named || !absl::IsNotFound(status))) return status;
  if (!arguments.socket_path.empty()) config.socket_path = arguments.socket_path;
  if (!arguments.state_dir.empty()) config.state_dir = arguments.state_dir;
  if (!arguments.log_level.empty()) config.log_level = arguments.log_level;
  if (!arguments.interval.empty()) {
    auto interval = query::ParseDuration(arguments.interval);
    if (!interval.ok()) return interval.status();
    config.interval_ns = static_cast<uint64_t>(*interval);
  }
  status = CheckConfig(config);
  return status.ok() ? absl::StatusOr<Config>(config) : status;
}

int Fail(const absl::Status& status, int code) {
  std::fprintf(stderr, "taskmond: %s\n", std::string(status.message()).c_str());
  return code;
}

int Main(int argc, char** argv) {
  CLI::App app("taskmond records what every process and thread of this machine does.", "taskmond");
  Arguments arguments;
  DeclareArguments(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  auto config = MakeConfig(arguments);
  if (!config.ok()) return Fail(config.status(), kExitUsage);
  if (arguments.check_config) {
    std::puts("the configuration is valid");
    return 0;
  }
  spdlog::set_default_logger(spdlog::stderr_color_mt("taskmond"));
  spdlog::set_level(spdlog::level::from_str(config->log_level));
  QuietLibraryLogs();
  Daemon::BlockSignals();
  Daemon daemon(*config);
  absl::Status status = daemon.Start();
  if (status.ok()) status = daemon.Run();
  daemon.Stop();
  if (status.ok()) return 0;
  return Fail(status, absl::IsPermissionDenied(status) ? kExitPermission : kExitInternal);
}

}  // namespace
}  // namespace taskmon::daemon

int main(int argc, char** argv) { return taskmon::daemon::Main(argc, argv); }

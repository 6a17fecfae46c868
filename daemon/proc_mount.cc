// SPDX-License-Identifier: Apache-2.0
#include "daemon/proc_mount.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace taskmon::daemon {
namespace {

ProcMount ParseOptions(const std::string& options) {
  ProcMount mount;
  std::istringstream words(options);
  std::string option;
  while (std::getline(words, option, ',')) {
    if (option.starts_with("hidepid=")) mount.hides_others = option != "hidepid=0" && option != "hidepid=off";
    if (option.starts_with("gid=")) mount.gid = static_cast<gid_t>(std::strtoul(option.c_str() + 4, nullptr, 10));
  }
  return mount;
}

}  // namespace

ProcMount ParseProcMount(const std::string& mountinfo) {
  ProcMount found;
  std::istringstream lines(mountinfo);
  std::string line;
  while (std::getline(lines, line)) {
    // id parent major:minor root mount-point options [optional …] - type source super-options
    const size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream front(line.substr(0, dash));
    std::istringstream back(line.substr(dash + 3));
    std::string word[5];
    for (std::string& each : word) front >> each;
    std::string type, source, options;
    back >> type >> source >> options;
    if (type == "proc" && word[3] == "/" && word[4] == "/proc") found = ParseOptions(options);
  }
  return found;
}

ProcMount ReadProcMount() {
  std::ifstream file("/proc/self/mountinfo");
  std::ostringstream text;
  text << file.rdbuf();
  return ParseProcMount(text.str());
}

}  // namespace taskmon::daemon

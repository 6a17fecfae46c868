// SPDX-License-Identifier: Apache-2.0
//
// What tells one application, as a TOML file says it: see packaging/apps.toml. Plain data.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/query/regex.h"

namespace taskmon::rules {

// One [[app]] table. All that is given must fit.
struct AppEntry {
  std::string name;                   // empty: no application, whatever later entries say
  std::vector<std::string> programs;  // comm, or the base name of the executable; "x*": begins with x; empty: any
  std::optional<query::Regex> exe;    // somewhere in the executable's path
  std::optional<query::Regex> cmdline;
};

// Entries of a TOML text, in order. What is wrong becomes a line in `problems`, "apps.toml:7: …", and is left out; the
// rest is still returned.
std::vector<AppEntry> ParseApps(std::string_view text, const std::string& origin, std::vector<std::string>* problems);

}  // namespace taskmon::rules

// SPDX-License-Identifier: Apache-2.0
//
// The command line: which commands and options exist, their help, and what is said about wrong ones. Knows nothing of
// what the commands do. Pure but for reading TASKMON_SOCKET's value from its argument.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/command_tree.h"
#include "client/options.h"

namespace taskmon::client {

struct ParsedCommandLine {
  Options options;
  std::optional<int> exit_code;  // set: there is nothing to run; print `out` and `err` and leave
  std::string out;
  std::string err;
};

// `arguments` without the program's name; `socket_variable` is TASKMON_SOCKET's value, empty when unset.
ParsedCommandLine ParseCommandLine(const std::vector<std::string>& arguments, const std::string& socket_variable);

// All of it, as data.
CommandNode DescribeCommandLine();

}  // namespace taskmon::client

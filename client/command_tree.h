// SPDX-License-Identifier: Apache-2.0
//
// The command line as data: which commands, options and formats there are, with their help. Made by cli.cc from what it
// parses with, so that completion and manual pages cannot say anything else. A value.
#pragma once

#include <string>
#include <vector>

#include "client/output/format.h"

namespace taskmon::client {

struct OptionNode {
  std::vector<std::string> names;  // "-b", "--begin"; of a positional its name: "EXPR"
  std::string type;                // of its value: "TIME"; empty: it takes none
  std::string help;
  bool positional = false;
  bool required = false;
  bool many = false;
};

struct CommandNode {
  std::string name;
  std::string summary;
  std::string examples;  // of the program: its footer
  std::vector<OptionNode> options;
  std::vector<Format> formats;  // of -o
  std::vector<CommandNode> commands;
};

}  // namespace taskmon::client

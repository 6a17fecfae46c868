// SPDX-License-Identifier: Apache-2.0
//
// The commands below `rule`: their options, and the checks of what was typed that need no daemon. Belongs to cli.cc,
// which gives every command its help and its output formats.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <CLI/CLI.hpp>

#include "client/options.h"
#include "client/output/format.h"

namespace taskmon::client {

// Texts as they were typed, before they are checked.
struct RawRule {
  std::vector<std::string> words;  // of an expression
  std::string name, order, version, if_version;
};

struct CommandMaker {
  std::function<CLI::App*(CLI::App* parent, Command command, const char* name)> add;
  std::function<CLI::Option*(CLI::App* app, const char* names, std::string* into, const char* type, const char* help)>
      text;
  std::function<void(CLI::App* app, std::vector<Format> formats)> formats;
};

// Declares them; CLI11 keeps pointers into `options` and `raw`.
void DeclareRuleCommands(CLI::App* rule, const CommandMaker& make, Options* options, RawRule* raw);

// Fills options->rule, expression and tid from what was typed. InvalidArgument: no number where there should be one.
absl::Status CheckRule(const RawRule& raw, Options* options);

}  // namespace taskmon::client

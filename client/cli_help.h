// SPDX-License-Identifier: Apache-2.0
//
// What `--help` says: one line and up to three examples for each command, and how a help screen is laid out. Every
// screen fits 80 columns and 24 lines, or nearly.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "client/options.h"

namespace taskmon::client {

struct CommandHelp {
  const char* summary;
  const char* examples;
};

const CommandHelp& HelpOf(Command command);

// "taskmonctl rule add"
std::string InvocationOf(const CLI::App& app);

extern const char kProgramSummary[];
extern const char kProgramFooter[];

class HelpFormatter : public CLI::FormatterBase {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
};

}  // namespace taskmon::client

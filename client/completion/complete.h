// SPDX-License-Identifier: Apache-2.0
//
// What can come next on a command line that is being typed. Pure: what only taskmond knows is named, and asked for by
// commands/completion.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "client/command_tree.h"

namespace taskmon::client {

struct Candidate {
  std::string word;
  std::string help;
};

// What is to be looked up among the rules or living tasks.
enum class Live { kNone, kRules, kTids, kComms, kApps, kUnits, kUsers };

struct Completion {
  std::vector<Candidate> words;  // those that begin as the current word does
  Live live = Live::kNone;
  std::string prefix;    // what stands before each live value in the current word
  bool files = false;    // the shell completes a file's name
  bool unended = false;  // the word may go on: no blank after it
};

// `words`: after the program's name, the current one, maybe empty, last.
Completion Complete(const CommandNode& program, const std::vector<std::string>& words);

// Adds a value found elsewhere when it fits what was typed.
void AddLive(const std::string& current, Candidate candidate, Completion* completion);

// What a shell needs to ask, to be read by it. Empty: no such shell.
std::string_view CompletionScript(std::string_view shell);
const std::vector<std::string>& CompletionShells();

}  // namespace taskmon::client

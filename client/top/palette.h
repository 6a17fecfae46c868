// SPDX-License-Identifier: Apache-2.0
//
// The commands of `:` — their names, what they take, what Tab completes and what is told of them while one is typed.
// What they do is the model's. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

namespace taskmon::client::top {

enum class Verb { kColumns, kFilter, kFold, kGroup, kHelp, kJump, kLive, kQuit, kSort, kThreads, kTree, kUnfold };

struct PaletteEntry {
  Verb verb;
  std::string_view name;
  std::string_view argument;  // what it takes; empty: nothing
  std::string_view help;
};

struct Typed {
  Verb verb;
  std::string argument;
};

// Those that what is typed may become, in the order of their names.
std::vector<const PaletteEntry*> PaletteMatches(std::string_view text);

// What Tab completes at the end of the text: names of commands, then what the command takes.
std::vector<std::string> PaletteWords(std::string_view text);

// Names may be cut short while they stay unique. InvalidArgument: no such command, or one that needs an argument.
absl::StatusOr<Typed> ParsePalette(std::string_view text);

// The words of an expression: fields and functions.
std::vector<std::string> FilterWords();

}  // namespace taskmon::client::top

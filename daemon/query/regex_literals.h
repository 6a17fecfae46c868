// SPDX-License-Identifier: Apache-2.0
//
// Regexes that are no more than a list of fixed texts, so that hashes and prefix tries can decide them: "^web",
// "^(kswapd|jbd2|kworker)", "^nginx$". Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace taskmon::query {

struct RegexLiterals {
  bool whole = false;              // the text is one of these; otherwise it begins with one
  std::vector<std::string> texts;  // at least one; may be empty texts
};

// What a regex of the expression language (RE2, bytes, anywhere in the text) asks when it is an anchored literal, or an
// anchored group of literals with literals around it. nullopt: anything else, also where cleverness could find more.
// Precondition: RE2 accepts the regex.
std::optional<RegexLiterals> LiteralsOf(std::string_view regex);

}  // namespace taskmon::query

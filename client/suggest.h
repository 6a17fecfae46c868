// SPDX-License-Identifier: Apache-2.0
//
// How an error message about a wrong word ends: with the nearest right one, or else with where to look. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/query/nearest.h"

namespace taskmon::client {

// "; did you mean 'comm'?" or "; <hint>".
inline std::string SuggestOr(std::string_view word, const std::vector<std::string>& candidates, std::string_view hint) {
  const std::string suggestion = query::DidYouMean(word, candidates);
  return suggestion.empty() ? "; " + std::string(hint) : suggestion;
}

}  // namespace taskmon::client

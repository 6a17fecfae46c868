// SPDX-License-Identifier: Apache-2.0
//
// "Did you mean …?": the known word closest to a mistyped one, for fields, metrics and commands alike. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace taskmon::query {

// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other (optimal string
// alignment), counted up to `limit`; limit + 1 when there are more.
int EditDistance(std::string_view a, std::string_view b, int limit);

// The candidate within reach of a typing error: 1 edit for words of up to 3 letters, 2 up to 7, 3 above. The first of
// several equally near; nullopt: none.
std::optional<std::string> Nearest(std::string_view word_untrusted, const std::vector<std::string>& candidates);

// "; did you mean 'comm'?", or nothing.
std::string DidYouMean(std::string_view word_untrusted, const std::vector<std::string>& candidates);

}  // namespace taskmon::query

// SPDX-License-Identifier: Apache-2.0
//
// Long texts on lines of a width: broken between words, later lines indented. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace taskmon::client {

// Terminal safe words, as many on a line as fit into `width` columns with the `indent` that the first line has already.
// A longer word has a line of its own; width 0: one line.
std::string Wrapped(std::string_view text, size_t indent, size_t width);

}  // namespace taskmon::client

// SPDX-License-Identifier: Apache-2.0
//
// TOML from outside: the configuration, rule files, applications. The one place that calls toml++'s parser, because its
// table of Unicode blanks has undefined behaviour for many characters that are none (toml++ 3.3, when they stand where
// only blanks may). Bytes beyond ASCII therefore go through it in disguise. Pure.
#pragma once

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

// toml++ 3.3 asserts of its input what input can break (a line that begins with "[$"), and where assertions are off has
// clang take it for granted. Without either it says what is wrong.
#define TOML_ASSERT(expr) static_cast<void>(0)
#pragma push_macro("NDEBUG")
#undef NDEBUG
#include <toml++/toml.h>
#pragma pop_macro("NDEBUG")

namespace taskmon::rules {

// InvalidArgument: "FILE:LINE: what is wrong". Keys beyond ASCII stay disguised; nothing of ours has any.
absl::StatusOr<toml::table> ReadToml(std::string_view text_untrusted, const std::string& origin);

// Takes the disguise off a text that may hold such a key, for an error message.
std::string Undisguised(std::string_view text);

}  // namespace taskmon::rules

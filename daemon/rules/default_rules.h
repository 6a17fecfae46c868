// SPDX-License-Identifier: Apache-2.0
//
// The rules that taskmond comes with (packaging/rules.toml), built into the program so that they cannot be missing.
#pragma once

#include <string_view>

namespace taskmon::rules {

// A rule file (rule_text.h).
std::string_view DefaultRuleText();

}  // namespace taskmon::rules

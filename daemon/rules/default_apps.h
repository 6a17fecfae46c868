// SPDX-License-Identifier: Apache-2.0
//
// The applications that taskmond knows (packaging/apps.toml), built into the program so that they cannot be missing.
#pragma once

#include <string_view>

namespace taskmon::rules {

// TOML (app_entry.h).
std::string_view DefaultAppText();

}  // namespace taskmon::rules

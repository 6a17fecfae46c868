// SPDX-License-Identifier: Apache-2.0
//
// Copies of files of packaging/, compiled in, so that taskmond needs no file beside itself. Static data.
#pragma once

#include <string_view>

namespace taskmon::rules {

std::string_view ShippedApps();   // packaging/apps.toml
std::string_view ShippedRules();  // packaging/rules.toml

}  // namespace taskmon::rules
